"""Rates: nobody is let through more often than they may be, and everybody who waits as long as they are told."""

from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.gateway.rates import TokenBuckets


class Watch:
    """A monotonic clock that is moved by hand."""

    time = 0.0

    def __call__(self) -> float:
        return self.time


@given(st.integers(1, 20), st.integers(1, 50), st.lists(st.floats(0, 3), max_size=100))
def test_in_any_stretch_of_time_no_more_pass_than_the_burst_and_what_the_rate_gives(
    per_second: int, burst: int, pauses: list[float]
) -> None:
    watch = Watch()
    buckets = TokenBuckets(per_second, burst, watch)
    passed = []
    for pause in pauses:
        watch.time += pause
        if not buckets.take("one"):
            passed.append(watch.time)
    for first, since in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + per_second * (passed[last] - since) + 1e-6


def test_who_waits_as_long_as_they_are_told_is_let_through() -> None:
    watch = Watch()
    buckets = TokenBuckets(0.5, 2, watch)
    assert [buckets.take("one"), buckets.take("one")] == [0.0, 0.0]
    assert buckets.take("one") == 2.0
    watch.time += 1.0
    assert buckets.take("one") == 1.0
    watch.time += 1.0
    assert buckets.take("one") == 0.0


def test_one_does_not_use_up_what_another_may() -> None:
    buckets = TokenBuckets(1, 1, Watch())
    assert [buckets.take("one"), buckets.take("other")] == [0.0, 0.0]
    assert buckets.take("one") > 0
