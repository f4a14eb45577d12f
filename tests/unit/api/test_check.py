"""What is checked of a reactor: each rule with the field and the reason that a problem is told with."""

from collections.abc import Mapping
from typing import Any

import pytest

from reactor_operator.api.check import check_spec
from reactor_operator.api.reactor import OnLimit
from tests.unit.api.documents import CONTAINER, PYTHON, check, found, sound, spec, step
from tests.unit.api.full import FULL


def test_a_reactor_with_every_field_is_sound() -> None:
    checked = check_spec(FULL)
    assert checked.problems == ()
    assert checked.warnings == ()
    assert checked.spec is not None
    assert checked.spec.step("receipt").on_error is not None


RULES: list[tuple[str, Mapping[str, Any], str, str]] = [
    ("unknown field of a step", spec(step("a", undoo=PYTHON)), "spec.steps[0].undoo", "UnknownField"),
    ("unknown field of the spec", spec(step("a"), step=1), "spec.step", "UnknownField"),
    ("snake case is unknown", spec(step("a", wait_for=[])), "spec.steps[0].wait_for", "UnknownField"),
    (
        "run has no policies",
        spec(step("a", run={**PYTHON, "timeout": "1s"})),
        "spec.steps[0].run.timeout",
        "UnknownField",
    ),
    ("no steps", spec(), "spec.steps", "Required"),
    ("steps missing", {}, "spec.steps", "Required"),
    ("steps null", {"steps": None}, "spec.steps", "InvalidValue"),
    ("10,001 steps", spec(*(step(f"s{i}") for i in range(10_001))), "spec.steps", "TooMany"),
    ("a step that is text", {"steps": ["a"]}, "spec.steps[0]", "InvalidValue"),
    ("a name of 64 characters", spec(step("a" * 64)), "spec.steps[0].name", "TooLong"),
    ("an upper-case name", spec(step("Reserve")), "spec.steps[0].name", "InvalidValue"),
    ("a name with a newline", spec(step("a\n")), "spec.steps[0].name", "InvalidValue"),
    ("no name", {"steps": [{"run": PYTHON}]}, "spec.steps[0].name", "Required"),
    ("the same name twice", spec(step("a"), step("a")), "spec.steps[1].name", "DuplicateName"),
    ("nothing to do", {"steps": [{"name": "a"}]}, "spec.steps[0]", "Required"),
    ("an empty run", spec(step("a", run={})), "spec.steps[0].run", "Required"),
    ("two forms of run", spec(step("a", run={**PYTHON, **CONTAINER})), "spec.steps[0].run", "InvalidValue"),
    ("undo: null", spec(step("a", undo=None)), "spec.steps[0].undo", "InvalidValue"),
    ("python without a form", spec(step("a", run={"python": {}})), "spec.steps[0].run.python", "Required"),
    (
        "python with a container's field",
        spec(step("a", run={"python": {"handler": "a:b", "image": "x"}})),
        "spec.steps[0].run.python.image",
        "UnknownField",
    ),
    (
        "a handler without a function",
        spec(step("a", run={"python": {"handler": "shop.inventory"}})),
        "spec.steps[0].run.python.handler",
        "InvalidValue",
    ),
    (
        "a script without main",
        spec(step("a", run={"python": {"source": "x = 1"}})),
        "spec.steps[0].run.python.source",
        "InvalidSource",
    ),
    (
        "a script that is no Python",
        spec(step("a", run={"python": {"source": "def main(:\n"}})),
        "spec.steps[0].run.python.source",
        "InvalidSource",
    ),
    (
        "a container without an image",
        spec(step("a", run={"container": {}})),
        "spec.steps[0].run.container.image",
        "Required",
    ),
    (
        "exit codes beside python",
        spec(step("a", run={**PYTHON, "exitCodes": {"fatal": [1]}})),
        "spec.steps[0].run.exitCodes",
        "InvalidValue",
    ),
    (
        "an exit code with two meanings",
        spec(step("a", run={**CONTAINER, "exitCodes": {"fatal": [1], "skip": [1]}})),
        "spec.steps[0].run.exitCodes.skip[0]",
        "InvalidValue",
    ),
    (
        "continue outside compensate",
        spec(step("a", run={**CONTAINER, "exitCodes": {"continue": [1]}})),
        "spec.steps[0].run.exitCodes.continue",
        "InvalidValue",
    ),
    (
        "halt outside run",
        spec(step("a", undo={**CONTAINER, "exitCodes": {"halt": [1]}})),
        "spec.steps[0].undo.exitCodes.halt",
        "InvalidValue",
    ),
    (
        "an exit code of 256",
        spec(step("a", run={**CONTAINER, "exitCodes": {"fatal": [256]}})),
        "spec.steps[0].run.exitCodes.fatal[0]",
        "InvalidValue",
    ),
    ("an unknown kind in retryOn", spec(step("a", retryOn=["Eror"])), "spec.steps[0].retryOn[0]", "InvalidValue"),
    (
        "a number in quotes",
        spec(step("a", retries={"maxAttempts": "3"})),
        "spec.steps[0].retries.maxAttempts",
        "InvalidValue",
    ),
    ("a boolean as number", spec(step("a"), parallelism=True), "spec.parallelism", "InvalidValue"),
    ("a float as number", spec(step("a"), parallelism=2.0), "spec.parallelism", "InvalidValue"),
    ("no parallelism", spec(step("a"), parallelism=0), "spec.parallelism", "InvalidValue"),
    ("a duration in days", spec(step("a"), timeout="1d"), "spec.timeout", "InvalidValue"),
    ("a timeout of nothing", spec(step("a", timeout="0s")), "spec.steps[0].timeout", "InvalidValue"),
    (
        "an argument name that is reserved",
        spec(step("a", arguments={"context": {"value": 1}})),
        "spec.steps[0].arguments.context",
        "ReservedName",
    ),
    (
        "an argument name with a dash",
        spec(step("a", arguments={"a-b": {"value": 1}})),
        "spec.steps[0].arguments.a-b",
        "InvalidValue",
    ),
    (
        "a source without a form",
        spec(step("a", arguments={"x": {"path": "a"}})),
        "spec.steps[0].arguments.x",
        "Required",
    ),
    (
        "a source of two forms",
        spec(step("a", arguments={"x": {"value": 1, "input": "y"}})),
        "spec.steps[0].arguments.x",
        "InvalidValue",
    ),
    (
        "a source with an unreadable path",
        spec(step("a", arguments={"x": {"input": "a..b"}})),
        "spec.steps[0].arguments.x.input",
        "InvalidPath",
    ),
    (
        "a path into a secret",
        spec(step("a", arguments={"x": {"secretKeyRef": {"name": "s", "key": "k"}, "path": "p"}})),
        "spec.steps[0].arguments.x.path",
        "InvalidValue",
    ),
    (
        "secrets that share a variable",
        spec(
            step(
                "a",
                arguments={
                    "key": {"secretKeyRef": {"name": "s", "key": "k"}},
                    "KEY": {"secretKeyRef": {"name": "s", "key": "l"}},
                },
            )
        ),
        "spec.steps[0].arguments.KEY",
        "DuplicateName",
    ),
    (
        "65 arguments",
        spec(step("a", arguments={f"a{i}": {"value": 1} for i in range(65)})),
        "spec.steps[0].arguments",
        "TooMany",
    ),
    ("waiting for an unknown step", spec(step("a", waitFor=["b"])), "spec.steps[0].waitFor[0]", "UnknownReference"),
    (
        "the result of an unknown step",
        spec(step("a", arguments={"x": {"result": "b"}})),
        "spec.steps[0].arguments.x.result",
        "UnknownReference",
    ),
    (
        "an expression over an unknown step",
        spec(step("a", when="results.b.ok")),
        "spec.steps[0].when",
        "UnknownReference",
    ),
    ("returns of an unknown step", spec(step("a"), returns={"result": "b"}), "spec.returns.result", "UnknownReference"),
    (
        "a secret as result",
        spec(step("a"), returns={"secretKeyRef": {"name": "s", "key": "k"}}),
        "spec.returns",
        "InvalidValue",
    ),
    ("a step that waits for itself", spec(step("a", waitFor=["a"])), "spec.steps[0].waitFor[0]", "SelfReference"),
    ("a step that reads itself", spec(step("a", when="results.a.x")), "spec.steps[0].when", "SelfReference"),
    ("bad CEL", spec(step("a", when="inputs.total >")), "spec.steps[0].when", "InvalidExpression"),
    (
        "a variable CEL does not have",
        spec(step("a", when="input.total > 0")),
        "spec.steps[0].when",
        "InvalidExpression",
    ),
    ("an expression of 4,097 characters", spec(step("a", when="1" * 4097)), "spec.steps[0].when", "TooLong"),
    ("a schema of no type", spec(step("a"), inputsSchema={"type": "objct"}), "spec.inputsSchema.type", "InvalidSchema"),
    (
        "a schema that leaves the document",
        spec(step("a"), inputsSchema={"$ref": "https://example.com/order.json"}),
        "spec.inputsSchema['$ref']",
        "InvalidSchema",
    ),
    (
        "a reference that leads nowhere",
        spec(step("a"), inputsSchema={"$ref": "#/$defs/order"}),
        "spec.inputsSchema",
        "InvalidSchema",
    ),
    (
        "two schemas",
        spec(step("a"), inputsSchema={}, inputsSchemaFrom={"configMapKeyRef": {"name": "a", "key": "b"}}),
        "spec.inputsSchemaFrom",
        "InvalidValue",
    ),
    (
        "an unknown argument in env",
        spec(step("a", env=[{"name": "A", "argument": "x"}])),
        "spec.steps[0].env[0].argument",
        "UnknownReference",
    ),
    (
        "an unknown argument in a container's env",
        spec(step("a", run={"container": {"image": "i", "env": [{"name": "A", "argument": "x"}]}})),
        "spec.steps[0].run.container.env[0].argument",
        "UnknownReference",
    ),
    (
        "an unknown argument in the env of defaults",
        spec(step("a"), defaults={"env": [{"name": "A", "argument": "x"}]}),
        "spec.defaults.env[0].argument",
        "UnknownReference",
    ),
    (
        "a variable with two values",
        spec(step("a", env=[{"name": "A", "value": "x", "argument": "y"}])),
        "spec.steps[0].env[0]",
        "InvalidValue",
    ),
    (
        "a variable whose name has '='",
        spec(step("a", env=[{"name": "A=B", "value": "x"}])),
        "spec.steps[0].env[0].name",
        "InvalidValue",
    ),
    (
        "a variable whose name breaks the line",
        spec(step("a", env=[{"name": "A\nB", "value": "x"}])),
        "spec.steps[0].env[0].name",
        "InvalidValue",
    ),
    (
        "a label's key with a space",
        spec(step("a", pod={"metadata": {"labels": {"my team": "x"}}})),
        "spec.steps[0].pod.metadata.labels['my team']",
        "InvalidValue",
    ),
    (
        "a label's value with a space",
        spec(step("a", pod={"metadata": {"labels": {"example.com/team": "my team"}}})),
        "spec.steps[0].pod.metadata.labels['example.com/team']",
        "InvalidValue",
    ),
    ("a boolean key", {"steps": [{"name": "a", "run": PYTHON, True: 1}]}, "spec.steps[0]", "InvalidKey"),
    ("what is not built", spec(step("a"), schedule="0 * * * *"), "spec.schedule", "UnknownField"),
    ("no run at all", spec(step("a"), maxActiveRuns=0), "spec.maxActiveRuns", "InvalidValue"),
    ("a limit that is no number", spec(step("a"), maxActiveRuns="3"), "spec.maxActiveRuns", "InvalidValue"),
    ("a limit of null", spec(step("a"), maxActiveRuns=None), "spec.maxActiveRuns", "InvalidValue"),
    (
        "an unknown answer to the limit",
        spec(step("a"), maxActiveRuns=1, onLimit="Wait"),
        "spec.onLimit",
        "InvalidValue",
    ),
    ("less than no history", spec(step("a"), history={"failed": -1}), "spec.history.failed", "InvalidValue"),
    ("a typo in history", spec(step("a"), history={"success": 1}), "spec.history.success", "UnknownField"),
]


