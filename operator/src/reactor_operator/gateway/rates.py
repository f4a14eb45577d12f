"""How often somebody may ask: a bucket of tokens each, which fills again with time.

In: a name, the monotonic clock. Out: for how long to wait, 0 where it may be now. Never here: what is asked.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

_BUCKETS = 4_096


class TokenBuckets:
    """Lets each name through `per_second` times in a second, and at most `burst` times at once.

    The names that asked last are remembered; one that is forgotten starts anew, with a full bucket.
    """

    def __init__(self, per_second: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._now = now
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, name: Hashable) -> float:
        """Take a token, and return 0; where there is none, return after how many seconds there will be."""
        now = self._now()
        tokens, since = self._buckets.pop(name, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._buckets[name] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > _BUCKETS:
            self._buckets.popitem(last=False)
        return wait
