"""A run that can never start ends and says why, however little of what it names could be laid out."""

from dataclasses import replace
from typing import Any

import pytest

from reactor_operator.ports import ReactorObject, RunObject, RunRef
from tests.unit.reconciling.conftest import RUN, World

STRICT = {"type": "object", "required": ["order"]}
HTTP = {"url": "http://127.0.0.1:9/events"}
NOTIFICATIONS = [{"name": "audit", "events": ["*"], "http": HTTP}]
SOUND = {"steps": [{"name": "end", "run": RUN}]}


class Composing(World):
    """Its reactor composes `other`, which may be anything."""

    def __init__(self, other: Any, **main: Any) -> None:
        super().__init__()
        steps = [{"name": "c", "compose": {"reactorRef": {"name": "other"}}}]
        self.reactors = {"x": {"steps": steps, "notifications": NOTIFICATIONS, **main}, "other": other}
        self.annotations: dict[str, str] = {}

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        spec = self.reactors[name]
        return spec and ReactorObject(namespace=namespace, name=name, uid=f"uid-{name}", generation=1, spec=spec)

    async def get_run(self, ref: RunRef) -> RunObject | None:
        found = await super().get_run(ref)
        return found and replace(found, annotations=self.annotations)


@pytest.mark.parametrize(
    ("other", "main", "kind"),
    [
        (None, {}, "ReactorNotFound"),
        ({"steps": []}, {}, "InvalidReactor"),
        ({"steps": [{"name": "again", "compose": {"reactorRef": {"name": "other"}}}]}, {}, "InvalidReactor"),
        (SOUND, {"inputsSchema": STRICT}, "InvalidInputs"),
    ],
)
async def test_it_fails_with_the_kind_that_says_why(other: Any, main: dict[str, Any], kind: str) -> None:
    world = Composing(other, **main)
    world.clock.time = 10_000_000  # long after what it names should have been there
    await world.reconcile()
    assert (world.status["phase"], world.status["failure"]["kind"]) == ("Failed", kind)  # type: ignore[index]


async def test_whoever_is_known_is_told_of_it_also_where_the_reactor_composes_others() -> None:
    world = Composing(SOUND, inputsSchema=STRICT)
    await world.reconcile()
    assert world.status["notifications"] == {"pending": 1, "delivered": 0, "dead": 0}


async def test_one_that_waits_for_a_composed_reactor_is_cancelled_when_that_is_asked() -> None:
    world = Composing(None)
    await world.reconcile()
    waited = world.status["phase"]
    world.annotations = {"reactor.run/cancel": ""}
    await world.reconcile()
    assert (waited, world.status["phase"]) == ("Pending", "Cancelled")
