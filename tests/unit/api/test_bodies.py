"""Composes, switches and transforms: what is refused, and how a reactor with steps inside is laid out."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from reactor_operator.api.blueprint import (
    MAX_AROUND,
    MAX_PATH,
    MAX_RECURSION,
    Blueprint,
    CannotLayOut,
    blueprint_of,
)
from reactor_operator.api.check import check_spec
from reactor_operator.api.planning import plan_of
from reactor_operator.api.status import StepStatus
from reactor_operator.engine.plan import Plan, StepKind
from reactor_operator.engine.state import StepPhase
from tests.unit.api.documents import PYTHON, check, found, sound, step

Document = Mapping[str, Any]
SHELL: Document = {"container": {"image": "shop:1", "env": [{"name": "X", "argument": "nope"}]}}


def compose(name: str, *steps: Document, **fields: Any) -> dict[str, Any]:
    """A step with steps inside."""
    returns = {"returns": fields.pop("returns")} if "returns" in fields else {}
    return {"name": name, "compose": {"steps": list(steps), **returns}, **fields}


def refer(name: str, reactor: str, **fields: Any) -> dict[str, Any]:
    """A step that is another reactor."""
    inputs = {"inputs": fields.pop("inputs")} if "inputs" in fields else {}
    return {"name": name, "compose": {"reactorRef": {"name": reactor}, **inputs}, **fields}


def switch(name: str, *cases: Document, default: Document | None = None, **fields: Any) -> dict[str, Any]:
    """A step that chooses."""
    return {"name": name, "switch": {"cases": list(cases), **({"default": default} if default else {})}, **fields}


def case(when: str = "true", **body: Any) -> dict[str, Any]:
    return {"when": when, **(body or {"run": PYTHON})}


BAD = [
    ("two things to do", step("a", transform={"value": 1}), "spec.steps[0]", "InvalidValue"),
    (
        "an unknown field in a body",
        {"name": "a", "compose": {"step": []}},
        "spec.steps[0].compose.step",
        "UnknownField",
    ),
    ("a body without a form", {"name": "a", "compose": {}}, "spec.steps[0].compose", "Required"),
    ("no steps", compose("a"), "spec.steps[0].compose.steps", "Required"),
    ("a wrong step inside", compose("a", step("b", undoo=1)), "spec.steps[0].compose.steps[0].undoo", "UnknownField"),
    ("a wrong name inside", compose("a", step("B")), "spec.steps[0].compose.steps[0].name", "InvalidValue"),
    ("undo of a compose", compose("a", step("b"), undo=PYTHON), "spec.steps[0].undo", "InvalidValue"),
    ("timeout of a compose", compose("a", step("b"), timeout="1s"), "spec.steps[0].timeout", "InvalidValue"),
    ("undo of a value", {"name": "a", "transform": {"value": 1}, "undo": PYTHON}, "spec.steps[0].undo", "InvalidValue"),
    (
        "retries of a value",
        {"name": "a", "transform": {"value": 1}, "retries": {"maxAttempts": 2}},
        "spec.steps[0].retries",
        "InvalidValue",
    ),
    (
        "undo of a switch with steps inside",
        switch("a", case(steps=[step("b")]), undo=PYTHON),
        "spec.steps[0].undo",
        "InvalidValue",
    ),
    (
        "timeout of a switch with steps inside",
        switch("a", case(), case(steps=[step("b")]), timeout="1s"),
        "spec.steps[0].timeout",
        "InvalidValue",
    ),
    (
        "timeout of a switch with another reactor inside",
        switch("a", case(), default={"reactorRef": {"name": "other"}}, timeout="1s"),
        "spec.steps[0].timeout",
        "InvalidValue",
    ),
    (
        "an unknown argument in the environment of a compose",
        {"name": "a", "compose": {"run": SHELL}},
        "spec.steps[0].compose.run.container.env[0].argument",
        "UnknownReference",
    ),
    (
        "an unknown argument in the environment of a case",
        switch("a", case(run=SHELL)),
        "spec.steps[0].switch.cases[0].run.container.env[0].argument",
        "UnknownReference",
    ),
    (
        "an unknown argument in the environment of a default",
        switch("a", case(), default={"run": SHELL}),
        "spec.steps[0].switch.default.run.container.env[0].argument",
        "UnknownReference",
    ),
    (
        "returns without steps",
        {"name": "a", "compose": {"run": PYTHON, "returns": {"value": 1}}},
        "spec.steps[0].compose.returns",
        "InvalidValue",
    ),
    (
        "inputs without a reactor",
        {"name": "a", "compose": {"steps": [step("b")], "inputs": {"x": {"value": 1}}}},
        "spec.steps[0].compose.inputs",
        "InvalidValue",
    ),
    (
        "a secret as an input",
        refer("a", "other", inputs={"x": {"secretKeyRef": {"name": "s", "key": "k"}}}),
        "spec.steps[0].compose.inputs.x",
        "InvalidValue",
    ),
    (
        "a secret as a value",
        {"name": "a", "transform": {"secretKeyRef": {"name": "s", "key": "k"}}},
        "spec.steps[0].transform",
        "InvalidValue",
    ),
    (
        "a bad condition",
        switch("a", case("1 +")),
        "spec.steps[0].switch.cases[0].when",
        "InvalidExpression",
    ),
    ("args before there are any", step("a", when="args.x"), "spec.steps[0].when", "InvalidExpression"),
    (
        "an unknown step read inside",
        compose("a", step("b", arguments={"x": {"result": "nobody"}})),
        "spec.steps[0].compose.steps[0].arguments.x.result",
        "UnknownReference",
    ),
    (
        "a script inside that is none",
        compose("a", step("b", run={"python": {"source": "def mian(): pass"}})),
        "spec.steps[0].compose.steps[0].run.python.source",
        "InvalidSource",
    ),
    (
        "a cycle inside",
        compose("a", step("b", waitFor=["c"]), step("c", waitFor=["b"])),
        "spec.steps[0].compose.steps[0]",
        "Cycle",
    ),
    (
        "a step inside that waits for what it is inside of",
        compose("a", step("b", waitFor=["a"])),
        "spec.steps[0].compose",
        "SelfReference",
    ),
]


@pytest.mark.parametrize(("what", "written", "path", "reason"), BAD, ids=[bad[0] for bad in BAD])
def test_what_is_wrong_is_named_by_field_and_reason(what: str, written: Document, path: str, reason: str) -> None:
    assert (path, reason) in found(check(written).problems), what


@pytest.mark.parametrize("body", [{"compose": {"run": PYTHON}}, {"switch": {"cases": [case()]}}])
def test_a_body_that_is_a_task_gets_the_environment_of_the_defaults(body: Document) -> None:
    defaults = {"env": [{"name": "X", "argument": "x"}]}
    assert found(check({"name": "a", **body}, defaults=defaults).problems) == {
        ("spec.defaults.env[0].argument", "UnknownReference")
    }
    assert check({"name": "a", "env": [], **body}, defaults=defaults).problems == ()
    assert check({"name": "a", "arguments": {"x": {"value": 1}}, **body}, defaults=defaults).problems == ()


def test_a_name_inside_may_not_hide_one_around_it() -> None:
    problems = check(step("book-it"), compose("a", step("book_it".replace("_", "-")))).problems
    assert found(problems) == {("spec.steps[1].compose.steps[0].name", "DuplicateName")}


def test_what_is_waited_for_inside_is_waited_for_by_the_whole_compose() -> None:
    problems = check(compose("a", step("b", waitFor=["c"])), step("c", waitFor=["a"])).problems
    assert found(problems) == {("spec.steps[0]", "Cycle")}


def test_steps_may_be_nested_five_deep_and_no_deeper() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return compose(f"c{depth}", nested(depth - 1) if depth > 1 else step("leaf"))

    assert check(nested(5)).problems == ()
    path = "spec.steps[0]" + ".compose.steps[0]" * 5 + ".compose.steps"
    assert found(check(nested(6)).problems) == {(path, "TooDeep")}


# Laid out


def laid(*steps: Document, others: Mapping[str, Document] | None = None, **fields: Any) -> Blueprint:
    composed = {}
    for name, document in (others or {}).items():
        checked = check_spec(document)
        assert checked.spec is not None, checked.problems
        composed[name] = checked.spec
    return blueprint_of(sound(*steps, **fields), composed)


def plan(*steps: Document, others: Mapping[str, Document] | None = None, **fields: Any) -> Plan:
    return plan_of(laid(*steps, others=others, **fields), pending_timeout_ms=1)


def test_steps_inside_are_under_the_path_of_what_they_are_inside_of() -> None:
    made = plan(step("pay"), compose("ship", step("pack"), compose("send", step("book"), waitFor=["pack"])))
    assert list(made.steps) == ["pay", "ship", "ship/pack", "ship/send", "ship/send/book"]
    assert made.children == ("pay", "ship")
    assert made.steps["ship"].children == ("ship/pack", "ship/send")
    assert made.steps["ship/send"].needs == ("ship/pack",)
    assert made.steps["ship/send/book"].scope == "ship/send"


def test_the_bodies_of_a_switch_are_steps_with_its_policies() -> None:
    made = plan(
        switch(
            "route", case(), case(steps=[step("fly")]), default={"transform": {"value": 1}}, retries={"maxAttempts": 3}
        )
    )
    kinds = {path: one.kind for path, one in made.steps.items()}
    assert kinds == {
        "route": StepKind.SWITCH,
        "route[0]": StepKind.TASK,
        "route[1]": StepKind.COMPOSE,
        "route[1]/fly": StepKind.TASK,
        "route[default]": StepKind.TRANSFORM,
    }
    assert made.steps["route"].children == ("route[0]", "route[1]", "route[default]")
    assert made.steps["route[0]"].run.retries.max_attempts == 3
    assert made.steps["route[1]"].contains_failures
    assert made.steps["route[1]/fly"].run.retries.max_attempts == 1


@pytest.mark.parametrize(
    ("fields", "contains"),
    [
        ({}, False),
        ({"retries": {"maxAttempts": 2}}, True),
        ({"compensate": PYTHON}, True),
        ({"onError": {"action": "Continue"}}, True),
    ],
)
def test_a_compose_contains_failures_where_it_says_what_happens_to_them(fields: Document, contains: bool) -> None:
    assert plan(compose("a", step("b"), **fields)).steps["a"].contains_failures is contains


def test_retries_of_the_defaults_are_those_of_tasks_not_of_composes() -> None:
    made = plan(compose("a", step("b")), defaults={"retries": {"maxAttempts": 4}, "timeout": "1s"})
    assert made.steps["a/b"].run.retries.max_attempts == 4
    assert (made.steps["a"].run.retries.max_attempts, made.steps["a"].run.timeout_ms) == (1, None)
    assert not made.steps["a"].contains_failures


def test_a_compose_of_a_run_is_that_run() -> None:
    assert plan({"name": "a", "compose": {"run": PYTHON}}).steps["a"].kind is StepKind.TASK


SHIPPING: Document = {
    "defaults": {"retries": {"maxAttempts": 7}},
    "steps": [step("pack"), step("book", arguments={"p": {"result": "pack"}})],
}


def test_another_reactor_is_laid_out_inside_with_its_own_defaults() -> None:
    blueprint = laid(step("pack"), refer("ship", "shipping", waitFor=["pack"]), others={"shipping": SHIPPING})
    assert list(blueprint.nodes) == ["pack", "ship", "ship/pack", "ship/book"]
    assert blueprint.nodes["ship/book"].reads() == {"pack": "ship/pack"}
    assert blueprint.nodes["ship/book"].scope.inputs_from == "ship"
    assert plan_of(blueprint, pending_timeout_ms=1).steps["ship/book"].run.retries.max_attempts == 7


def test_steps_inside_read_the_inputs_of_the_reactor_they_are_written_in() -> None:
    other = {"steps": [compose("a", step("b"))]}
    blueprint = laid(refer("x", "other"), compose("y", step("z")), others={"other": other})
    assert blueprint.nodes["x/a/b"].scope.inputs_from == "x"
    assert blueprint.nodes["y/z"].scope.inputs_from == ""


def test_a_reactor_that_is_not_there_is_named_with_its_place() -> None:
    with pytest.raises(CannotLayOut) as refused:
        laid(compose("a", refer("b", "nobody")))
    assert found(refused.value.problems) == {
        ("spec.steps[0].compose.steps[0].compose.reactorRef.name", "UnknownReference")
    }


def test_reactors_that_compose_each_other_without_an_end_are_refused() -> None:
    others = {"one": {"steps": [refer("x", "two")]}, "two": {"steps": [refer("x", "one")]}}
    with pytest.raises(CannotLayOut, match="one -> two -> one"):
        laid(refer("a", "one"), others=others)


def chained(count: int) -> dict[str, Document]:
    """Reactors that each compose the next one inside four composes."""

    def nested(leaf: dict[str, Any]) -> dict[str, Any]:
        for number in range(4):
            leaf = compose(f"c{number}", leaf)
        return leaf

    last = f"r{count - 1}"
    return {
        f"r{number}": {"steps": [nested(step("x") if f"r{number}" == last else refer("n", f"r{number + 1}"))]}
        for number in range(count)
    }


def test_steps_may_be_inside_of_fifty_others_over_all_reactors_and_no_more() -> None:
    deepest = plan(refer("a", "r0"), others=chained(10)).steps
    assert max(path.count("/") for path in deepest) == MAX_AROUND
    for count in (11, 80):  # the first is refused by its rule, the second was one recursion too many
        with pytest.raises(CannotLayOut) as refused:
            laid(refer("a", "r0"), others=chained(count))
        assert {problem.reason for problem in refused.value.problems} == {"TooDeep"}


def test_a_path_may_be_as_long_as_the_status_has_room_for() -> None:
    def of_length(length: int) -> Blueprint:
        others = {"one": {"steps": [compose("y" * 50, step("z" * (length - 968)))]}}
        others |= {f"r{n}": {"steps": [refer("x" * 60, f"r{n + 1}" if n < 14 else "one")]} for n in range(15)}
        return laid(refer("a", "r0"), others=others)

    deepest = list(of_length(MAX_PATH).nodes)[-1]
    assert len(StepStatus(name=deepest, phase=StepPhase.PENDING).name) == MAX_PATH
    with pytest.raises(ValidationError, match="1024"):
        StepStatus(name=f"{deepest}x", phase=StepPhase.PENDING)
    with pytest.raises(CannotLayOut, match="has 1025 characters, expected at most 1024"):
        of_length(MAX_PATH + 1)


def test_a_reactor_inside_itself_behind_a_condition_is_laid_out_to_a_limit() -> None:
    again = case("inputs.n > 0", reactorRef={"name": "one"})
    others = {"one": {"steps": [switch("again", again, default={"transform": {"value": 0}})]}}
    blueprint = laid(refer("a", "one"), others=others)
    deepest = "a" + "/again[0]" * MAX_RECURSION
    assert blueprint.nodes[deepest].too_deep
    assert not any(path.startswith(f"{deepest}/") for path in blueprint.nodes)
