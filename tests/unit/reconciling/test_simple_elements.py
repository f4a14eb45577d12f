"""Elements that read nothing but themselves get the arguments that any evaluation gives them."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source
from reactor_operator.engine.failures import Failure
from reactor_operator.evaluation.environment import Environment
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.ports import Evaluated, Launched, NotYet, ReactorObject, Refused, TaskOrder
from tests.unit.reconciling.conftest import RUN, World

ROWS = [{"id": number, "name": name} for number, name in enumerate(["", "x" * 300, "é", "z"])]
OTHERWISE = {"expr": "[1, 2].size()"}
"""An argument that takes a map from the short way."""


class Mapped(World):
    """A run with one map, evaluated as it is on a cluster."""

    def __init__(self, source: object, arguments: Mapping[str, object], evaluator: ProcessEvaluator) -> None:
        super().__init__()
        self.real = evaluator
        self.told: dict[str, Any] = {}
        self.evaluated = 0
        self.map: dict[str, Any] = {
            "name": "rows",
            "arguments": arguments,
            "map": {"source": {"value": source}, "run": RUN, "batchSize": 3, "failFast": False},
        }

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        return ReactorObject(namespace=namespace, name=name, uid="uid", generation=1, spec={"steps": [self.map]})

    @property
    def has_room(self) -> bool:
        return True

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        self.told[order.task.path] = orjson.loads(order.arguments)
        return await super().start(order)

    async def evaluate_step(self, step: Step, environment: Environment) -> Evaluated | Failure:
        self.evaluated += 1
        return await self.real.evaluate_step(step, environment)

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        return await self.real.evaluate_sources(sources, environment, subject)

    def fails_fast(self) -> None:
        self.map["map"].pop("failFast")

    async def to_its_end(self) -> dict[str, Any]:
        await self.reconcile()
        for index in range(len(ROWS)):
            await self.succeed(f"rows[{index}]")
            await self.reconcile()
        return self.told


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"row": {"element": "rows"}},
        {"place": {"index": "rows"}, "name": {"element": "rows", "path": "name"}},
        {
            "row": {"element": "rows"},
            "more": {"value": [None, 1.5]},
            "other": {"element": "rows", "path": "no", "default": 7},
        },
        {"key": {"configMapKeyRef": {"name": "shop", "key": "mode"}}, "row": {"element": "rows"}},
    ],
)
async def test_the_arguments_are_those_of_any_evaluation(arguments: dict[str, object]) -> None:
    evaluator = ProcessEvaluator(workers=1)
    short = Mapped(ROWS, arguments, evaluator)
    found = await short.to_its_end()
    long = Mapped(ROWS, {**arguments, "otherwise": OTHERWISE}, evaluator)
    expected = await long.to_its_end()
    await evaluator.close()
    assert len(found) == len(ROWS)
    assert {path: {**told, "otherwise": 2} for path, told in found.items()} == expected
    assert long.evaluated - short.evaluated == len(ROWS)
    assert short.status["phase"] == long.status["phase"] == "Succeeded"


async def test_an_element_without_what_it_reads_fails_in_the_words_of_any_evaluation() -> None:
    evaluator = ProcessEvaluator(workers=1)
    worlds = [
        Mapped([{"id": 1}, {}], {"id": {"element": "rows", "path": "id"}, **more}, evaluator)
        for more in ({}, {"otherwise": OTHERWISE})
    ]
    for world in worlds:
        world.fails_fast()
        await world.reconcile()
        await world.succeed("rows[0]")
        await world.reconcile()
    await evaluator.close()
    short, long = (world.status["failure"] for world in worlds)
    assert short == long
    assert "element 1: step rows: argument id: path id leads nowhere" in str(short)
