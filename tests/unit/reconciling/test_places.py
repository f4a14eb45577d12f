"""`maxActiveRuns` and `onLimit`: who may start, who waits for whom, and what is told to people."""

import asyncio
import copy
from collections.abc import Mapping, Sequence, Set
from typing import Any

import pytest

from reactor_operator.api.reactor import Step
from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import ENDED
from reactor_operator.evaluation.environment import Environment
from reactor_operator.ports import Evaluated, ReactorObject, Rendering, RunObject, RunRef, ToldRun
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit, Entry, StoreUnavailable
from tests.unit.reconciling.conftest import RUN, World

STEPS = [{"name": "a", "run": RUN}]
T0 = 1_800_000_000_000
_ENDED = {phase.value for phase in ENDED}


class Shop(World):
    """A reactor with a limit and several runs, r1 the oldest. `hidden` runs are not told by the watch."""

    def __init__(self, runs: int = 3, store: MemoryStore | None = None, epoch: int = 1, **spec: Any) -> None:
        super().__init__(store, epoch)
        self.clock.time = T0 + 10_000
        self.spec: dict[str, Any] | None = {"steps": STEPS, "maxActiveRuns": 1, **spec}
        self.runs: dict[str, RunObject] = {}
        self.hidden: set[str] | None = set()
        self.broken: set[str] = set()
        for number in range(1, runs + 1):
            self.add(f"r{number}", created_at=number * 1_000)

    def add(self, name: str, created_at: int, **inputs: object) -> None:
        """Apply a run, `created_at` after T0 (int ms)."""
        spec = {"reactorRef": {"name": "x"}, "inputs": inputs}
        ref = RunRef("shop", name, f"uid-{name}")
        self.runs[name] = RunObject(
            ref=ref, generation=1, created_at=T0 + created_at, spec=spec, annotations={}, status={}
        )

    def restart(self) -> "Shop":
        """Return the same world with another operator in it."""
        other = Shop(0, self.store, epoch=2)
        other.spec, other.runs, other.clock.time = self.spec, self.runs, self.clock.time
        return other

    async def look(self, *names: str) -> int | None:
        """Reconcile runs one after the other and return when the last one is to be looked at again."""
        again = None
        for name in names or tuple(self.runs):
            again = await self.reconciler.reconcile(self.runs[name].ref)
        return again

    async def end(self, name: str) -> None:
        """Let the run's only task succeed."""
        task = Task("a", Action.RUN, 1, 1, 1)
        body = encode_event(ev.TaskSucceeded(task=task))
        await self.store.append(Entry(run=f"uid-{name}", task=task.key, final=True, digest=name, body=body))
        await self.look(name)

    def phases(self) -> dict[str, str]:
        return {name: str(run.status.get("phase")) for name, run in self.runs.items()}

    def told(self, name: str) -> str:
        return str(self.runs[name].status["message"])

    def unfinished(self, namespace: str, reactor: str, also: Set[str] = frozenset()) -> Sequence[ToldRun] | None:
        if self.hidden is None:
            return None
        return [
            ToldRun(ref=run.ref, reactor="x", created_at=run.created_at, phase=str(run.status.get("phase", "")))
            for name, run in self.runs.items()
            if (run.status.get("phase") not in _ENDED or run.ref.uid in also) and name not in self.hidden
        ]

    async def get_run(self, ref: RunRef) -> RunObject | None:
        return self.runs.get(ref.name)

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        if self.spec is None:
            return None
        return ReactorObject(namespace=namespace, name=name, uid="reactor-uid", generation=1, spec=self.spec)

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        run = self.runs[ref.name]
        self.runs[ref.name] = RunObject(
            ref=ref,
            generation=1,
            created_at=run.created_at,
            spec=run.spec,
            annotations={},
            status=await render(),
        )

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        return None

    async def evaluate_step(self, step: Step, environment: Environment) -> Evaluated | Failure:
        if environment.inputs == {"broken": True}:
            raise RuntimeError("cannot be evaluated")
        return await super().evaluate_step(step, environment)


async def test_a_run_beyond_the_limit_waits_and_says_its_place_in_the_queue() -> None:
    shop = Shop(runs=3)
    await shop.look()
    assert shop.phases() == {"r1": "Running", "r2": "Pending", "r3": "Pending"}
    assert shop.told("r2") == "waiting: no runs before this one; at most 1 is active"
    assert shop.told("r3") == "waiting: 1 run before this one; at most 1 is active"
    conditions = {one["type"]: one for one in _conditions(shop.runs["r3"].status)}
    assert (conditions["Reconciling"]["status"], conditions["Reconciling"]["reason"]) == ("True", "Queued")


async def test_it_is_opened_as_soon_as_one_ends_and_none_is_overtaken() -> None:
    shop = Shop(runs=4, maxActiveRuns=2)
    await shop.look()
    await shop.end("r1")
    await shop.look("r4", "r3")
    assert shop.phases() == {"r1": "Succeeded", "r2": "Running", "r3": "Running", "r4": "Pending"}


