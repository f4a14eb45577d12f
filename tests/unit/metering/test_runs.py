"""What runs do is counted by reactor, once it is committed, and once."""

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.identity import Action, Task
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit, Entry, StoreUnavailable
from tests.unit.metering.counted import FAILING, UNDONE, Counted
from tests.unit.reconciling.conftest import REF, RUN

UNREADABLE = ev.RequestUnreadable(id="3", action="whatever-comes-to-mind", reason="there is no such request")


async def test_a_run_is_counted_when_it_starts_and_ends_with_how_long_it_took_and_how_it_ended() -> None:
    world = await Counted().after(0)
    assert world.says("reactor_runs_started_total") == 1
    assert world.says("reactor_run_seconds_count", phase="Succeeded") is None
    await world.did("a")
    await world.after(2_000)
    await world.did("b")
    await world.after(3_000)
    assert world.says("reactor_run_seconds_count", phase="Succeeded") == 1
    assert world.says("reactor_run_seconds_sum", phase="Succeeded") == 5
    assert world.says("reactor_runs_started_total") == 1


async def test_a_step_takes_from_its_first_launch_to_its_end_whatever_its_attempts() -> None:
    world = await Counted([{"name": "a", "run": RUN, "retries": {"maxAttempts": 2, "baseDelay": "1s"}}]).after(0)
    await world.after(1_000)
    await world.began("a")
    await world.after(500)
    await world.did_not("a", again=True)
    await world.after(500)
    assert world.says("reactor_step_seconds_count", outcome="Failed") is None
    await world.after(1_000)
    await world.did("a", attempt=2)
    await world.after(4_000)
    assert world.says("reactor_step_seconds_count", outcome="Succeeded") == 1
    assert world.says("reactor_step_seconds_sum", outcome="Succeeded") == 7
    assert world.says("reactor_step_start_seconds_count") == 1
    assert world.says("reactor_step_start_seconds_sum") == 1
    assert world.says("reactor_tasks_launched_total", action="run") == 2
    assert world.says("reactor_task_retries_total", reason="failed") == 1


async def test_a_lost_task_that_is_replaced_is_a_retry_of_its_own_kind() -> None:
    world = await Counted().after(0)
    await world.tell(ev.TaskLost(task=Task("a", Action.RUN, 1, 1, 1), message="the node is gone"))
    await world.after(0)
    assert world.says("reactor_task_retries_total", reason="lost") == 1
    assert world.says("reactor_task_retries_total", reason="failed") is None


async def test_a_step_that_was_never_launched_has_taken_no_time() -> None:
    world = await Counted(FAILING).after(0)
    await world.did_not("a")
    await world.after(1_000)
    assert world.says("reactor_step_seconds_count", outcome="Failed") == 1
    assert sum(value for (_, value) in all_counts(world, "reactor_step_seconds_count")) == 1


async def test_steps_that_are_reversed_and_those_that_could_not_be_are_counted_and_the_rollback_with_them() -> None:
    world = await Counted(
        [UNDONE, {**UNDONE, "name": "b", "waitFor": ["a"]}, {"name": "c", "run": RUN, "waitFor": ["b"]}]
    ).after(0)
    for step in ("a", "b"):
        await world.did(step)
        await world.after(0)
    await world.did_not("c")
    await world.after(0)
    await world.did_not("b", Action.UNDO)
    await world.after(0)
    assert world.says("reactor_reversals_total", result="failed") == 1
    await world.did("a", Action.UNDO)
    await world.after(0)
    assert world.says("reactor_reversals_total", result="reversed") == 1
    assert world.says("reactor_rollbacks_total", result="Incomplete") == 1
    assert all_counts(world, "reactor_rollbacks_total") == [
        ({"namespace": "shop", "reactor": "x", "result": "Incomplete"}, 1)
    ]
    assert world.says("reactor_tasks_launched_total", action="undo") == 2
    assert world.says("reactor_run_seconds_count", phase="Failed") == 1


async def test_a_complete_rollback_is_one() -> None:
    world = await Counted(FAILING).after(0)
    await world.did("a")
    await world.after(0)
    await world.did_not("b")
    await world.after(0)
    await world.did("a", Action.UNDO)
    await world.after(0)
    assert world.says("reactor_rollbacks_total", result="Complete") == 1
    assert world.says("reactor_rollbacks_total", result="Incomplete") == 0


async def test_requests_are_counted_by_what_they_ask_and_by_their_answer_and_each_once() -> None:
    world = await Counted().after(0)
    await world.ask("retry")
    await world.after(0)
    await world.ask("cancel", "2")
    await world.after(0)
    await world.ask("cancel", "2")
    await world.store.append(Entry(run=REF.uid, digest="3", body=encode_event(UNREADABLE)))
    await world.did("a")
    await world.after(0)
    assert world.says("reactor_signals_total", action="retry", answer="refused") == 1
    assert world.says("reactor_signals_total", action="cancel", answer="accepted") == 1
    assert world.says("reactor_signals_total", action="other", answer="refused") == 1
    assert len(all_counts(world, "reactor_signals_total")) == 3


