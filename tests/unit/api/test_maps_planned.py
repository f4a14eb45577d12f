"""Maps as the engine is told of them: an element has a plan of its own."""

import pytest

from reactor_operator.engine.plan import ROOT, ActionPlan, MapPlan, Plan, StepKind
from tests.unit.api.documents import CONTAINER, PYTHON, step
from tests.unit.api.maps import NESTED, Document, inside, laid_out, mapped, paged, plan


def map_of(made: Plan, path: str = "rows") -> MapPlan:
    planned = made.steps[path].map
    assert planned is not None
    return planned


def test_an_element_has_a_plan_of_its_own() -> None:
    made = plan(
        step("before"),
        NESTED,
        step("after", waitFor=["rows"]),
        timeout="1h",
        parallelism=7,
        infrastructureRetries=2,
        rollback={"deadline": "1m"},
        notifications=[{"name": "n", "events": ["*"], "http": {"url": "http://x"}}],
    )
    assert {path: one.index for path, one in made.steps.items()} == {"before": 0, "rows": 1, "after": 2}
    rows = made.steps["rows"]
    assert (rows.kind, rows.run, rows.compensate, rows.undo) == (StepKind.MAP, ActionPlan(), None, None)
    assert (rows.children, rows.needs, rows.dependents) == ((), ("before",), ("after",))
    assert (rows.continues_on_error, rows.contains_failures) == (True, False)
    element = map_of(made).element
    assert {path: (one.index, one.scope) for path, one in element.steps.items()} == {
        "rows[]": (0, ROOT),
        "rows[]/store": (1, "rows[]"),
        "rows[]/lines": (2, "rows[]"),
        "rows[]/route": (3, "rows[]"),
        "rows[]/route[0]": (4, "rows[]/route"),
        "rows[]/route[0]/deep": (5, "rows[]/route[0]"),
    }
    assert (element.children, element.finals, element.timeout_ms) == (("rows[]",), (), None)
    assert (element.notifications, element.observed) == ((), False)
    limits = [(one.parallelism, one.infrastructure_retries, one.rollback_deadline_ms) for one in (made, element)]
    assert limits == [(7, 2, 60_000)] * 2
    assert element.steps["rows[]"].contains_failures
    assert element.steps["rows[]"].run.retries.max_attempts == 3
    assert element.steps["rows[]"].compensate is not None
    assert element.steps["rows[]"].children == ("rows[]/store", "rows[]/lines", "rows[]/route")
    assert element.steps["rows[]/lines"].needs == ("rows[]/store",)
    inner = map_of(element, "rows[]/lines").element
    assert [(path, one.index, one.scope) for path, one in inner.steps.items()] == [("rows[]/lines[]", 0, ROOT)]


def test_what_fails_in_an_element_stays_there_whether_it_is_retried_or_not() -> None:
    assert map_of(plan(mapped("rows", inside(step("b"))))).element.steps["rows[]"].contains_failures
    assert not map_of(plan(mapped())).element.steps["rows[]"].contains_failures


def test_tasks_of_the_map_itself_have_policies_of_their_own() -> None:
    pages = paged(run={**PYTHON, "retries": {"maxAttempts": 4}, "timeout": "3s", "retryOn": ["Error"]}, pageSize=9)
    body = {"run": PYTHON, "collect": {"run": CONTAINER}}
    made = map_of(
        plan(
            mapped("rows", body, of=pages, retries={"maxAttempts": 2}, timeout="5s", undo=PYTHON),
            defaults={"timeout": "1m", "retries": {"maxAttempts": 6}},
        )
    )
    assert made.page is not None
    assert made.collect is not None
    tasks = [made.element.steps["rows[]"], made.page.steps["rows[page]"], made.collect.steps["rows[collect]"]]
    assert [(one.run.retries.max_attempts, one.run.timeout_ms) for one in tasks] == [
        (2, 5_000),
        (4, 3_000),
        (6, 60_000),
    ]
    assert [(one.scope, one.index, one.needs, one.undo is None) for one in tasks] == [
        (ROOT, 0, (), False),
        (ROOT, 0, (), True),
        (ROOT, 0, (), True),
    ]
    assert not tasks[2].run.checks_in
    assert made.page_size == 9


def test_what_a_map_says_is_planned() -> None:
    body = {
        "run": PYTHON,
        "batchSize": 20,
        "strategy": "batch",
        "failFast": False,
        "maxFailures": 3,
        "elementsPerTask": 4,
        "timeout": "2h",
        "undoWindow": 6,
    }
    made = map_of(plan(mapped("rows", body)))
    assert (made.batch_size, made.barrier, made.fail_fast, made.max_failures) == (20, True, False, 3)
    assert (made.max_failures_percent, made.chunk, made.timeout_ms, made.undo_window) == (None, 4, 7_200_000, 6)
    unset = map_of(plan(mapped()))
    assert (unset.batch_size, unset.barrier, unset.fail_fast, unset.max_failures) == (50, False, True, None)
    assert (unset.chunk, unset.timeout_ms, unset.undo_window, unset.page_size) == (1, None, 1, 500)
    assert (unset.page, unset.collect) == (None, None)
    assert (
        map_of(plan(mapped("rows", {"run": PYTHON, "failFast": False, "maxFailuresPercent": 5}))).max_failures_percent
        == 5
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (mapped(), False),
        (mapped(undo=PYTHON), True),
        (mapped(compensate=PYTHON), True),
        (mapped("rows", inside(step("b"))), False),
        (mapped("rows", inside(step("b", undo=PYTHON))), True),
        (mapped("rows", inside(mapped("lines", undo=PYTHON))), True),
        (mapped("rows", inside(mapped("lines"))), False),
        (mapped(of=paged()), False),
    ],
)
def test_a_map_reverses_where_anything_in_it_does(written: Document, expected: bool) -> None:
    assert map_of(plan(written)).reverses is expected


def test_environment_that_passes_arguments_of_elements_is_left_out_of_pages() -> None:
    env = [{"name": "ROW", "argument": "row"}, {"name": "A", "value": "b"}, {"name": "C", "argument": "cursor"}]
    for written in ({"env": env[:2]}, {"defaults": env[:2]}):
        defaults = {"defaults": {"env": written["defaults"]}} if "defaults" in written else {}
        own = {"env": written["env"]} if "env" in written else {}
        body = {"run": PYTHON, "collect": {"run": PYTHON}}
        nodes = laid_out(
            mapped("rows", body, of=paged(), arguments={"row": {"element": "rows"}}, **own), **defaults
        ).nodes
        for path in ("rows[page]", "rows[collect]"):
            assert [one.name for one in nodes[path].step.env or ()] == ["A"]
        assert nodes["rows[]"].step.env is None or len(nodes["rows[]"].step.env) == 2


def test_a_map_waits_for_all_that_anything_in_it_reads() -> None:
    body = {
        **paged(arguments={"x": {"result": "a"}}, run={"http": {"method": "GET", "url": {"result": "b"}}}),
        **inside(step("in", arguments={"x": {"result": "c"}}), returns={"expr": "results.d"}),
        "collect": {"expr": "results.e"},
    }
    names = ["a", "b", "c", "d", "e", "f"]
    made = plan(*map(step, names), {"name": "rows", "map": body, "arguments": {"x": {"result": "f"}}})
    assert set(made.steps["rows"].needs) == set(names)
    assert set(made.steps["rows"].reads) == set(names)