async def test_runs_of_one_moment_go_by_name() -> None:
    shop = Shop(runs=0)
    shop.add("b", created_at=1_000)
    shop.add("a", created_at=1_000)
    await shop.look("b", "a")
    assert shop.phases() == {"b": "Pending", "a": "Running"}


async def test_the_last_place_is_given_once_though_all_come_at_the_same_moment() -> None:
    shop = Shop(runs=8, maxActiveRuns=3)
    await asyncio.gather(*(shop.look(name) for name in reversed(shop.runs)))
    assert sorted(name for name, phase in shop.phases().items() if phase == "Running") == ["r1", "r2", "r3"]


async def test_a_run_that_is_told_late_does_not_get_the_place_of_one_that_is_just_being_opened() -> None:
    shop = Shop(runs=2)
    shop.hidden = {"r1"}  # the older one: nothing was told of it yet when r2 is opened
    reached, go_on = asyncio.Event(), asyncio.Event()
    commit = shop.store.commit

    async def slow_commit(commit_: Commit) -> int:
        if commit_.run == "uid-r2":
            reached.set()
            await go_on.wait()
        return await commit(commit_)

    shop.store.commit = slow_commit  # type: ignore[method-assign, assignment]
    opening = asyncio.create_task(shop.look("r2"))
    await reached.wait()
    shop.hidden = set()
    await shop.look("r1")
    assert shop.phases()["r1"] == "Pending"
    go_on.set()
    await opening
    assert shop.phases() == {"r1": "Pending", "r2": "Running"}


async def test_a_raised_limit_opens_and_a_removed_one_too() -> None:
    shop = Shop(runs=3)
    await shop.look()
    assert shop.spec is not None
    shop.spec["maxActiveRuns"] = 2
    await shop.look()
    assert shop.phases() == {"r1": "Running", "r2": "Running", "r3": "Pending"}
    del shop.spec["maxActiveRuns"]
    await shop.look()
    assert shop.phases()["r3"] == "Running"


async def test_after_a_restart_those_that_run_still_count_and_the_queue_goes_on() -> None:
    shop = Shop(runs=3)
    await shop.look()
    after = shop.restart()
    await after.look("r3", "r2")
    assert after.phases() == {"r1": "Running", "r2": "Pending", "r3": "Pending"}
    await after.end("r1")
    await after.look("r3", "r2")
    assert after.phases() == {"r1": "Succeeded", "r2": "Running", "r3": "Pending"}


async def test_a_run_that_was_opened_and_not_told_so_before_the_restart_counts_also_for_an_older_one() -> None:
    shop = Shop(runs=1)
    untold = shop.runs["r1"]
    await shop.look("r1")
    shop.runs["r1"] = untold
    after = shop.restart()
    after.add("older", created_at=1)
    await after.look("older")
    assert after.phases() == {"r1": "None", "older": "Pending"}


async def test_until_all_runs_are_told_none_starts_and_nobody_is_told_anything() -> None:
    shop = Shop(runs=1)
    shop.hidden = None
    assert await shop.look() == T0 + 15_000
    assert shop.phases() == {"r1": "None"}
    shop.hidden = set()
    await shop.look()
    assert shop.phases() == {"r1": "Running"}


async def test_a_deleted_run_leaves_its_place() -> None:
    shop = Shop(runs=2)
    await shop.look()
    del shop.runs["r1"]
    await shop.look()
    assert shop.phases() == {"r2": "Running"}


async def test_a_run_that_ended_leaves_its_place_though_nobody_could_be_told() -> None:
    shop = Shop(runs=2)
    await shop.look()
    told = shop.runs["r1"]
    await shop.end("r1")
    shop.runs["r1"] = told
    await shop.look("r2")
    assert shop.phases() == {"r1": "Running", "r2": "Running"}


async def test_a_run_whose_state_was_lost_keeps_its_place() -> None:
    shop = Shop(runs=2)
    await shop.look()
    shop.store = MemoryStore()
    after = shop.restart()
    await after.look("r2")
    assert after.phases()["r2"] == "Pending"
    await after.look()
    assert after.phases() == {"r1": "Recovering", "r2": "Pending"}


async def test_a_run_that_cannot_be_opened_stops_none_behind_it() -> None:
    shop = Shop(runs=0)
    shop.add("poison", created_at=1_000, broken=True)
    shop.add("sound", created_at=2_000)
    with pytest.raises(RuntimeError):
        await shop.look("poison")
    await shop.look("sound")
    assert shop.phases() == {"poison": "None", "sound": "Running"}


async def test_wrong_inputs_fail_at_once_and_wait_for_nobody() -> None:
    shop = Shop(runs=2, inputsSchema={"type": "object", "properties": {"n": {"type": "integer"}}})
    shop.add("wrong", created_at=9_000, n="one")
    await shop.look()
    assert shop.phases() == {"r1": "Running", "r2": "Pending", "wrong": "Failed"}


