"""Chunks of elements whose placement is no pool: one pod for each, which takes them from a queue of its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from reactor_operator.engine.actions import Effect, RetireTask, StartTask
from reactor_operator.engine.decide import begin
from reactor_operator.engine.identity import Action, Task, pod_name
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.record import decode_record
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.committing import Commits
from reactor_operator.reconciling.definition import Definition, compile_definition
from reactor_operator.reconciling.effects import Effects
from reactor_operator.reconciling.pooled import refuse_task, shares_pod
from reactor_operator.reconciling.records import Decided, KnownRun, make_commit
from reactor_operator.store.port import Commit
from tests.unit.reconciling.conftest import REF, World

ARGUMENTS = {"row": {"element": "rows"}}
PYTHON = {"python": {"handler": "shop.rows:store"}}
BACK = {"python": {"handler": "shop.rows:remove"}}


def known_run(mapped: dict[str, Any] | None = None, **step: Any) -> KnownRun:
    """Return a run with a map of chunks of three."""
    body = {"source": {"input": "rows"}, "elementsPerTask": 3, "run": PYTHON, **(mapped or {})}
    body = {name: value for name, value in body.items() if value is not None}
    steps = [{"name": "rows", "arguments": ARGUMENTS, "map": body, "undo": BACK, **step}]
    inputs = {"type": "object", "properties": {"rows": {"type": "array"}}}
    definition = Definition(
        run=REF, created_at=1, generation=1, reactor_name="import", spec={"inputsSchema": inputs, "steps": steps}
    )
    blueprint, plan = compile_definition(definition, pending_timeout_ms=600_000)
    return KnownRun(definition=definition, blueprint=blueprint, plan=plan, state=begin(plan, REF.uid, 1))


def element(place: int | str, action: Action = Action.RUN, launch: int = 1) -> Task:
    return Task(f"rows[{place}]", action, 1, 1, launch)


def starting(*tasks: Task) -> list[StartTask]:
    return [StartTask(task=task, arguments=reference_to(b'{"row":1}')) for task in tasks]


def queue(lead: Task) -> str:
    return f"shop/~{pod_name(REF.name, REF.uid, lead)}"


def committed(known: KnownRun, orders: Sequence[Effect], *, pools: bool = True) -> tuple[Commit, KnownRun]:
    decided = Decided(state=known.state, actions=tuple(orders))
    return make_commit(known, decided, epoch=1, inbox_position=0, acknowledged=frozenset(), pools=pools)


FIRST = [element(place) for place in range(7)]


@pytest.mark.parametrize("placement", ["pod", "job"])
def test_elements_share_a_pod_that_the_first_of_them_makes(placement: str) -> None:
    commit, after = committed(known_run(placement=placement), starting(*FIRST))
    assert commit.queued == {
        queue(FIRST[0]): ((FIRST[0].key, FIRST[1].key, FIRST[2].key),),
        queue(FIRST[3]): ((FIRST[3].key, FIRST[4].key, FIRST[5].key),),
        queue(FIRST[6]): ((FIRST[6].key,),),
    }
    assert list(commit.actions) == [f"start/{FIRST[place].key}" for place in (0, 3, 6)]
    assert list(after.outbox) == list(commit.actions)
    records = [decode_record(commit.opens[task.key]) for task in FIRST]
    (step,) = {record.pool for record in records}
    assert step is not None
    assert orjson.loads(commit.values[step.digest])["variables"]["REACTOR_HANDLER"] == "shop.rows:store"


def test_undos_and_elements_that_are_launched_again_share_pods_of_their_own() -> None:
    undos = [element(place, Action.UNDO) for place in (6, 5, 4, 3)]
    again = [element(place, launch=2) for place in (2, 4)]
    commit, _ = committed(known_run(), starting(*undos, *again))
    assert commit.queued == {
        queue(undos[0]): (tuple(task.key for task in undos[:3]),),
        queue(undos[3]): ((undos[3].key,),),
        queue(again[0]): ((again[0].key, again[1].key),),
    }
    assert list(commit.actions) == [f"start/{task.key}" for task in (undos[0], undos[3], again[0])]


def test_what_is_no_element_of_such_a_map_has_a_pod_of_its_own() -> None:
    page = known_run({"source": None, "pages": {"run": PYTHON, "pageSize": 5}})
    commit, _ = committed(page, starting(element("page-0")))
    assert (commit.queued, list(commit.actions)) == ({}, ["start/rows[page-0].run.1.1.1"])
    single = known_run({"elementsPerTask": 1})
    commit, _ = committed(single, starting(FIRST[0]))
    assert (commit.queued, list(commit.actions)) == ({}, [f"start/{FIRST[0].key}"])
    assert decode_record(commit.opens[FIRST[0].key]).pool is None
    cleanup = known_run(compensate={"container": {"image": "busybox"}})
    task = element(0, Action.COMPENSATE)
    commit, _ = committed(cleanup, starting(task))
    assert (commit.queued, list(commit.actions)) == ({}, [f"start/{task.key}"])


def test_on_a_pool_nothing_makes_a_pod() -> None:
    commit, _ = committed(known_run(placement="pool", poolRef={"name": "fast"}), starting(*FIRST[:4]))
    assert commit.queued == {"shop/fast": (tuple(task.key for task in FIRST[:3]), (FIRST[3].key,))}
    assert commit.actions == {}


def test_where_there_are_no_pools_each_element_is_launched_as_ever() -> None:
    commit, _ = committed(known_run(), starting(*FIRST), pools=False)
    assert commit.queued == {}
    assert len(commit.actions) == len(FIRST)


def test_the_pod_of_a_first_task_that_was_closed_before_it_was_made_is_not_made() -> None:
    known = committed(known_run(), starting(*FIRST[:3]))[1]
    commit, after = committed(known, [RetireTask(task=FIRST[0], stop=True)])
    assert commit.acknowledged == {f"start/{FIRST[0].key}"}
    assert list(after.outbox) == [f"retire/{FIRST[0].key}"]


def test_a_step_that_no_worker_can_do_is_refused_before_it_is_launched() -> None:
    known = known_run({"run": {"python": {"source": "def main(row):\n    return 1\n" + "#" * 125_000}}})
    assert known.blueprint is not None

    class Book:
        def refuse(self, *_: object) -> None:
            raise AssertionError("there is no pool to ask about")

    failure = refuse_task(Book(), known.blueprint, known.plan, "shop", "rows[0]")
    assert failure is not None
    assert "Linux takes at most 120000" in failure.message
    usual = known_run(env=[{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}])
    assert usual.blueprint is not None
    assert refuse_task(Book(), usual.blueprint, usual.plan, "shop", "rows[0]") is None


def test_a_worker_is_told_the_variables_that_differ_from_task_to_task() -> None:
    env = [
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "bank", "key": "password"}}},
        {"name": "ADDRESS", "value": "db://me:$(PASSWORD)@bank"},
        {"name": "ROW", "argument": "row"},
        {"name": "NAME", "value": "row-$(ROW)"},
        {"name": "LABEL", "value": "$(REACTOR_STEP)/$(NAME)"},
        {"name": "LEVEL", "value": "info"},
    ]
    commit, _ = committed(known_run(env=env), starting(FIRST[0]))
    step = decode_record(commit.opens[FIRST[0].key]).pool
    assert step is not None
    assert orjson.loads(commit.values[step.digest])["env"] == [
        {"name": "ROW", "argument": "row"},
        {"name": "NAME", "value": "row-$(ROW)"},
        {"name": "LABEL", "value": "$(REACTOR_STEP)/$(NAME)"},
    ]


@pytest.mark.parametrize("pools", [True, False])
async def test_the_launcher_is_told_of_chunks_where_there_are_pools(world: World, pools: bool) -> None:
    told: list[bool] = []

    class Launcher(World):
        async def start(self, order: Any) -> Any:
            told.append(order.chunk)
            return await super().start(order)

        async def retire(self, run: RunRef, *words: Any, chunk: bool = False, **how: Any) -> bool:
            told.append(chunk)
            return True

    launcher = Launcher()
    known = known_run()
    commits: Commits = world.reconciler._commits
    documents = commits.over(known).documents
    await Effects(launcher, launcher, pools=pools).perform(
        known, {"a": RetireTask(task=FIRST[1]), "b": RetireTask(task=Task("rows", Action.UNDO, 1, 1, 1))}, documents
    )
    assert told == [pools, False]
    assert shares_pod(known.blueprint, known.plan, FIRST[0])


def test_orders_are_rendered_the_same_after_a_restart() -> None:
    known = known_run()
    once, again = (committed(replace(known), starting(*FIRST))[0] for _ in range(2))
    assert once == again
