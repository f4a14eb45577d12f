"""Elements as sagas of their own: their paths, their plans, and where a path leads."""

from dataclasses import replace

import pytest

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.elements import (
    NOTHING,
    begin_element,
    collect_path,
    element_path,
    first_round,
    index_of,
    instance,
    owner_of,
    page_path,
    plan_at,
    saga_of,
    step_at,
)
from reactor_operator.engine.plan import ROOT, MapPlan, Plan
from reactor_operator.engine.state import UNTOUCHED, Goal, Header, RunState, StepPhase, StepState
from tests.unit.engine.driver import DONE_ONCE, Run, compose, elements, mapped, plan_of, step, switch

INNER = mapped("lines", step("a"), step("b", ["a"]))
PLAN = plan_of(
    mapped("rows", INNER, step("then", ["lines"]), page=DONE_ONCE, collect=DONE_ONCE),
    switch("route", step("[0]"), compose("[1]", mapped("parts", step("x")))),
)


def map_of(plan: Plan, path: str) -> MapPlan:
    found = plan.steps[path].map
    assert found is not None
    return found


def test_what_is_in_flight_of_a_map_has_a_path_of_its_own() -> None:
    assert (element_path("rows", 7), page_path("rows", 3), collect_path("rows")) == (
        "rows[7]",
        "rows[page-3]",
        "rows[collect]",
    )
    assert index_of("rows", "rows[7]") == 7
    assert index_of("rows[3]/lines", "rows[3]/lines[12]") == 12
    assert index_of("rows", "rows[page-3]") is None
    assert index_of("rows", "rows[collect]") is None


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("rows", None),
        ("rows[7]", ("rows", "rows[7]")),
        ("rows[7]/lines[2]/a", ("rows", "rows[7]")),
        ("rows[page-0]", ("rows", "rows[page-0]")),
        ("route[0]", None),
        ("route[1]/parts[4]", ("route[1]/parts", "route[1]/parts[4]")),
        ("route[1]/parts[4", None),
        ("other[4]", None),
        ("[4]", None),
    ],
)
def test_only_what_follows_a_map_leads_into_one(path: str, owner: tuple[str, str] | None) -> None:
    assert owner_of(PLAN, path) == owner


def test_a_plan_of_an_element_has_its_paths() -> None:
    plan = plan_at(map_of(PLAN, "rows"), "rows", "rows[7]")
    assert list(plan.steps) == ["rows[7]", "rows[7]/lines", "rows[7]/then"]
    assert plan.children == ("rows[7]",)
    outermost, lines, then = plan.steps.values()
    assert (outermost.path, outermost.scope, outermost.children) == ("rows[7]", ROOT, ("rows[7]/lines", "rows[7]/then"))
    assert (lines.path, lines.scope, lines.dependents) == ("rows[7]/lines", "rows[7]", ("rows[7]/then",))
    assert (then.scope, then.needs, then.dependents) == ("rows[7]", ("rows[7]/lines",), ())
    assert plan.parallelism == map_of(PLAN, "rows").element.parallelism
    assert list(plan_at(map_of(plan, "rows[7]/lines"), "rows[7]/lines", "rows[7]/lines[2]").steps) == [
        "rows[7]/lines[2]",
        "rows[7]/lines[2]/a",
        "rows[7]/lines[2]/b",
    ]


def test_what_fetches_and_what_collects_have_plans_too() -> None:
    rows = map_of(PLAN, "rows")
    assert list(plan_at(rows, "rows", "rows[page-3]").steps) == ["rows[page-3]"]
    assert list(plan_at(rows, "rows", "rows[collect]").steps) == ["rows[collect]"]
    assert rows.page is not None
    assert plan_at(rows, "rows", "rows[page-0]").steps["rows[page-0]"].run == rows.page.steps["rows[page]"].run


def test_a_map_has_no_page_and_no_collect_that_it_does_not_declare() -> None:
    for path in ("parts[page-0]", "parts[collect]"):
        with pytest.raises(AssertionError, match=r"map 'parts' has nothing at 'parts\["):
            plan_at(map_of(plan_of(mapped("parts", step("x"))), "parts"), "parts", path)


