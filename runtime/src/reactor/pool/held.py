"""What a worker holds: leased tasks, from the lease on until the gateway has taken what became of them.

In: the gateway's answers to a lease and to a heartbeat. Out: leases with their tasks. Never here: a task that is begun
when its lease may have run out. A lease counts from before it was asked for, by the clock of this machine.
"""

from json import loads
from time import monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from reactor.pool.children import ChildProcess
MARGIN_NS = 1_000_000_000
"""So long before the end of a lease nothing of it is begun any more."""
_NS = 1_000_000_000


class Task:
    """One leased task. `line` is what the gateway told of it, for the child; `number` what its child calls it.

    expected_us: how long it will take, by what such tasks took before.
    stopped:     why it was told to stop (`closed`, `timeout`), empty where it was not.
    withdrawn:   it is not to be begun any more.         settled: what became of it is told, or need not be.
    """

    __slots__ = ("child", "expected_us", "key", "lease", "line", "number", "proof", "settled", "stopped", "withdrawn")

    def __init__(self, lease: "Lease", key: str, proof: str, line: bytes) -> None:
        self.lease = lease
        self.key = key
        self.proof = proof
        self.line = line
        self.number = 0
        self.child: ChildProcess | None = None
        self.expected_us = 0.0
        self.stopped = ""
        self.withdrawn = False
        self.settled = False

    def __str__(self) -> str:
        return f"{self.lease.run}/{self.key}"

    @property
    def reverses(self) -> bool:
        """Whether it undoes something: then those after it in its chunk wait for it to succeed."""
        return self.key.rsplit(".", 4)[1] == "undo"


class Lease:
    """A chunk of tasks that one child does, one after the other.

    `open` counts those that are not settled. `halted`: one failed that the others wait for. `taken_ns`: since when it
    is held.
    """

    __slots__ = ("halted", "id", "open", "run", "steps", "taken_ns", "tasks", "valid_until_ns")

    def __init__(self, id_: str, run: str, steps: list[str], valid_until_ns: int) -> None:
        self.id = id_
        self.run = run
        self.steps = steps
        self.tasks: list[Task] = []
        self.open = 0
        self.halted = False
        self.valid_until_ns = valid_until_ns
        self.taken_ns = monotonic_ns()


Portion = tuple[Lease, list[Task]]
"""Tasks of one lease that are to be done, one after the other."""


class Held:
    """All that is leased, by the id of the lease."""

    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}
        self.steps: dict[str, bytes] = {}
        """Documents of steps, as the gateway told them."""
        self.timeouts: dict[str, int] = {}
        """Milliseconds that a task of a step may take, where there is a limit, by the digest of its document."""
        self.seconds = 30.0
        """How long a lease is, by the gateway."""
        self.count = 0
        """Tasks that are not reported yet."""

    def take(self, answer: bytes, asked_at_ns: int) -> list[Lease]:
        """Return the leases of an answer (docs/protocol.md). Raises ValueError, KeyError, TypeError, AttributeError for
        any other, and holds nothing of it."""
        first, *lines = answer.split(b"\n")
        head = loads(first)
        for digest, document in head["steps"].items():
            self.steps[digest] = document.encode()
            timeout_ms = loads(document).get("timeoutMs")
            if timeout_ms is not None:
                self.timeouts[digest] = int(timeout_ms)
        self.seconds = float(head["seconds"])
        until_ns = asked_at_ns + int(head["waitedMs"]) * 1_000_000 + int(self.seconds * _NS) - MARGIN_NS
        found = list(_leases(head["leases"], iter(lines), until_ns))
        for lease in found:
            self.leases[lease.id] = lease
            self.count += lease.open
        return found

    def renew(self, told: "Mapping[str, Mapping[str, object]]", asked: list[Lease], asked_at_ns: int) -> list[Task]:
        """Take the answer to a heartbeat: return the tasks that are closed, or are not this worker's any more."""
        closed: list[Task] = []
        for lease in asked:
            renewed = told.get(lease.id)
            if renewed is None:
                closed += lease.tasks
                continue
            lease.valid_until_ns = asked_at_ns + int(float(str(renewed["seconds"])) * _NS) - MARGIN_NS
            keys = renewed.get("closed")
            if keys:
                closed += [task for task in lease.tasks if task.key in _texts(keys)]
        return [task for task in closed if not task.settled]

    def forget_steps(self) -> None:
        """Drop the documents of steps of which nothing is held; the gateway tells them again."""
        needed = self.needed_steps()
        self.steps = {digest: document for digest, document in self.steps.items() if digest in needed}
        self.timeouts = {digest: timeout for digest, timeout in self.timeouts.items() if digest in needed}

    def needed_steps(self) -> set[str]:
        """Return the steps of what is held."""
        return {digest for lease in self.leases.values() for digest in lease.steps}

    def timeout_ns(self, task: Task) -> int | None:
        """Return how long a task may take, None where there is no limit."""
        if not self.timeouts:
            return None
        timeout_ms = self.timeouts.get(loads(task.line)["step"])
        return None if timeout_ms is None else timeout_ms * 1_000_000

    def settle(self, task: Task) -> None:
        """What became of a task is told, or need not be."""
        if task.settled:
            return
        task.settled = True
        self.count -= 1
        task.lease.open -= 1
        if not task.lease.open:
            self.leases.pop(task.lease.id, None)


def _texts(found: object) -> frozenset[str]:
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()


def _leases(told: "list[dict[str, Any]]", lines: "Iterator[bytes]", until_ns: int) -> "Iterator[Lease]":
    for one in told:
        lease = Lease(one["lease"], one["run"], one["steps"], until_ns)
        told_tasks = [(key, proof, next(lines, None)) for key, proof in one["tasks"]]
        if any(line is None for _, _, line in told_tasks):
            raise ValueError("fewer lines than tasks")
        lease.tasks = [Task(lease, key, proof, line or b"") for key, proof, line in told_tasks]
        lease.open = len(lease.tasks)
        yield lease
