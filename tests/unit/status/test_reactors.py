"""What a Reactor is told of itself."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from reactor_operator.kube.definitions import parse_reactor
from reactor_operator.kube.paths import REACTOR
from reactor_operator.status.reactors import ReactorJudge
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.stores import FixedClock

PATH = REACTOR.object("shop", "checkout")
SOUND = {"steps": [{"name": "a", "run": {"python": {"handler": "m:f"}}}]}
BROKEN = {"steps": [{"name": "a", "run": {"python": {"handler": "m:f"}}, "undoo": {}, "waitFor": ["b", "c"]}]}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().serve() as serving:
        yield serving


async def judged(server: ApiServer, spec: dict[str, Any], generation: int, at: int) -> dict[str, Any]:
    found = server.objects.get(PATH) or await server.put(PATH, {})
    found |= {"spec": spec}
    found["metadata"]["generation"] = generation
    async with server.client() as client:
        await ReactorJudge(client, FixedClock(at)).judge(parse_reactor(found), found.get("status", {}))
    ready: dict[str, Any] = server.objects[PATH]["status"]["conditions"][0]
    return ready


async def test_a_sound_reactor_is_ready(server: ApiServer) -> None:
    ready = await judged(server, SOUND, 1, 1_795_348_800_000)
    assert (ready["type"], ready["status"], ready["observedGeneration"]) == ("Ready", "True", 1)


async def test_every_problem_is_listed_with_its_path(server: ApiServer) -> None:
    ready = await judged(server, BROKEN, 1, 0)
    assert ready["status"] == "False"
    assert ready["reason"] == "UnknownField"
    for path in ("spec.steps[0].undoo", "spec.steps[0].waitFor[0]", "spec.steps[0].waitFor[1]"):
        assert path in ready["message"]


async def test_an_unknown_field_is_the_reason_whatever_else_follows_from_it(server: ApiServer) -> None:
    ready = await judged(server, {"steps": [{"name": "a", "trnsform": {"value": 1}}]}, 1, 0)
    assert ready["reason"] == "UnknownField"
    assert "expected one of run, transform" in ready["message"]


async def test_a_judgement_that_stands_is_not_written_again(server: ApiServer) -> None:
    await judged(server, SOUND, 1, 0)
    writes = len(server.writes)
    await judged(server, SOUND, 1, 5_000)
    assert len(server.writes) == writes


async def test_what_an_older_operator_judged_is_judged_again(server: ApiServer) -> None:
    await judged(server, BROKEN, 1, 0)
    told = server.objects[PATH]["status"]["conditions"][0]
    told |= {"status": "True", "reason": "Sound", "message": "1 steps"}
    ready = await judged(server, BROKEN, 1, 1_795_348_800_000)
    assert (ready["status"], ready["reason"]) == ("False", "UnknownField")


async def test_the_time_changes_with_the_truth_alone(server: ApiServer) -> None:
    first = await judged(server, SOUND, 1, 1_795_348_800_000)
    second = await judged(server, {**SOUND, "description": "x"}, 2, 1_795_348_900_000)
    third = await judged(server, BROKEN, 3, 1_795_349_000_000)
    assert first["lastTransitionTime"] == second["lastTransitionTime"]
    assert third["lastTransitionTime"] > second["lastTransitionTime"]


async def test_a_spec_nested_very_deeply_is_told_so(server: ApiServer) -> None:
    schema: dict[str, Any] = {}
    for _ in range(300):
        schema = {"not": schema}
    ready = await judged(server, {**SOUND, "inputsSchema": schema}, 1, 0)
    assert ready["status"] == "False"
    assert "deep" in ready["message"]


async def test_a_reactor_with_very_many_problems_fits(server: ApiServer) -> None:
    steps = [{"name": f"s{n}", "run": {"python": {"handler": "m:f"}}, "waitFor": ["nobody"]} for n in range(2_000)]
    ready = await judged(server, {"steps": steps}, 1, 0)
    assert len(ready["message"]) < 32_768
    assert "more" in ready["message"][-40:]