async def test_elements_of_maps_are_counted_by_their_map_and_are_no_steps() -> None:
    rows = {"name": "rows", "map": {"source": {"value": [1, 2, 3]}, "run": RUN, "failFast": False}}
    world = Counted([rows])
    world.source = [1, 2, 3]
    await world.after(0)
    await world.did("rows[0]")
    await world.did("rows[1]")
    await world.did_not("rows[2]")
    await world.after(0)
    assert world.says("reactor_map_elements_total", outcome="Succeeded") == 2
    assert world.says("reactor_map_elements_total", outcome="Failed") == 1
    assert world.says("reactor_tasks_launched_total", action="run") == 3
    assert all_counts(world, "reactor_step_seconds_count") == []


async def test_what_is_to_alarm_somebody_is_there_at_zero_as_soon_as_its_reactor_is_met() -> None:
    world = await Counted().after(0)
    assert world.says("reactor_reversals_total", result="failed") == 0
    assert world.says("reactor_rollbacks_total", result="Incomplete") == 0
    assert world.says("reactor_notifications_total", result="dead") == 0


class TestNothingIsCountedTwice:
    async def test_a_commit_that_is_refused_and_decided_anew_counts_once(self) -> None:
        world = await Counted().after(0)
        await world.did("a")
        world.store.__class__ = TakesNoCommit
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await world.after(0)
        assert world.says("reactor_step_seconds_count", outcome="Succeeded") is None
        world.store.__class__ = MemoryStore
        await world.after(0)
        assert world.says("reactor_step_seconds_count", outcome="Succeeded") == 1
        assert world.says("reactor_tasks_launched_total", action="run") == 2

    async def test_a_commit_whose_answer_is_lost_is_not_counted_and_neither_is_what_is_found_of_it(self) -> None:
        world = await Counted().after(0)
        await world.did("a")
        world.store.__class__ = LosesAnswers
        with pytest.raises(StoreUnavailable):
            await world.after(0)
        world.store.__class__ = MemoryStore
        await world.after(0)
        await world.did("b")
        await world.after(0)
        assert world.says("reactor_step_seconds_count", outcome="Succeeded") == 1
        assert world.says("reactor_run_seconds_count", phase="Succeeded") == 1

    async def test_an_operator_that_takes_over_counts_what_it_commits_itself(self) -> None:
        first = await Counted().after(0)
        await first.did("a")
        await first.after(1_000)
        second = first.replaced()
        await second.store.claim_epoch(1)
        await second.did("b")
        await second.after(1_000)
        assert first.says("reactor_runs_started_total") == 1
        assert second.says("reactor_runs_started_total") is None
        assert first.says("reactor_run_seconds_count", phase="Succeeded") is None
        assert second.says("reactor_run_seconds_sum", phase="Succeeded") == 2
        done = [world.says("reactor_step_seconds_count", outcome="Succeeded") for world in (first, second)]
        assert done == [1, 1]

    async def test_a_step_that_another_process_launched_counts_from_when_it_began(self) -> None:
        first = await Counted().after(0)
        await first.after(5_000)
        await first.began("a")
        await first.after(0)
        second = first.replaced()
        await second.store.claim_epoch(1)
        await second.did("a")
        await second.after(3_000)
        assert second.says("reactor_step_seconds_sum", outcome="Succeeded") == 3
        assert second.says("reactor_step_start_seconds_count") is None


class TestLatency:
    async def test_it_is_from_the_news_to_the_commit_that_takes_in_an_outcome_and_to_each_launch(self) -> None:
        world = Counted()
        world.metrics.told_at = lambda ref: 0.0 if ref == REF else None
        await world.after(0)
        assert latency_counts(world) == (0, 1)  # nothing was told of a task yet, and the first one was launched
        await world.began("a")
        await world.after(0)
        assert latency_counts(world) == (0, 1)
        await world.did("a")
        await world.after(0)
        assert latency_counts(world) == (1, 2)

    async def test_where_nobody_was_told_there_is_none(self) -> None:
        world = await Counted().after(0)
        await world.did("a")
        await world.after(0)
        assert latency_counts(world) == (0, 0)


def latency_counts(world: Counted) -> tuple[float | None, ...]:
    return tuple(
        world.registry.get_sample_value("reactor_operator_latency_seconds_count", {"stage": stage})
        for stage in ("commit", "launch")
    )


def all_counts(world: Counted, name: str) -> list[tuple[dict[str, str], float]]:
    """Return all samples of a name that were ever counted."""
    samples = (sample for family in world.registry.collect() for sample in family.samples if sample.name == name)
    return [(sample.labels, sample.value) for sample in samples if sample.value]


class TakesNoCommit(MemoryStore):
    """Can be read and written to by tasks, and refuses every commit."""

    async def commit(self, commit: Commit) -> int:
        raise StoreUnavailable("away")


class LosesAnswers(MemoryStore):
    """Applies each commit and does not say so."""

    async def commit(self, commit: Commit) -> int:
        await super().commit(commit)
        raise StoreUnavailable("the connection broke")
