"""`history`: the oldest finished runs beyond it go, cheaply, and nothing else does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from reactor_operator.changes.history import AT_ONCE, Trimmer
from reactor_operator.changes.siblings import ToldRuns
from reactor_operator.engine.actions import Notify
from reactor_operator.engine.facts import Fact, FactKind
from reactor_operator.engine.plan import Endpoint
from reactor_operator.engine.state import Header, RunPhase, Stage
from reactor_operator.kube.definitions import ClusterDefinitions, parse_reactor, parse_run
from reactor_operator.kube.moments import render_moment
from reactor_operator.kube.paths import REACTOR, REACTOR_RUN
from reactor_operator.store.codec import encode_action, encode_header
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit
from tests.unit.kube.api_server import ApiServer, Json

X = ("shop", "x")
START_MS = 1_795_348_800_000


class Trial:
    """A reactor, its runs, and what keeps their number."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.store = MemoryStore()
        self.told = ToldRuns()

    @asynccontextmanager
    async def trimming(self, history: Json | None = None) -> AsyncIterator[Trimmer]:
        async with self.server.client(timeout_seconds=2.0) as client:
            trimmer = Trimmer(client, ClusterDefinitions(client), self.store, self.told)
            spec = {"history": history} if history is not None else {}
            trimmer.reactor_changed(parse_reactor(await self.server.put(REACTOR.object(*X), {"spec": spec})))
            self.server.requests.clear()
            yield trimmer

    async def add(self, name: str, phase: str = "Succeeded", *, ended: int = 0, reactor: str = "x") -> None:
        """Put a run that ended so many seconds after the start, and tell of it."""
        status = {"phase": phase, "finishedAt": render_moment(START_MS + ended * 1000)}
        body = {"metadata": {"uid": f"uid-{name}"}, "spec": {"reactorRef": {"name": reactor}}, "status": status}
        self.told.put(parse_run(await self.server.put(REACTOR_RUN.object("shop", name), body)))

    def left(self) -> set[str]:
        return {path.rpartition("/")[2] for path in self.server.objects if "/reactorruns/" in path}


@pytest_asyncio.fixture
async def trial(server: ApiServer) -> Trial:
    return Trial(server)


async def test_the_oldest_beyond_the_number_go_each_kind_by_itself(trial: Trial) -> None:
    for number, phase in enumerate(("Succeeded", "Halted", "Succeeded", "Failed", "Cancelled", "Undone")):
        await trial.add(f"r{number}", phase, ended=10 - number)
    async with trial.trimming({"succeeded": 1, "failed": 2}) as trimmer:
        assert await trimmer.trim(X)
    assert trial.left() == {"r0", "r3", "r4"}


async def test_unset_a_hundred_of_each_are_kept_and_none_where_it_says_so(trial: Trial) -> None:
    for number in range(102):
        await trial.add(f"r{number:03}", ended=number)
    async with trial.trimming() as trimmer:
        await trimmer.trim(X)
    assert len(trial.left()) == 100
    assert "r001" not in trial.left()
    async with trial.trimming({"succeeded": 0}) as trimmer:
        await trimmer.trim(X)
    assert trial.left() == set()


async def test_runs_of_others_and_those_that_go_on_stay(trial: Trial) -> None:
    await trial.add("other", reactor="y")
    await trial.add("running", "Running")
    async with trial.trimming({"succeeded": 0, "failed": 0}) as trimmer:
        await trimmer.trim(X)
    assert trial.left() == {"other", "running"}


async def test_a_run_that_only_claims_to_be_finished_stays_and_stops_no_other(trial: Trial) -> None:
    await trial.add("forged", ended=0)
    await trial.add("real", ended=1)
    await trial.store.commit(Commit(run="uid-forged", revision=0, epoch=1))
    async with trial.trimming({"succeeded": 0}) as trimmer:
        assert not await trimmer.trim(X)
    assert trial.left() == {"forged"}


async def test_another_run_of_the_same_name_stays(trial: Trial) -> None:
    await trial.add("r")
    path = REACTOR_RUN.object("shop", "r")
    await trial.server.put(path, {**trial.server.objects[path], "metadata": {"uid": "another"}})
    async with trial.trimming({"succeeded": 0}) as trimmer:
        assert await trimmer.trim(X)
    assert trial.left() == {"r"}


