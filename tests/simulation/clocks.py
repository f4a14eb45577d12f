"""The clock of one operator, which may be ahead of the world's or behind it: with the next operator time steps.

In: the virtual time. Out: what the operator takes for it. Never here: the time of pods and of people.
"""

from dataclasses import dataclass

from tests.simulation.connection import Connection

SKEWS_MS = (0, -4_000, -500, 500, 4_000)


@dataclass(frozen=True)
class SkewedClock:
    """Implements the clock of a reconciler."""

    connection: Connection
    skew_ms: int

    def now(self) -> int:
        """The virtual clock as the operator reads it."""
        return self.connection.now() + self.skew_ms
