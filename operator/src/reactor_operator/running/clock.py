"""The wall clock, as `ports.Clock`.

In: nothing. Out: int milliseconds since the epoch. Never here: a duration (those are measured on the monotonic clock).
"""

import time


class WallClock:
    """Tells the time."""

    def now(self) -> int:
        """Return milliseconds since the epoch."""
        return time.time_ns() // 1_000_000
