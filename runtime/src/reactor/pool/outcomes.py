"""What became of tasks, on its way to the gateway in batches.

In: tasks with their outcome documents. Out: the body of the next report. Never here: an outcome that is dropped because
the gateway was away for a while; after `PATIENCE_SECONDS` nobody waits for it any more.
"""

from collections import deque
from json import dumps
from time import monotonic

from reactor.documents import failed, plain_failure
from reactor.pool.held import Task
from reactor.pool.tail import NOTHING, Printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
PATIENCE_SECONDS = 600.0
MOST = 500
_ENOUGH = 100
_OLD_SECONDS = 0.02
_BYTES = 1024 * 1024
_PRINTED_BYTES = 8 * 1024 * 1024
"""So much of what tasks printed waits at most; the gateway may be away."""
NO_DOCUMENT = b"null"
LONG_MS = 1_000
"""How long a task took is told from there on: until then it began and ended at one time, as statuses tell times."""


class Outcome:
    """What became of one task: its document, and what the gateway must know beside.

    took_ms:  how long it took.        printed: what it printed, where that is asked for.
    released: it was not begun.        stopped: it was closed, and has no outcome any more: only what it printed.
    """

    __slots__ = ("at", "document", "printed", "released", "sensitive", "stopped", "task", "took_ms")

    def __init__(
        self,
        task: Task,
        document: bytes,
        *,
        sensitive: bool = False,
        released: bool = False,
        stopped: bool = False,
        printed: Printed = NOTHING,
        took_ms: int = 0,
    ) -> None:
        self.task = task
        self.document = document
        self.sensitive = sensitive
        self.released = released
        self.stopped = stopped
        self.printed = printed
        self.took_ms = took_ms
        self.at = monotonic()

    def about(self) -> dict[str, object]:
        """Return what a report says of it beside its document."""
        task = self.task
        told: dict[str, object] = {"run": task.lease.run, "task": task.key, "proof": task.proof}
        if self.sensitive:
            told["sensitive"] = True
        if self.released:
            told["released"] = True
        if self.stopped:
            told["stopped"] = True
        if self.took_ms >= LONG_MS:
            told["tookMs"] = self.took_ms
        if self.printed[0]:
            told["log"] = told_log(self.printed)
        return told

    @property
    def size(self) -> int:
        """How many bytes it has, about."""
        return len(self.document) + len(self.printed[0])


class Outcomes:
    """Those that are not reported yet, in order."""

    def __init__(self) -> None:
        self._waiting: deque[Outcome] = deque()
        self._most = MOST

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, outcome: Outcome) -> None:
        """Take one; without what was printed, where too much of that waits."""
        if outcome.printed[0] and sum(len(one.printed[0]) for one in self._waiting) > _PRINTED_BYTES:
            outcome.printed = NOTHING
        self._waiting.append(outcome)

    def put_back(self, outcomes: "Iterable[Outcome]") -> None:
        """Take a batch back that was not heard."""
        self._waiting.extendleft(reversed(list(outcomes)))

    def due_in(self, now: float, *, hurry: bool) -> float:
        """Return in how many seconds a batch is due; where nothing more is coming (`hurry`) it is due now."""
        if hurry or len(self._waiting) >= _ENOUGH:
            return 0.0
        return max(0.0, self._waiting[0].at + _OLD_SECONDS - now)

    def next_batch(self) -> list[Outcome]:
        """Take out the next ones that go together."""
        batch: list[Outcome] = []
        size = 0
        while self._waiting and len(batch) < self._most:
            size += self._waiting[0].size
            if batch and size > _BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    def refused(self, batch: list[Outcome], status: int, said: str) -> Outcome | None:
        """Take a batch back that the gateway does not take: its outcomes go one by one, the one to blame without what
        was printed, and then as a failure.

        Return that one where nothing else can be told of it.
        """
        if len(batch) > 1:
            self._most = 1
            self.put_back(batch)
            return None
        (one,) = batch
        if one.printed[0] and not one.stopped:
            one.printed = NOTHING
            self.put_back([one])
            return None
        if one.stopped or one.document.startswith(b'{"type":"failed"'):
            return one
        words = f"the gateway refused an outcome of {len(one.document)} bytes with status {status}: {said}"
        self.put_back([Outcome(one.task, plain_failure("InvalidResult", words))])
        return None

    def accepted(self) -> None:
        """The gateway took a batch: the next ones may be as large as ever."""
        self._most = MOST

    def too_old(self, now: float) -> list[Outcome]:
        """Take out those that nobody waits for any more."""
        found = []
        while self._waiting and now - self._waiting[0].at > PATIENCE_SECONDS:
            found.append(self._waiting.popleft())
        return found


def render_report(worker: str, batch: list[Outcome]) -> bytes:
    """Return the body of a report."""
    head = {"worker": worker, "outcomes": [outcome.about() for outcome in batch]}
    return b"\n".join([dumps(head, ensure_ascii=False).encode(), *[outcome.document for outcome in batch]])


def told_log(printed: Printed) -> dict[str, object]:
    """Return what is told of what a task printed."""
    text, lines = printed
    return {"text": text.decode("utf-8", "replace"), "lines": lines}


def retryable_failure(kind: str, message: str) -> bytes:
    """Return the outcome of a task that could not tell its own."""
    return failed({"kind": kind, "message": message, "retryable": True, "exception": None, "detail": {}})
