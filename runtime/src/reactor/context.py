"""What a handler may know of the task it runs in, when it declares a parameter named `context`.

In: the facts of the task. Out: `Context` and `Cancellation`. Never here: dataclasses, logging or threading at import
time (10 ms together, paid by every pod).
"""

from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger


_TURN_SECONDS = 0.25
"""How long the lock is waited for at once: a signal that comes just before the wait interrupts nothing."""


class Cancellation:
    """Whether the task was told to stop. Set once, from a signal handler or a thread; never unset."""

    __slots__ = ("_closed", "_requested")

    def __init__(self) -> None:
        # A plain lock, held until cancelled: setting it from a signal handler cannot deadlock with a waiter, as a
        # threading.Event could (its own lock is not reentrant).
        self._closed = allocate_lock()
        self._closed.acquire()
        self._requested = False

    @property
    def requested(self) -> bool:
        """Whether the task was told to stop."""
        return self._requested

    def is_set(self) -> bool:
        """Return whether the task was told to stop, as `threading.Event` words it."""
        return self._requested

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Block until the task is told to stop, at most `timeout_seconds`; return whether it was."""
        left = timeout_seconds
        while not self._requested and (left is None or left > 0):
            turn = _TURN_SECONDS if left is None else min(left, _TURN_SECONDS)
            if self._closed.acquire(timeout=turn):
                self._closed.release()
            elif left is not None:
                left -= turn
        return self._requested

    def set(self) -> None:
        """Tell the task to stop. Repeating it changes nothing."""
        if not self._requested:
            self._requested = True
            self._closed.release()


class Context:
    """The facts of one task: read-only, and easy to make in a test of a handler (every argument has a default).

    run:             name of the run.
    step, action:    the step, and what is done for it: `run`, `compensate` or `undo`.
    attempt:         1, 2, 3 … of the retry policy.
    idempotency_key: hand it to the services you call; the same over attempts of this action.
    forward_key:     in compensate and undo: the key of the action they reverse.
    uncertain:       in compensate and undo: it is not known whether the action took effect.
    traceparent:     the task's place in the trace of its run, for the header of that name; empty where runs have none.
    cancellation:    set when the task is told to stop; look at `context.cancelled`, or wait for it.
    """

    __slots__ = (
        "_logger",
        "action",
        "attempt",
        "cancellation",
        "forward_key",
        "idempotency_key",
        "run",
        "step",
        "traceparent",
        "uncertain",
    )

    def __init__(
        self,
        *,
        run: str = "",
        step: str = "",
        action: str = "run",
        attempt: int = 1,
        idempotency_key: str = "",
        forward_key: str = "",
        traceparent: str = "",
        uncertain: bool = False,
        cancellation: Cancellation | None = None,
    ) -> None:
        self.run = run
        self.step = step
        self.action = action
        self.attempt = attempt
        self.idempotency_key = idempotency_key
        self.forward_key = forward_key
        self.traceparent = traceparent
        self.uncertain = uncertain
        self.cancellation = Cancellation() if cancellation is None else cancellation
        self._logger: Logger | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the task was told to stop."""
        return self.cancellation.requested

    @property
    def logger(self) -> "Logger":
        """A standard logger named after the step; it writes to stderr unless the handler configured logging itself."""
        if self._logger is None:
            self._logger = _open_logger(self.step)
        return self._logger


def _open_logger(step: str) -> "Logger":
    import logging

    logger = logging.getLogger(f"reactor.{step}" if step else "reactor")
    if not logger.hasHandlers():
        shown = logging.StreamHandler()
        shown.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        ours = logging.getLogger("reactor")
        ours.addHandler(shown)
        ours.setLevel(logging.INFO)
    return logger
