"""The rule by which pools are scaled, over any history of their queue."""

from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.api.pool import PoolSpec
from reactor_operator.pools.scaling import STABLE_MS, ScaleMemory, desired_replicas
from reactor_operator.store.port import Depth

DEPTHS = st.builds(Depth, queued=st.integers(0, 500), leased=st.integers(0, 200), oldest_ms=st.integers(0, 20_000))
LOOKS = st.lists(st.tuples(st.integers(0, 30_000), DEPTHS, st.floats(0, 1)), min_size=1, max_size=40)


@st.composite
def specs(draw: st.DrawFn) -> PoolSpec:
    lowest = draw(st.integers(0, 20))
    highest = draw(st.integers(max(lowest, 1), 40))
    concurrency = draw(st.integers(1, 64))
    return PoolSpec.model_validate({"minReplicas": lowest, "maxReplicas": highest, "concurrency": concurrency})


def needed(spec: PoolSpec, depth: Depth) -> int:
    """Return what the tasks need at least, within the bounds: two for each process."""
    lowest, highest = spec.min_replicas, spec.max_replicas
    assert lowest is not None
    assert highest is not None
    return max(lowest, min(highest, -(-(depth.queued + depth.leased) // (2 * spec.concurrency))))


@given(spec=specs(), start=st.integers(0, 60), looks=LOOKS)
def test_it_stays_within_its_bounds_grows_at_once_and_shrinks_after_a_minute_of_less(
    spec: PoolSpec, start: int, looks: list[tuple[int, Depth, float]]
) -> None:
    assert spec.min_replicas is not None
    assert spec.max_replicas is not None
    now, current, memory = 0, start, ScaleMemory()
    history: list[tuple[int, int]] = []
    for pause, depth, part_ready in looks:
        now += pause
        scaled = desired_replicas(spec, current, depth, int(current * part_ready), now, memory)
        history.append((now, needed(spec, depth)))
        assert spec.min_replicas <= scaled.replicas <= spec.max_replicas
        assert scaled.replicas >= needed(spec, depth), "grows at once"
        busy = -(-depth.leased // spec.concurrency)
        assert scaled.replicas >= min(current, busy, spec.max_replicas), "never below what leased tasks keep busy"
        lately = max(number for at, number in history if now - at < STABLE_MS)
        assert scaled.replicas >= min(current, lately, spec.max_replicas), "no less than the last minute needed"
        if now < STABLE_MS + looks[0][0]:
            assert scaled.replicas >= min(current, spec.max_replicas), "nothing goes in the first minute"
        current, memory = scaled.replicas, scaled.memory
        assert len(memory.wanted) <= len(history) + 1


@given(spec=specs(), start=st.integers(0, 60), depth=DEPTHS)
def test_a_queue_that_stays_as_it_is_comes_to_rest(spec: PoolSpec, start: int, depth: Depth) -> None:
    current, memory, seen = start, ScaleMemory(), []
    for second in range(0, 400, 10):
        scaled = desired_replicas(spec, current, depth, current, second * 1000, memory)
        current, memory = scaled.replicas, scaled.memory
        seen.append(current)
    assert len(set(seen[-10:])) == 1
    assert len(memory.wanted) <= 61


@given(replicas=st.integers(0, 100), depth=DEPTHS, bound=st.sampled_from(["minReplicas", "maxReplicas", ""]))
def test_without_both_bounds_it_is_what_replicas_says(replicas: int, depth: Depth, bound: str) -> None:
    spec = PoolSpec.model_validate({"replicas": replicas, **({bound: 3} if bound else {})})
    assert desired_replicas(spec, 7, depth, 7, 0, ScaleMemory()).replicas == replicas
