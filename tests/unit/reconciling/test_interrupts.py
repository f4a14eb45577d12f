"""Interrupts in a reconcile: ids that are claimed, payloads that are judged, and what people read of both."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import orjson
import pytest

from reactor_operator.api.interrupts import Interrupt
from reactor_operator.api.sources import Source
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.evaluation.environment import NONE_READ, Environment
from reactor_operator.ports import ReactorObject, RunObject, RunRef
from reactor_operator.reconciling.interrupts import CORRELATION_LIMIT, ERRORS_TOLD, correlation_of, judge
from reactor_operator.reconciling.signals import request_of
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Closed, Held
from tests.unit.reconciling.conftest import RUN, World

APPROVAL = {
    "type": "object",
    "required": ["approved"],
    "properties": {"approved": {"type": "boolean"}, "by": {"default": "nobody"}},
}
ASKS: dict[str, Any] = {"correlationId": "'order-7'", "payloadSchema": APPROVAL, "maxAttempts": 2}


class Asking(World):
    """A run with an interrupt whose id is what `correlation` says."""

    correlation: object = "order-7"

    def __init__(self, store: MemoryStore | None = None, uid: str = "uid", interrupt: Mapping[str, Any] = ASKS) -> None:
        super().__init__(store)
        self.ref = RunRef("shop", uid, uid)
        self.steps: list[dict[str, Any]] = [{"name": "ask", "interrupt": interrupt}]

    async def get_run(self, ref: RunRef) -> RunObject | None:
        spec: Mapping[str, object] = {"reactorRef": {"name": "x"}}
        return RunObject(ref=self.ref, generation=1, created_at=0, spec=spec, annotations={}, status=self.status)

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        return ReactorObject(namespace=namespace, name=name, uid="r", generation=1, spec={"steps": self.steps})

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        return dict.fromkeys(sources, self.correlation)

    async def go(self) -> "Asking":
        await self.reconciler.reconcile(self.ref)
        return self

    async def resume(self, payload: object, name: str = "go") -> Mapping[str, Any]:
        request = request_of(name, "resume", {"step": "ask", "payload": payload}, "ann")
        await self.store.append(request.entry_for(self.ref))
        await self.go()
        answers: Any = self.status["signals"]
        return dict(answers[-1])

    def interrupts(self) -> list[dict[str, Any]]:
        found: Any = self.status["interrupts"]
        return list(found)

    def ask(self) -> Mapping[str, Any]:
        steps: Any = self.status["steps"]
        return dict(steps[0])


async def test_an_open_interrupt_is_shown_and_its_id_claimed() -> None:
    world = await Asking().go()
    assert (world.status["phase"], world.status["waiting"], world.ask()["phase"]) == ("Paused", "ask", "Waiting")
    assert world.status["message"] == "waiting for a signal: ask"
    (shown,) = world.interrupts()
    assert (shown["step"], shown["correlationId"], shown["attemptsLeft"]) == ("ask", "order-7", 2)
    assert await world.store.find_correlation("shop/x/order-7") == Held(run="uid", path="ask.1")


async def test_a_good_payload_is_the_result_with_its_defaults_and_the_id_is_let_go() -> None:
    world = await Asking().go()
    answer = await world.resume({"approved": True})
    assert (answer["phase"], answer["step"], answer["by"]) == ("Accepted", "ask", "ann")
    assert world.ask()["result"] == {"approved": True, "by": "nobody"}
    assert world.status["phase"] == "Succeeded"
    assert isinstance(await world.store.find_correlation("shop/x/order-7"), Closed)


async def test_a_bad_one_is_refused_with_every_error() -> None:
    world = await Asking().go()
    answer = await world.resume({"approved": "yes", "by": 1})
    assert (answer["phase"], answer["errors"]) == (
        "Rejected",
        ["payload.approved: 'yes' is not of type \"boolean\""],
    )
    (shown,) = world.interrupts()
    assert (shown["attemptsLeft"], shown["lastRejection"]) == (1, answer["errors"][0])


async def test_a_second_run_with_the_id_fails_and_says_who_has_it() -> None:
    first = await Asking().go()
    second = await Asking(first.store, "other").go()
    failure: Any = second.status["failure"]
    assert failure["kind"] == "KeyConflict"
    assert "'order-7' is open already, at step ask of run uid" in failure["message"]
    assert await first.resume({"approved": True})
    third = await Asking(first.store, "third").go()
    assert third.status["phase"] == "Paused"


async def test_two_steps_of_one_run_do_not_share_one_either() -> None:
    world = Asking()
    world.steps.append({"name": "again", "interrupt": ASKS})
    await world.go()
    failure: Any = world.status["failure"]
    assert "at step ask of this run" in failure["message"]


async def test_one_step_passes_its_id_on_to_the_next() -> None:
    world = Asking()
    world.steps.append({"name": "again", "waitFor": ["ask"], "interrupt": ASKS})
    await world.go()
    await world.resume({"approved": True})
    assert world.status["waiting"] == "again"
    assert await world.store.find_correlation("shop/x/order-7") == Held(run="uid", path="again.1")


@pytest.mark.parametrize("strategy", ["active", "lazy"])
@pytest.mark.parametrize("takes_over", [False, True])
async def test_a_clock_that_steps_moves_no_deadline(strategy: str, takes_over: bool) -> None:
    """The clock of the operator that takes over may be another one, too."""
    interrupt, began, hour = {"timeout": "10m", "strategy": strategy}, 10 * 3_600_000, 3_600_000
    world = Asking(interrupt=interrupt)

    async def look(now: int) -> int | None:
        nonlocal world
        if takes_over:
            world = await after(world, interrupt)
        world.clock.time = now
        return await world.reconciler.reconcile(world.ref)

    world.clock.time = began
    again_at = await world.reconciler.reconcile(world.ref)
    (told,) = world.interrupts()
    for now in (began - 5 * hour, began + hour // 12, began - hour, began + hour // 6 - 1):
        assert await look(now) == again_at == (began + hour // 6 if strategy == "active" else None)
        assert (world.status["phase"], world.interrupts()) == ("Paused", [told])
    await look(began + hour // 6)
    assert world.status["phase"] == ("Failed" if strategy == "active" else "Paused")
    assert (await world.resume(None, "late"))["phase"] == "Rejected"
    await look(began - hour)
    assert (await world.resume(None, "early again"))["phase"] == "Rejected"
    failure: Any = world.status["failure"]
    assert failure["kind"] == "Timeout"


async def after(before: Asking, interrupt: Mapping[str, Any]) -> Asking:
    """Return the world with another operator in it."""
    later = Asking(before.store, interrupt=interrupt)
    later.status = before.status
    return later


async def test_an_operator_that_takes_over_finds_the_interrupt_as_it_was() -> None:
    before = await Asking().go()
    later = Asking(before.store)
    assert (await later.resume({"approved": True}))["phase"] == "Accepted"


async def test_of_a_run_whose_state_was_lost_nothing_is_told_to_wait_any_more() -> None:
    before = await Asking().go()
    lost = Asking(MemoryStore())
    lost.status = before.status
    await lost.go()
    assert (lost.status["phase"], lost.status["interrupts"], lost.status["waiting"]) == ("Recovering", [], "")


async def test_nor_of_one_whose_state_is_older_than_what_was_told_until_it_is_retried() -> None:
    """The payload may have been taken in what was lost, so none is taken now."""
    world = Asking()
    world.steps.append({"name": "ship", "run": RUN, "waitFor": ["ask"]})
    await world.go()
    copy = deepcopy(world.store._runs)
    assert (await world.resume({"approved": True}))["phase"] == "Accepted"
    world.store._runs = copy
    world.reconciler.distrust()
    answer = await world.resume({"approved": False}, "again")
    assert (world.status["phase"], answer["phase"]) == ("Recovering", "Rejected")
    assert world.status.keys().isdisjoint({"interrupts", "waiting"})
    retry = request_of("retry", "retry", {}, "ann")
    await world.store.append(retry.entry_for(world.ref))
    await world.go()
    assert (world.status["phase"], world.status["waiting"]) == ("Paused", "ask")


@pytest.mark.parametrize("value", [None, "", 7, "x" * (CORRELATION_LIMIT + 1), "a\nb", "\x1b[2J"])
async def test_an_id_that_is_none_fails_its_step(value: object) -> None:
    world = Asking()
    world.correlation = value
    interrupt = Interrupt.model_validate({"correlationId": "'x'"})
    environment = Environment(inputs={}, sensitive=NONE_READ)
    found = await correlation_of(interrupt, environment, world, "step ask")
    assert isinstance(found, Failure)
    assert found.kind is FailureKind.INVALID_ARGUMENTS
    assert "interrupt.correlationId" in found.message


class TestJudge:
    @staticmethod
    def of(schema: Mapping[str, Any], payload: object, *, sensitive: bool = False) -> tuple[Any, tuple[str, ...]]:
        interrupt = Interrupt.model_validate({"payloadSchema": schema})
        document, errors = judge(interrupt, orjson.dumps(payload), sensitive=sensitive)
        return orjson.loads(document), errors

    def test_a_payload_need_not_be_an_object(self) -> None:
        assert self.of({"type": "integer"}, 7) == (7, ())
        assert self.of({"type": "integer"}, None)[1] == ('payload: null is not of type "integer"',)

    def test_nothing_sensitive_is_repeated(self) -> None:
        _, errors = self.of(APPROVAL, {"approved": "CANARY"}, sensitive=True)
        assert errors
        assert "CANARY" not in str(errors)

    def test_of_many_errors_some_are_told(self) -> None:
        schema = {"type": "array", "items": {"type": "integer"}}
        _, errors = self.of(schema, ["x"] * 500)
        assert len(errors) == ERRORS_TOLD
        assert errors[-1] == f"and {500 - ERRORS_TOLD + 1} more"

    def test_a_pattern_that_explodes_is_bounded(self) -> None:
        schema = {"type": "string", "pattern": r"^(?=(a+)+$)(a+)+b\1$"}
        _, errors = self.of(schema, "a" * 5_000)
        assert errors

    def test_a_schema_that_refers_to_itself_judges_deep_ones_as_well(self) -> None:
        deep: object = 1
        for _ in range(100):
            deep = [deep]
        assert self.of({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}}, deep)[
            1
        ]
