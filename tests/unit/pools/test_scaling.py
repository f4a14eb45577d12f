"""How many workers a pool is to have: the table of docs/pools.md."""

import pytest

from reactor_operator.api.pool import PoolSpec
from reactor_operator.pools.scaling import STABLE_MS, ScaleMemory, desired_replicas
from reactor_operator.store.port import Depth

SPEC = PoolSpec.model_validate({"minReplicas": 1, "maxReplicas": 10, "concurrency": 2})
TO_ZERO = PoolSpec.model_validate({"minReplicas": 0, "maxReplicas": 10, "concurrency": 2})


def depth(queued: int = 0, leased: int = 0, oldest_ms: int = 0) -> Depth:
    return Depth(queued=queued, leased=leased, oldest_ms=oldest_ms)


def at_rest(
    spec: PoolSpec, current: int, found: Depth, *, ready: int | None = None, memory: ScaleMemory | None = None
) -> int:
    """Scale a pool of which nothing more was needed for long."""
    remembered = memory or ScaleMemory(((0, 0),))
    return desired_replicas(spec, current, found, current if ready is None else ready, STABLE_MS, remembered).replicas


@pytest.mark.parametrize(
    ("current", "found", "replicas"),
    [
        (1, depth(), 1),
        (3, depth(), 1),
        (1, depth(queued=4), 1),
        (1, depth(queued=5), 2),
        (1, depth(queued=2, leased=3), 2),
        (1, depth(queued=1000), 10),
        (1, depth(queued=4, oldest_ms=5_000), 1),
        (1, depth(queued=4, oldest_ms=5_001), 2),
        (5, depth(leased=6), 3),
        (2, depth(leased=9), 3),
        (20, depth(leased=60), 10),
    ],
)
def test_two_tasks_for_each_process_and_one_where_the_oldest_waits_too_long(
    current: int, found: Depth, replicas: int
) -> None:
    assert at_rest(SPEC, current, found) == replicas


def test_workers_that_are_still_coming_are_waited_for_before_more_are_made() -> None:
    late = depth(queued=8, oldest_ms=9_000)
    assert at_rest(SPEC, 2, late, ready=1) == 2
    assert at_rest(SPEC, 2, late, ready=2) == 4


def test_an_idle_pool_may_go_to_zero_and_comes_back_for_one_task() -> None:
    assert at_rest(TO_ZERO, 3, depth()) == 0
    assert at_rest(TO_ZERO, 0, depth(queued=1)) == 1


def test_fewer_only_after_a_minute_of_lower_need() -> None:
    memory, current, taken = ScaleMemory(), 1, {}
    for second, found in [(0, depth(queued=40)), (10, depth(queued=20)), (59, depth()), (60, depth()), (70, depth())]:
        scaled = desired_replicas(SPEC, current, found, current, second * 1000, memory)
        memory, current = scaled.memory, scaled.replicas
        taken[second] = current
    assert taken == {0: 10, 10: 10, 59: 10, 60: 5, 70: 1}


def test_a_pool_that_is_met_for_the_first_time_keeps_what_it_has_for_a_minute() -> None:
    first = desired_replicas(SPEC, 6, depth(), 6, 1_000, ScaleMemory())
    assert first.replicas == 6
    later = desired_replicas(SPEC, 6, depth(), 6, 1_000 + STABLE_MS, first.memory)
    assert later.replicas == 1


def test_bounds_that_were_lowered_win_over_what_was_needed() -> None:
    assert at_rest(SPEC, 30, depth(queued=500, leased=500), memory=ScaleMemory(((STABLE_MS - 1, 30),))) == 10