def test_the_plan_of_an_element_is_made_once_while_it_is_remembered() -> None:
    template = map_of(plan_of(mapped("rows", step("x"))), "rows").element
    first = instance(template, "rows[0]")
    assert instance(template, "rows[0]") is first
    assert instance(template, "rows[1]") is not first
    for index in range(2, 2_100):
        instance(template, f"rows[{index}]")
    again = instance(template, "rows[0]")
    assert again is not first, "not all of them are kept"
    assert again == first
    other = map_of(plan_of(mapped("rows", step("x", compensate=DONE_ONCE))), "rows").element
    assert instance(other, "rows[0]") != first


def test_rounds_of_elements_leave_room_for_those_of_the_steps_inside() -> None:
    draft = Draft(PLAN, RunState(steps={"rows": StepState(round=3)}), 0)
    assert first_round(draft, "rows") == 2_000_001
    inner = Draft(plan_at(map_of(PLAN, "rows"), "rows", "rows[0]"), RunState(), 0, draft)
    assert first_round(inner, "rows[0]/lines") == 1
    inner.steps.put("rows[0]/lines", StepState(round=2_000_002))
    assert first_round(inner, "rows[0]/lines") == 2_000_001_001


def test_an_element_begins_as_a_run_does() -> None:
    plan = plan_of(mapped("rows", step("a"), step("b", ["a"])))
    for round_, steps in (
        (1, {}),
        (2, {path: StepState(round=1_000_001) for path in ("rows[4]", "rows[4]/a", "rows[4]/b")}),
    ):
        state = RunState(header=Header(uid="run-1", started_at=3), steps={"rows": StepState(round=round_)})
        draft = Draft(plan, replace(state, elements={"rows": {}}), 9)
        inner = begin_element(draft, "rows", "rows[4]")
        assert inner.header == Header(uid="run-1", now=9, started_at=9)
        assert dict(inner.steps) == steps
        assert (inner.ready, inner.remaining, inner.parent) == (("rows[4]",), {ROOT: 1}, draft)
        assert inner.plan == plan_at(map_of(plan, "rows"), "rows", "rows[4]")


def test_an_element_holds_still_where_what_is_around_it_does() -> None:
    plan = plan_of(mapped("rows", step("a")))
    for header, held in ((Header(suspended=True), True), (Header(suspended=True, goal=Goal.UNDO), False)):
        draft = Draft(plan, RunState(header=header, elements={"rows": {}}), 9)
        assert begin_element(draft, "rows", "rows[0]").header.suspended is held


def test_a_path_leads_to_the_saga_that_has_its_step() -> None:
    run = Run(mapped("rows", INNER, step("then", ["lines"])), step("other"))
    run.start({"rows": elements(1), "rows[0]/lines": elements(2)})
    run.succeeds("rows[0]/lines[1]/a")
    state = run.state
    assert saga_of(run.plan, state, "other") == (run.plan, state)
    assert saga_of(run.plan, state, "rows")[1] is state
    plan, inner = saga_of(run.plan, state, "rows[0]/lines[1]/b")
    assert inner is state.elements["rows"]["rows[0]"].elements["rows[0]/lines"]["rows[0]/lines[1]"]
    assert "rows[0]/lines[1]/b" in plan.steps
    assert saga_of(run.plan, state, "rows[5]/then")[1] is NOTHING
    assert "rows[5]/then" in saga_of(run.plan, state, "rows[5]/then")[0].steps


def test_a_step_is_found_at_whatever_depth() -> None:
    run = Run(mapped("rows", INNER, step("then", ["lines"])), mapped("parts", step("x")), step("other"))
    run.start({"rows": elements(1), "rows[0]/lines": elements(2), "parts": elements(2)})
    run.succeeds("rows[0]/lines[1]/a")
    phases = {
        path: step_at(run.plan, run.state, path).phase.value
        for path in (
            "other",
            "parts",
            "parts[1]",
            "parts[7]",
            "rows[0]",
            "rows[0]/lines",
            "rows[0]/lines[0]/a",
            "rows[0]/lines[1]/a",
            "rows[0]/lines[1]/b",
            "rows[0]/then",
        )
    }
    assert phases == {
        "other": "Running",
        "parts": "Running",
        "parts[1]": "Running",
        "parts[7]": "Pending",
        "rows[0]": "Running",
        "rows[0]/lines": "Running",
        "rows[0]/lines[0]/a": "Running",
        "rows[0]/lines[1]/a": "Succeeded",
        "rows[0]/lines[1]/b": "Running",
        "rows[0]/then": "Pending",
    }
    assert step_at(run.plan, run.state, "rows[3]/lines[2]/a") is UNTOUCHED
    assert step_at(run.plan, run.state, "parts[1]").phase is StepPhase.RUNNING
