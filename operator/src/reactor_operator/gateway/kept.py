"""Answers of somebody else that are kept for a while, the newest of them.

In: a question, its answer. Out: the answer, as long as it is fresh. Never here: who is asked.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_KEPT_AT_MOST = 1_024
V = TypeVar("V")


class Kept(Generic[V]):
    """The newest answers, each for `seconds`."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._answers: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        """Tell whether there is an answer, however old."""
        return key in self._answers

    def get(self, key: Hashable) -> V | None:
        """Return what was answered, None where nothing is kept."""
        found = self._answers.get(key)
        return found[1] if found is not None and self._now() < found[0] else None

    def keep(self, key: Hashable, answer: V) -> None:
        """Keep an answer."""
        self._answers.pop(key, None)
        self._answers[key] = (self._now() + self._seconds, answer)
        if len(self._answers) > _KEPT_AT_MOST:
            self._answers.popitem(last=False)
