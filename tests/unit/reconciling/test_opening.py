"""Whether a run may start: what it composes is read, judged and pinned with it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from reactor_operator.engine.failures import FailureKind
from reactor_operator.ports import ReactorObject, RunObject, RunRef
from reactor_operator.reconciling.definition import compile_definition, decode_definition, encode_definition
from reactor_operator.reconciling.opening import CannotOpen, Opened, OpenLater, judge

RUN = {"python": {"handler": "shop:work"}}
REF = RunRef("shop", "r", "uid")
SHIPPING = {
    "inputsSchema": {"type": "object", "required": ["order"], "properties": {"order": {"type": "string"}}},
    "steps": [{"name": "pack", "run": RUN}],
}


def refer(name: str, reactor: str) -> dict[str, Any]:
    return {"name": name, "compose": {"reactorRef": {"name": reactor}}}


class Given:
    """Definitions as they stand in two mappings."""

    def __init__(self, reactors: Mapping[str, object], configs: Mapping[str, str] | None = None) -> None:
        self.reactors = reactors
        self.configs = configs or {}
        self.asked: list[str] = []

    async def get_run(self, ref: RunRef) -> RunObject | None:
        raise AssertionError("a run that is judged was read already")

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        self.asked.append(name)
        spec = self.reactors.get(name)
        if not isinstance(spec, Mapping):
            return None
        return ReactorObject(namespace=namespace, name=name, uid=f"uid-{name}", generation=1, spec=spec)

    async def get_config(self, namespace: str, name: str, key: str) -> str | None:
        return self.configs.get(f"{name}/{key}")


async def opened(given: Given, now: int = 0) -> Opened | CannotOpen | OpenLater:
    spec = {"reactorRef": {"name": "main"}, "inputs": {"order": "o-1"}}
    run = RunObject(ref=REF, generation=1, created_at=0, spec=spec, annotations={}, status={})
    return await judge(run, given, now, start_deadline_ms=1_000)


async def test_what_is_composed_is_pinned_with_the_run_each_reactor_once() -> None:
    given = Given(
        {
            "main": {"steps": [refer("a", "left"), refer("b", "right")]},
            "left": {"steps": [refer("x", "shared")]},
            "right": {"steps": [refer("x", "shared")]},
            "shared": {"steps": [{"name": "end", "run": RUN}]},
        }
    )
    found = await opened(given)
    assert isinstance(found, Opened)
    assert set(found.definition.composed) == {"left", "right", "shared"}
    assert given.asked == ["main", "left", "right", "shared"]
    stored = decode_definition(encode_definition(found.definition))
    assert stored == found.definition
    blueprint, plan = compile_definition(stored, pending_timeout_ms=1)
    assert blueprint is not None
    assert list(plan.steps) == ["a", "a/x", "a/x/end", "b", "b/x", "b/x/end"]


async def test_runs_of_one_reactor_share_what_is_pinned_also_when_they_are_read_again() -> None:
    """Ten thousand runs that wait would each hold a copy of what their reactor says."""

    def reactors() -> dict[str, object]:
        return {"main": {"steps": [refer("a", "other")]}, "other": {"steps": [{"name": "x", "run": RUN}]}}

    first, second = [await opened(Given(reactors())) for _ in range(2)]
    assert isinstance(first, Opened)
    assert isinstance(second, Opened)
    read = decode_definition(encode_definition(first.definition))
    for other in (second.definition, read):
        assert other.spec is first.definition.spec
        assert other.composed is first.definition.composed


async def test_a_composed_reactor_that_is_missing_is_waited_for_as_the_runs_own_is() -> None:
    given = Given({"main": {"steps": [refer("a", "later")]}})
    early, late = await opened(given, now=500), await opened(given, now=1_000)
    assert isinstance(early, OpenLater)
    assert "no Reactor 'later'" in early.message
    assert isinstance(late, CannotOpen)
    assert late.failure.kind is FailureKind.REACTOR_NOT_FOUND


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"steps": [{"name": "x", "run": RUN, "undoo": 1}]}, "Reactor 'other': spec.steps[0].undoo: unknown field"),
        ({"steps": [refer("x", "main")]}, "other -> main -> other"),
        ({"steps": [refer("x", "other")]}, "other -> other"),
    ],
)
async def test_a_composed_reactor_that_is_wrong_fails_the_run_before_anything_starts(
    other: Mapping[str, object], told: str
) -> None:
    found = await opened(Given({"main": {"steps": [refer("a", "other")]}, "other": other}))
    assert isinstance(found, CannotOpen)
    assert found.failure.kind is FailureKind.INVALID_REACTOR
    assert told in found.failure.message


async def test_a_schema_that_a_composed_reactor_shares_is_read_and_pinned() -> None:
    reference = {"configMapKeyRef": {"name": "schemas", "key": "order"}}
    other = {"inputsSchemaFrom": reference, "steps": [{"name": "x", "run": RUN}]}
    reactors = {"main": {"steps": [refer("a", "other")]}, "other": other}
    found = await opened(Given(reactors, {"schemas/order": '{"type": "object"}'}))
    assert isinstance(found, Opened)
    assert found.definition.composed_schemas == {"other": {"type": "object"}}
    missing = await opened(Given(reactors), now=1_000)
    assert isinstance(missing, CannotOpen)
    assert "ConfigMap 'schemas'" in missing.failure.message


async def test_a_definition_that_composes_nothing_reads_as_it_was_stored_before_there_were_composes() -> None:
    found = await opened(Given({"main": {"steps": [{"name": "a", "run": RUN}]}}))
    assert isinstance(found, Opened)
    older = encode_definition(replace(found.definition, composed={}, composed_schemas={}))
    assert decode_definition(older) == found.definition


async def test_a_definition_that_a_newer_version_stored_is_read_without_what_is_not_known() -> None:
    found = await opened(Given({"main": {"steps": [{"name": "a", "run": RUN}]}}))
    assert isinstance(found, Opened)
    newer = orjson.dumps({**orjson.loads(encode_definition(found.definition)), "colour": "green"})
    assert decode_definition(newer) == found.definition
