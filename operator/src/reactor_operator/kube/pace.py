"""How often a server in trouble is asked: by all callers together, a bounded number of times a second.

In: how the last request went. Out: how long the next one is to wait. Never here: a wait, or a limit while all is well;
then the server's own priority and fairness is what limits.
"""

import time
from collections.abc import Callable

PER_SECOND = 20.0


class Pace:
    """Gives each request its turn. One answer, whatever it says, and there are no turns any more."""

    def __init__(self, per_second: float = PER_SECOND, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = 1.0 / per_second
        self._monotonic = monotonic
        self._in_trouble = False
        self._next = 0.0

    def failed(self) -> None:
        """The server did not answer, or answered 429 or 5xx."""
        self._in_trouble = True

    def answered(self) -> None:
        """The server answered."""
        self._in_trouble = False
        self._next = 0.0

    def take_turn(self, patience_seconds: float) -> float | None:
        """Return how long to wait for a turn; None, and none is taken, where that is longer than is patience for."""
        if not self._in_trouble:
            return 0.0
        now = self._monotonic()
        at = max(now, self._next)
        if at - now > patience_seconds:
            return None
        self._next = at + self._seconds
        return at - now
