"""Whose turn it is: runs that wait are looked at when something changes for them, and never all of thousands."""

from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry

from reactor_operator.changes.history import Trimmer
from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.changes.siblings import Shelf, ToldRuns
from reactor_operator.changes.turns import AT_ONCE, Turns
from reactor_operator.kube.definitions import ClusterDefinitions
from reactor_operator.ports import ReactorObject, RunObject, RunRef
from reactor_operator.store.memory import MemoryStore
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.stores import FixedClock

X = ("shop", "x")


def a_run(name: str, phase: str = "Pending", *, created_at: int = 0, reactor: str = "x") -> RunObject:
    return RunObject(
        ref=RunRef("shop", name, f"uid-{name}"),
        generation=1,
        created_at=created_at,
        spec={"reactorRef": {"name": reactor}},
        annotations={},
        status={"phase": phase, "finishedAt": "2026-11-22T12:00:00Z"} if phase != "Running" else {"phase": phase},
    )


def a_reactor(**spec: object) -> ReactorObject:
    return ReactorObject(namespace="shop", name="x", uid="u", generation=1, spec=spec)


class Trial:
    def __init__(self) -> None:
        async def nothing(_: RunRef) -> None:
            return None

        client = ApiServer().client()
        self.told = ToldRuns()
        self.queue = ReconcileQueue(nothing, FixedClock(0), ChangeMetrics(CollectorRegistry()))
        self.client = client
        trimmer = Trimmer(client, ClusterDefinitions(client), MemoryStore(), self.told)
        self.turns = Turns(self.queue, self.told, trimmer)

    def taken(self) -> list[str]:
        marked, self.queue._dirty = [ref.name for ref in self.queue._dirty], {}
        return marked

    def note(self, *runs: RunObject) -> None:
        for run in runs:
            self.turns.note(run)

    def all_told(self, refs: Iterable[RunRef] = ()) -> None:
        self.turns.expect(refs)
        self.taken()


@pytest.fixture
async def trial() -> object:
    found = Trial()
    yield found
    await found.client.close()


async def test_an_end_brings_on_the_few_that_come_next_oldest_first(trial: Trial) -> None:
    trial.all_told()
    trial.note(a_run("runs", "Running"), *(a_run(f"q{n}", created_at=9 - n) for n in range(9)))
    trial.note(a_run("other", reactor="y"))
    assert trial.taken() == []
    trial.note(a_run("runs", "Succeeded"))
    assert trial.taken() == ["q8", "q7", "q6", "q5"][:AT_ONCE]
    trial.note(a_run("runs", "Succeeded"))
    assert trial.taken() == []


async def test_one_that_starts_or_goes_brings_on_those_behind_it(trial: Trial) -> None:
    trial.all_told()
    trial.note(a_run("q1", created_at=1), a_run("q2", created_at=2), a_run("q3", created_at=3))
    trial.note(a_run("q1", "Running", created_at=1))
    assert trial.taken() == ["q2", "q3"]
    trial.turns.drop(a_run("q2").ref)
    assert trial.taken() == ["q3"]


async def test_a_finished_run_that_goes_changes_nothing_for_others(trial: Trial) -> None:
    trial.all_told()
    trial.note(a_run("old", "Failed"), a_run("q1"))
    trial.taken()
    trial.turns.drop(a_run("old").ref)
    assert trial.taken() == []


async def test_a_reactor_without_a_limit_wakes_all_that_wait_and_a_limited_one_as_many_as_may_start(
    trial: Trial,
) -> None:
    trial.all_told()
    trial.note(*(a_run(f"q{n:02}", created_at=n) for n in range(50)))
    trial.turns.reactor_changed(a_reactor())
    assert len(trial.taken()) == 50
    trial.turns.reactor_changed(a_reactor(maxActiveRuns=10))
    assert trial.taken() == [f"q{n:02}" for n in range(10 + AT_ONCE)]


async def test_siblings_are_told_of_once_all_that_a_list_showed_were_told(trial: Trial) -> None:
    runs = [a_run(f"q{n}", created_at=n) for n in range(3)]
    trial.note(runs[0])
    assert trial.told.unfinished(*X) is None
    trial.turns.expect([run.ref for run in runs])
    trial.note(runs[1])
    assert trial.told.unfinished(*X) is None
    assert trial.taken() == []
    trial.turns.drop(runs[2].ref)
    assert trial.taken() == ["q0", "q1"]
    assert [run.ref.name for run in trial.told.unfinished(*X) or ()] == ["q0", "q1"]
    trial.turns.expect([a_run("later").ref])
    assert trial.told.unfinished(*X) is not None


async def test_one_that_was_deleted_before_the_list_was_read_is_not_waited_for(trial: Trial) -> None:
    trial.turns.drop(a_run("q0").ref)
    trial.turns.expect([a_run("q0").ref])
    assert trial.told.unfinished(*X) == []


async def test_a_run_that_was_told_as_ended_is_a_sibling_only_for_who_asks_for_it(trial: Trial) -> None:
    ended, other, waiting = a_run("e", phase="Succeeded"), a_run("o", phase="Failed"), a_run("w")
    for run in (ended, other, waiting):
        trial.note(run)
    trial.turns.expect([])
    assert [run.ref for run in trial.told.unfinished(*X) or ()] == [waiting.ref]
    asked = {ended.ref.uid, "somebody else's"}
    assert [run.ref for run in trial.told.unfinished(*X, asked) or ()] == [waiting.ref, ended.ref]
    assert trial.told.unfinished("shop", "another", asked) == []


async def test_finished_runs_are_counted_by_how_they_ended(trial: Trial) -> None:
    for phase in ("Succeeded", "Halted", "Failed", "Cancelled", "Undone", "Running", "Pending", "Suspended"):
        trial.note(a_run(phase.lower(), phase))
    assert (trial.told.count(X, Shelf.SUCCEEDED), trial.told.count(X, Shelf.FAILED)) == (2, 3)
