"""How far a map has come shows in the status of its step, in counts; the status is written as often as any other."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest_asyncio

from reactor_operator.api.status import RunStatus
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.plan import Plan, StepPlan
from reactor_operator.engine.state import Header, MapState, RunFailure, RunPhase, RunState, StepPhase, StepState
from reactor_operator.engine.values import reference_to
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import RunRef
from reactor_operator.status.board import ClusterBoard
from reactor_operator.status.maps import reason_of
from reactor_operator.status.render import STATUS_LIMIT, RunFacts, render_status, wanted_values
from tests.unit.engine.driver import Run, elements, mapped, step
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.stores import FixedClock

PATH = REACTOR_RUN.object("shop", "r")
FACTS = RunFacts(run=RunRef("shop", "r", "uid"), generation=1, reactor_name="import", incarnation="i")
PLAN = Plan(steps={"rows": StepPlan(path="rows", index=0), "after": StepPlan(path="after", index=1)})
GOING = StepState(phase=StepPhase.RUNNING, map=MapState(total=10_000, opened=1_250, succeeded=1_188, failed=12))


def of_map(step: StepState = GOING, *, in_flight: tuple[str, ...] = (), **changes: Any) -> RunState:
    assert step.map is not None
    return RunState(
        steps={"rows": replace(step, map=replace(step.map, **changes))},
        elements={"rows": dict.fromkeys(in_flight, RunState())},
    )


def shown(state: RunState) -> Any:
    status = render_status(FACTS, PLAN, state, {})
    assert RunStatus.model_validate_json(orjson.dumps(status)).steps is not None
    steps: Any = status["steps"]
    return steps[0].get("map")


def test_a_map_shows_how_many_elements_there_are_and_how_they_ended() -> None:
    assert shown(of_map(in_flight=("rows[1200]", "rows[1201]"), skipped=2)) == {
        "total": 10_000,
        "running": 2,
        "succeeded": 1_188,
        "failed": 12,
        "skipped": 2,
    }


def test_while_pages_are_still_to_come_nobody_knows_the_total_and_their_tasks_are_no_elements() -> None:
    state = of_map(in_flight=("rows[3]", "rows[page-1]"), total=None, fetched=1)
    assert "total" not in shown(state)
    assert shown(state)["running"] == 1
    assert shown(of_map(in_flight=("rows[collect]",), fetched=2))["running"] == 0


def test_elements_that_were_taken_back_are_told_beside_how_they_had_ended() -> None:
    state = of_map(StepState(phase=StepPhase.UNDOING, map=MapState(total=3, succeeded=3)), undone=2)
    assert shown(state) == {"total": 3, "running": 0, "succeeded": 3, "failed": 0, "skipped": 0, "undone": 2}


def test_other_steps_and_a_map_that_has_not_begun_show_no_elements() -> None:
    assert shown(RunState()) is None
    assert shown(RunState(steps={"rows": StepState(phase=StepPhase.RUNNING)})) is None


def test_progress_counts_steps_whatever_is_inside_them() -> None:
    assert render_status(FACTS, PLAN, of_map(in_flight=("rows[1]",)), {})["progress"] == "0/2"


def test_a_run_that_failed_in_an_element_names_it_and_shows_the_place_and_the_lines_around() -> None:
    detail = orjson.dumps({"function": "main", "source": "> 7 |     raise ValueError(row)"})
    named = replace(reference_to(detail), digest="@rows[7].run.1.1.1 detail")
    why = Failure(
        kind=FailureKind.ERROR, message="element 7: no", exception="ValueError", file="rows.py", line=7, detail=named
    )
    state = replace(
        of_map(replace(GOING, phase=StepPhase.FAILED, failure=why)),
        header=Header(phase=RunPhase.FAILED, failure=RunFailure(step="rows", failure=why, attempts=1)),
    )
    assert wanted_values(PLAN, state) == {named}
    status: Any = render_status(FACTS, PLAN, state, {named.digest: detail})
    assert status["message"] == "rows: Error: element 7: no"
    assert (status["failure"]["file"], status["failure"]["line"]) == ("rows.py", 7)
    assert status["failure"]["detail"] == {"function": "main", "source": "> 7 |     raise ValueError(row)"}
    assert status["steps"][0]["failure"]["message"] == "element 7: no"


def test_a_thousand_maps_fit_into_a_status() -> None:
    names = [f"map-{number:04}-{'x' * 200}" for number in range(1_000)]
    plan = Plan(steps={name: StepPlan(path=name, index=index) for index, name in enumerate(names)})
    state = RunState(
        steps=dict.fromkeys(names, GOING),
        elements={name: {f"{name}[{index}]": RunState() for index in range(3)} for name in names},
    )
    status: Any = render_status(FACTS, plan, state, {})
    assert len(orjson.dumps(status)) <= STATUS_LIMIT
    assert status["steps"][0]["map"]["running"] == 3
    assert len(status["steps"]) + status["stepsOmitted"] == 1_000


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().serve() as serving:
        yield serving


async def test_a_map_that_moves_is_written_though_no_phase_changes_and_not_for_each_element(server: ApiServer) -> None:
    made = await server.put(PATH, {})
    ref = RunRef("shop", "r", made["metadata"]["uid"])

    async def report(board: ClusterBoard, succeeded: int) -> None:
        async def render() -> dict[str, object]:
            return render_status(FACTS, PLAN, of_map(succeeded=succeeded), {})

        await board.report(ref, "Running", render)

    def is_shown(succeeded: int) -> bool:
        steps = server.objects[PATH].get("status", {}).get("steps", [{}])
        return bool(steps[0].get("map", {}).get("succeeded") == succeeded)

    async with server.client(timeout_seconds=2.0) as client:
        board = ClusterBoard(client, FixedClock(0), instance="operator-1", pause_seconds=0.2)
        for succeeded in range(1, 1_001):
            await report(board, succeeded)
        assert is_shown(1)
        await server.wait_until(lambda: is_shown(1_000))
        assert len(server.writes) == 2
        await report(board, 1_001)
        await server.wait_until(lambda: is_shown(1_001))
        assert len(server.writes) == 3
        await board.close()


def test_why_an_element_waits_is_why_its_map_does() -> None:
    run = Run(mapped("rows", step("x"), batch_size=2)).start({"rows": elements(2)})
    run.waits("rows[1]", "PoolNotFound: no ReactorPool warm")
    assert reason_of(run.state, "rows") == "rows[1]: PoolNotFound: no ReactorPool warm"
    run.waits("rows[1]", "")
    assert reason_of(run.state, "rows") == ""
