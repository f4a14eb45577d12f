"""How problems of a reactor are told: all of them at once, each once, in few words, with the nearest name."""

import pytest

from reactor_operator.api.check import check_spec
from tests.unit.api.documents import CONTAINER, PYTHON, check, found, spec, step


def test_the_nearest_field_is_named() -> None:
    (problem,) = check(step("a", undoo=PYTHON)).problems
    assert problem.message == "unknown field 'undoo': did you mean undo?"


def test_the_nearest_step_is_named() -> None:
    (problem,) = check(step("charge"), step("ship", waitFor=["chrage"])).problems
    assert problem.message == "unknown step chrage: did you mean charge?"


def test_a_cycle_is_told_with_its_path() -> None:
    steps = (step("a", waitFor=["c"]), step("b", arguments={"x": {"result": "a"}}), step("c", when="results.b.ok"))
    (problem,) = check(*steps).problems
    assert problem.reason == "Cycle"
    assert "a -> c -> b -> a" in problem.message


def test_a_long_cycle_is_cut_and_found_without_recursion() -> None:
    steps = [step(f"s{i}", waitFor=[f"s{(i + 1) % 5_000}"]) for i in range(5_000)]
    (problem,) = check(*steps).problems
    assert problem.reason == "Cycle"
    assert len(problem.message) < 400


def test_one_wrong_field_hides_no_other_problem() -> None:
    document = {
        "parallelism": "many",
        "inputsSchema": {"type": "objct"},
        "returns": {"result": "nobody"},
        "steps": [
            {
                "name": "Reserve",
                "undoo": PYTHON,
                "run": {"python": {"handler": "x"}, "container": {}},
                "arguments": {"a": {"input": 1}, "b": {"result": "nobody"}, "failure": {"value": 1}},
                "when": "1 +",
                "retryOn": ["Eror"],
            },
            {"name": "charge", "run": PYTHON, "waitFor": ["ship"]},
            {"name": "ship", "waitFor": ["charge"], "timeout": 3},
        ],
    }
    assert found(check_spec(document).problems) == {
        ("spec.parallelism", "InvalidValue"),
        ("spec.inputsSchema.type", "InvalidSchema"),
        ("spec.returns.result", "UnknownReference"),
        ("spec.steps[0].name", "InvalidValue"),
        ("spec.steps[0].undoo", "UnknownField"),
        ("spec.steps[0].run", "InvalidValue"),
        ("spec.steps[0].run.python.handler", "InvalidValue"),
        ("spec.steps[0].run.container.image", "Required"),
        ("spec.steps[0].arguments.a.input", "InvalidValue"),
        ("spec.steps[0].arguments.b.result", "UnknownReference"),
        ("spec.steps[0].arguments.failure", "ReservedName"),
        ("spec.steps[0].when", "InvalidExpression"),
        ("spec.steps[0].retryOn[0]", "InvalidValue"),
        ("spec.steps[1]", "Cycle"),
        ("spec.steps[2]", "Required"),
        ("spec.steps[2].timeout", "InvalidValue"),
    }


def test_a_rule_across_fields_is_judged_whatever_else_is_wrong() -> None:
    codes = {"continue": [3], "fatal": [3]}
    document = spec(
        step("a", when="1 +", run={**CONTAINER, "exitCodes": codes}, undo={**CONTAINER, "exitCodes": codes}),
        step("b", run={"python": {"source": "def main(:"}, "exitCodes": {"fatal": [1]}}),
        step("c", arguments={"x": {"secretKeyRef": {"name": "s", "key": "k"}, "path": "p", "default": 1}}),
        inputsSchema={},
        inputsSchemaFrom={"configMapKeyRef": {"name": "a", "key": "b"}},
        unknown=1,
    )
    assert found(check_spec(document).problems) == {
        ("spec.unknown", "UnknownField"),
        ("spec.inputsSchemaFrom", "InvalidValue"),
        ("spec.steps[0].when", "InvalidExpression"),
        ("spec.steps[0].run.exitCodes.continue", "InvalidValue"),
        ("spec.steps[0].run.exitCodes.continue[0]", "InvalidValue"),
        ("spec.steps[0].undo.exitCodes.continue", "InvalidValue"),
        ("spec.steps[0].undo.exitCodes.continue[0]", "InvalidValue"),
        ("spec.steps[1].run.exitCodes", "InvalidValue"),
        ("spec.steps[1].run.python.source", "InvalidSource"),
        ("spec.steps[2].arguments.x.path", "InvalidValue"),
        ("spec.steps[2].arguments.x.default", "InvalidValue"),
    }


def test_an_argument_that_the_defaults_pass_and_many_steps_lack_is_told_once() -> None:
    env = [{"name": f"N{i}", "argument": f"argument{i % 500}"} for i in range(1_000)]
    problems = check(*(step(f"s{i}") for i in range(10_000)), defaults={"env": env}).problems
    assert len(problems) == 1_000
    assert "of step s0" in problems[0].message


def test_the_env_of_the_defaults_asks_nothing_of_a_step_that_has_its_own() -> None:
    env = [{"name": "ORDER", "argument": "order"}]
    own = {"container": {"image": "i", "env": []}}
    assert check(step("a", env=[]), step("b", run=own), defaults={"env": env}).problems == ()
    assert check(step("b", run=own, undo=CONTAINER), defaults={"env": env}).problems


@pytest.mark.heavy
def test_thousands_of_unknown_steps_are_reported_without_comparing_all_with_all() -> None:
    steps = [step(f"step-number-{i}", waitFor=[f"step-numbre-{i}"]) for i in range(10_000)]
    problems = check(*steps).problems
    assert len(problems) == 10_000
    assert problems[0].message == "unknown step step-numbre-0: did you mean step-number-0?"
    assert sum("did you mean" in problem.message for problem in problems) == 2


@pytest.mark.parametrize("name", ["x" * 1_000_000, "a\x1b[31m\n", "\ud800"])
def test_a_hostile_name_does_not_make_a_hostile_message(name: str) -> None:
    bad = {**step("a", waitFor=["b"]), "name": name}
    for problem in check(bad, bad, step("b", waitFor=["b"]), {**bad, name: 1}).problems:
        assert len(str(problem)) < 1_000
        assert str(problem).isprintable()