async def test_reject_fails_at_once_with_a_kind_of_its_own_and_no_pod() -> None:
    shop = Shop(runs=2, onLimit="Reject")
    await shop.look()
    status = shop.runs["r2"].status
    said = "Reactor 'x' allows at most 1 run at once (spec.maxActiveRuns), found 1 active"
    advice = "start it again once one has ended, or set spec.onLimit: Queue"
    assert status["failure"] == {"kind": "TooManyRuns", "message": f"{said}: {advice}"}
    assert shop.phases() == {"r1": "Running", "r2": "Failed"}
    assert len(shop.started) == 1
    await shop.end("r1")
    shop.add("r3", created_at=20_000)
    await shop.look("r3")
    assert shop.phases()["r3"] == "Running"


async def test_the_start_deadline_does_not_count_while_a_run_waits_for_its_turn() -> None:
    shop = Shop(runs=2)
    await shop.look()
    shop.spec, shop.clock.time = None, T0 + 3_600_000
    assert await shop.look("r2") == T0 + 3_630_000
    assert "found no Reactor 'x'" in shop.told("r2")
    shop.clock.time = T0 + 3_629_999
    assert await shop.look("r2") == T0 + 3_630_000
    assert shop.phases()["r2"] == "Pending"
    shop.clock.time = T0 + 3_630_000
    await shop.look("r2")
    assert shop.runs["r2"].status["failure"]["kind"] == "ReactorNotFound"  # type: ignore[index]


async def take_up_again(shop: Shop, name: str) -> None:
    """Somebody undoes a run after its end; what people are told of it is still the end."""
    told = shop.runs[name]
    body = encode_event(ev.UndoRequested(id="u1"))
    await shop.store.append(Entry(run=f"uid-{name}", digest="u1", body=body))
    await shop.look(name)
    assert shop.phases()[name] == "RollingBack"
    shop.runs[name] = told


async def test_a_run_that_was_taken_up_again_after_its_end_counts_before_anybody_is_told() -> None:
    shop = Shop(runs=1, steps=[{"name": "a", "run": RUN, "undo": RUN}])
    await shop.look()
    await shop.end("r1")
    await take_up_again(shop, "r1")
    shop.add("r2", created_at=20_000)
    await shop.look("r2")
    assert shop.told("r2") == "waiting: no runs before this one; at most 1 is active"
    other = shop.restart()
    await other.look("r2")
    assert other.phases() == {"r1": "Succeeded", "r2": "Pending"}


async def test_a_run_that_was_taken_up_again_counts_though_no_answer_came() -> None:
    shop = Shop(runs=1, steps=[{"name": "a", "run": RUN, "undo": RUN}])
    await shop.look()
    await shop.end("r1")
    commit = shop.store.commit

    async def commit_and_lose_the_answer(commit_: Commit) -> int:
        raise StoreUnavailable(f"revision {await commit(commit_)}: the answer was lost")

    shop.store.commit = commit_and_lose_the_answer  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnavailable):
        await take_up_again(shop, "r1")
    shop.store.commit = commit  # type: ignore[method-assign]
    shop.add("r2", created_at=20_000)
    await shop.look("r2")
    assert shop.phases() == {"r1": "Succeeded", "r2": "Pending"}


async def test_a_run_whose_end_was_told_and_lost_has_no_place() -> None:
    shop = Shop(runs=1)
    await shop.look()
    copied = copy.deepcopy(shop.store._runs)
    await shop.end("r1")
    shop.store._runs = copied
    other = shop.restart()
    other.add("r2", created_at=20_000)
    await other.look("r1", "r2")
    assert other.phases() == {"r1": "Succeeded", "r2": "Running"}


async def test_an_end_that_was_told_and_is_true_costs_no_look_at_the_store() -> None:
    shop = Shop(runs=1)
    await shop.look()
    await shop.end("r1")
    shop.add("r2", created_at=20_000)
    await shop.look("r2")
    assert shop.phases() == {"r1": "Succeeded", "r2": "Running"}


async def test_one_far_back_is_looked_at_less_often() -> None:
    shop = Shop(runs=1)
    for number in range(5_000):
        shop.add(f"q{number:04}", created_at=5_000)
    await shop.look("r1")
    assert await shop.look("q0000") == shop.clock.time + 5_000
    assert await shop.look("q0060") == shop.clock.time + 65_000
    assert await shop.look("q4999") == shop.clock.time + 1_800_000
    assert shop.told("q4999") == "waiting: 4999 runs before this one; at most 1 is active"


async def test_a_composed_reactors_limit_does_not_count() -> None:
    shop = Shop(runs=2)
    assert shop.spec is not None
    limited = shop.spec
    outer = {"steps": [{"name": "c", "compose": {"reactorRef": {"name": "inner"}}}]}

    async def get_reactor(namespace: str, name: str) -> ReactorObject:
        spec = limited if name == "inner" else outer
        return ReactorObject(namespace=namespace, name=name, uid=f"uid-{name}", generation=1, spec=spec)

    shop.get_reactor = get_reactor  # type: ignore[method-assign]
    await shop.look()
    assert set(shop.phases().values()) == {"Running"}


def _conditions(status: Mapping[str, object]) -> list[dict[str, Any]]:
    found = status["conditions"]
    assert isinstance(found, list)
    return found
