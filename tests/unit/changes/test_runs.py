"""Runs as the watch tells them: which are reconciled, and what is told of their spec."""

from collections.abc import AsyncIterator

import pytest

from reactor_operator.engine.events import SpecChanged
from reactor_operator.ports import ReactorObject
from reactor_operator.store.codec import decode_event
from tests.unit.changes.followed import FINISHED, PATH, REF, Trial
from tests.unit.kube.api_server import Json


def a_reactor(name: str, **spec: object) -> ReactorObject:
    return ReactorObject(namespace="shop", name=name, uid=f"uid-{name}", generation=1, spec=spec)


class TestMarks:
    async def test_a_new_run_is_reconciled(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put())
            assert trial.queue.taken() == [REF]

    async def test_finished_runs_of_the_first_list_cost_nothing_unless_work_is_left(self, trial: Trial) -> None:
        for active, expected in ((frozenset[str](), []), (frozenset({"uid"}), [REF])):
            trial.active = active
            async with trial.following() as runs:
                await runs.changed(None, await trial.put(status=FINISHED))
                assert trial.queue.taken() == expected

    async def test_an_echo_of_our_own_write_is_no_change_and_a_forged_status_is(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put(status={"phase": "Running"}))
            trial.queue.taken()
            await runs.changed("MODIFIED", await trial.put(status={"phase": "Running"}))
            assert trial.queue.taken() == []
            await runs.changed("MODIFIED", await trial.put(status=FINISHED))
            assert trial.queue.taken() == [REF]

    async def test_a_run_that_is_gone_or_going_is_not_reconciled(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put())
            await runs.changed("DELETED", await trial.put())
            runs.mark(REF)
            assert trial.queue.taken() == []
            await runs.changed("ADDED", await trial.put(metadata={"deletionTimestamp": "2026-11-22T12:00:00Z"}))
            assert trial.queue.taken() == []

    async def test_a_reactor_that_comes_wakes_the_runs_that_wait_for_it(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put())
            trial.queue.taken()
            trial.turns.reactor_changed(a_reactor("another"))
            assert trial.queue.taken() == []
            trial.turns.reactor_changed(a_reactor("x"))
            assert trial.queue.taken() == [REF]

    async def test_the_inbox_wakes_known_runs_alone(self, trial: Trial) -> None:
        async def rings() -> AsyncIterator[str]:
            yield "unknown"
            yield "uid"

        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put())
            trial.queue.taken()
            await runs.follow_rings(rings())
            assert trial.queue.taken() == [REF]

    @pytest.mark.parametrize(
        "odd", [{}, {"metadata": None, "spec": 3, "status": []}, {"metadata": {"annotations": []}}]
    )
    async def test_odd_objects_stop_nothing(self, trial: Trial, odd: Json) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", odd)


class TestSuspend:
    async def test_a_request_stays_on_a_run_that_waits_to_start_and_is_taken_away_once_it_has(
        self, trial: Trial
    ) -> None:
        asked = {"annotations": {"reactor.run/suspend.1": "", "reactor.run/suspend.2": "false"}}
        answered = [{"id": name, "action": "suspend", "phase": "Accepted"} for name in "12"]
        async with trial.following() as runs:
            await runs.changed(
                "MODIFIED", await trial.put(metadata=asked, status={"phase": "Pending", "signals": answered})
            )
            assert trial.server.objects[PATH]["metadata"]["annotations"] == {"reactor.run/suspend.2": "false"}
            assert not runs._unsettled
            seen = await trial.put(metadata=asked, status={"phase": "Suspended", "signals": answered})
            await runs.changed("MODIFIED", seen)
        assert trial.server.objects[PATH]["metadata"]["annotations"] == {}

    async def told(self, trial: Trial) -> list[bool]:
        snapshot = await trial.store.load("uid")
        assert snapshot is not None
        events = [decode_event(body) for _, body in snapshot.inbox]
        return [event.suspended for event in events if isinstance(event, SpecChanged)]

    async def test_what_the_spec_says_is_told_once_and_what_it_takes_back_too(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            for generation, suspend in ((2, True), (2, True), (3, False), (3, False)):
                spec = {"reactorRef": {"name": "x"}, "suspend": suspend}
                await runs.changed("MODIFIED", await trial.put(metadata={"generation": generation}, spec=spec))
        assert await self.told(trial) == [True, False]

    async def test_a_run_that_never_says_so_is_told_nothing(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put(metadata={"generation": 1}))
        assert await self.told(trial) == []