@pytest.mark.parametrize(("rule", "document", "path", "reason"), RULES, ids=[rule[0] for rule in RULES])
def test_each_problem_is_named_by_field_and_reason(
    rule: str, document: Mapping[str, Any], path: str, reason: str
) -> None:
    checked = check_spec(document)
    assert (path, reason) in found(checked.problems)
    assert checked.spec is None


def test_names_that_are_one_word_in_an_expression_are_refused_by_kind() -> None:
    # '_' is not allowed in a step name, so only two spellings with '-' could meet; the second of a pair is named
    assert found(check(step("book-courier"), step("book_courier")).problems) == {
        ("spec.steps[1].name", "InvalidValue"),
        ("spec.steps[1].name", "DuplicateName"),
    }


def test_63_characters_are_a_name() -> None:
    sound(step("a" * 63))


def test_ten_thousand_steps_are_allowed() -> None:
    steps = [step(f"s{i}", waitFor=[f"s{i - 1}"] if i else []) for i in range(10_000)]
    assert len(sound(*steps).steps) == 10_000


def test_history_has_a_hundred_of_each_where_nothing_is_said_and_one_number_leaves_the_other() -> None:
    unset, one = check_spec(spec(step("a"))).spec, check_spec(spec(step("a"), history={"failed": 0})).spec
    assert unset is not None
    assert one is not None
    assert (unset.history.succeeded, unset.history.failed) == (100, 100)
    assert (one.history.succeeded, one.history.failed) == (100, 0)
    assert (unset.max_active_runs, unset.on_limit) == (None, OnLimit.QUEUE)
