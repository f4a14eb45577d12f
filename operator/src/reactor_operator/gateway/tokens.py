"""Tokens: proof that the operator gave the bearer the right to speak for a launch, or for the workers of a pool.

In: the installation's key and the task's fence (`RUN-UID/TASK-KEY`, as in REACTOR_TASK), or the pool. Out: the token.
Never here: expiry or state; a token is dead because its task is closed in the store.
"""

import hashlib
import hmac
from functools import lru_cache

_PROOF_BYTES = 16


def task_token(key: bytes, fence: str) -> str:
    """Return the token of the task that `fence` names: HMAC-SHA256 in 64 hex digits."""
    return hmac.new(key, fence.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def pool_fence(pool: str) -> str:
    """Return what the token of a pool (`NAMESPACE/NAME`) is made of: `task_token(key, pool_fence(pool))`.

    No task has such a fence: the uid of a run is not `pool`.
    """
    return f"pool/{pool}"


def lease_proof(key: bytes, binding: str, run: str, task: str) -> str:
    """Return what a worker shows for a task that it was given: another worker, or another task, has another one.

    It is made twice for each task of a pool, so it is the fastest keyed hash there is.
    """
    told = "\0".join((binding, run, task)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(told, key=_proof_key(key), digest_size=_PROOF_BYTES).hexdigest()


@lru_cache(maxsize=4)
def _proof_key(key: bytes) -> bytes:
    return hmac.digest(key, b"proofs of leases", "sha256")


def verify(key: bytes, fence: str, token: str) -> bool:
    """Say whether `token` (from outside, any text) is the one of `fence`, in time that tells nothing about it."""
    return is_same(task_token(key, fence), token)


def is_same(expected: str, found: str) -> bool:
    """Say whether two secrets are the same, in time that tells nothing about them. `found` is any text."""
    return hmac.compare_digest(expected.encode(), found.encode("utf-8", "surrogatepass"))
