"""What a worker is told by the environment of its pod.

REACTOR_GATEWAY            http://HOST:PORT
REACTOR_POOL               NAMESPACE/NAME of its pool
REACTOR_POOL_TOKEN         the pool's token
REACTOR_POOL_CONCURRENCY   how many tasks at once; 1 when unset
REACTOR_POOL_ONCE          1: in the pod of a chunk, which ends when that is done; unset: a pool
REACTOR_POOL_CHILD_MEMORY  how many bytes a task may need; unset: an equal share of the container's limit

In: a mapping like `os.environ`. Out: `PoolSettings`. Never here: defaults that hide a missing variable.
"""

import os
from collections.abc import Mapping
from json import dumps

from reactor.environment import BadEnvironment, required
from reactor.pool.memory import child_memory

MOST_CHILDREN = 256


class PoolSettings:
    """The facts of one worker. `worker` names it, and no other one ever. `once`: its first lease is all there is."""

    __slots__ = ("concurrency", "gateway", "memory", "once", "pool", "token", "worker")

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.gateway = required(variables, "REACTOR_GATEWAY")
        self.pool = required(variables, "REACTOR_POOL")
        self.token = required(variables, "REACTOR_POOL_TOKEN")
        if self.pool.count("/") != 1:
            raise BadEnvironment(f"REACTOR_POOL is {self.pool!r}, expected NAMESPACE/NAME")
        told = variables.get("REACTOR_POOL_CONCURRENCY", "1")
        if not (told.isascii() and told.isdigit()) or not 1 <= int(told) <= MOST_CHILDREN:
            raise BadEnvironment(f"REACTOR_POOL_CONCURRENCY is {told!r}, expected a number from 1 to {MOST_CHILDREN}")
        self.concurrency = int(told)
        self.once = variables.get("REACTOR_POOL_ONCE") == "1"
        try:
            self.memory = child_memory(variables, self.concurrency)
        except ValueError as problem:
            raise BadEnvironment(str(problem)) from problem
        self.worker = os.urandom(16).hex()

    def hello(self) -> bytes:
        """Return what a child is told first."""
        told = {"gateway": self.gateway, "pool": self.pool, "token": self.token, "worker": self.worker}
        return dumps({**told, "memory": self.memory}).encode()