async def test_one_that_is_refused_stops_no_other_and_is_tried_again(trial: Trial) -> None:
    for number in range(3):
        await trial.add(f"r{number}", ended=number)
    async with trial.trimming({"succeeded": 0}) as trimmer:
        reactor, first = (
            trial.server.objects[REACTOR.object(*X)],
            trial.server.objects[REACTOR_RUN.object("shop", "r0")],
        )
        trial.server.script = [(200, reactor, {}), (200, first, {}), (403, {"message": "no role here"}, {})]
        assert not await trimmer.trim(X)
        assert trial.left() == {"r0"}
        assert await trimmer.trim(X)
    assert trial.left() == set()


async def test_runs_of_a_reactor_that_is_gone_are_left_alone_also_where_its_end_was_not_told(trial: Trial) -> None:
    await trial.add("r")
    async with trial.trimming({"succeeded": 0}) as trimmer:
        del trial.server.objects[REACTOR.object(*X)]
        assert await trimmer.trim(X)
        trimmer._full.clear()
        trimmer.ended(X)
        assert not trimmer._full
    assert trial.left() == {"r"}


async def test_what_the_reactor_says_by_now_counts_and_nonsense_deletes_nothing(trial: Trial) -> None:
    await trial.add("r")
    async with trial.trimming({"succeeded": 0}) as trimmer:
        for spec in ({"history": {"succeeded": 1}}, {"history": {"succeeded": -1}}, {"history": 3}, {}):
            await trial.server.put(REACTOR.object(*X), {"spec": spec})
            assert await trimmer.trim(X)
    assert trial.left() == {"r"}


async def test_an_endpoint_that_is_still_to_be_told_holds_no_run(trial: Trial) -> None:
    for number, stage in enumerate((Stage.OVER, Stage.FORWARD)):
        await trial.add(f"r{number}", ended=number)
        fact = Fact(sequence=1, kind=FactKind.RUN_STARTED, at=0, phase=RunPhase.RUNNING)
        notice = Notify(notification="audit", fact=fact, endpoint=Endpoint(url="http://hangs"))
        commit = Commit(
            run=f"uid-r{number}",
            revision=0,
            epoch=1,
            records={"header": encode_header(Header(stage=stage))},
            actions={"notify/audit/1": encode_action(notice)},
            active=stage is not Stage.OVER,
        )
        await trial.store.commit(commit)
    async with trial.trimming({"succeeded": 0}) as trimmer:
        assert not await trimmer.trim(X)
    assert trial.left() == {"r1"}


async def test_an_end_within_the_number_costs_no_request_and_one_beyond_it_no_list(trial: Trial) -> None:
    for number in range(10_000):
        status = {"phase": "Succeeded", "finishedAt": render_moment(START_MS + number)}
        metadata = {"name": f"r{number}", "namespace": "shop", "uid": f"uid-r{number}"}
        spec = {"reactorRef": {"name": "x"}}
        trial.told.put(parse_run({"metadata": metadata, "spec": spec, "status": status}))
    async with trial.trimming({"succeeded": 10_001}) as trimmer:
        await trial.add("new", ended=1_000)
        trial.server.requests.clear()
        trimmer.ended(X)
        assert not trimmer._full
        await trial.server.put(REACTOR.object(*X), {"spec": {"history": {"succeeded": 10_000}}})
        assert await trimmer.trim(X)
    assert [(method, path.rpartition("/")[2]) for method, path, _ in trial.server.requests] == [
        ("GET", "x"),
        ("GET", "r0"),
    ]


async def test_many_go_bit_by_bit_without_being_asked_again(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reactor_operator.changes.history._PAUSE_SECONDS", 0.0)
    for number in range(AT_ONCE + 5):
        await trial.add(f"r{number:03}", ended=number)
    async with trial.trimming({"succeeded": 2}) as trimmer:
        running = asyncio.create_task(trimmer.run())
        await trial.server.wait_until(lambda: len(trial.left()) == 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert trial.left() == {f"r{AT_ONCE + 3:03}", f"r{AT_ONCE + 4:03}"}
