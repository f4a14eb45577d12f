"""A teller that has nobody to tell: of tests, and of whoever runs sagas without the world outside.

In: what the reconciler hands over. Out: nothing.
"""

from collections.abc import Sequence

from reactor_operator.engine.actions import Notify
from reactor_operator.engine.facts import Fact
from reactor_operator.ports import About


class Mute:
    """Implements `ports.Teller`. What is to be sent stays in the outbox."""

    @property
    def observed(self) -> bool:
        """Nobody wants to know."""
        return False

    def tell(self, about: About, facts: Sequence[Fact]) -> None:
        """Tell nobody."""

    def offer(self, about: About, notices: Sequence[Notify]) -> None:
        """Send nothing."""

    def distrust(self) -> None:
        """Nothing was reported."""

    def forget(self, uid: str) -> None:
        """Nothing was kept."""
