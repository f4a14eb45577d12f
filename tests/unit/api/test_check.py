from collections.abc import Mapping
from typing import Any

import pytest

from reactor_operator.api.check import check_reactor, check_spec
from reactor_operator.api.reactor import OnLimit
from tests.unit.api.documents import CONTAINER, PYTHON, check, found, reactor, sound, spec, step

FULL: Mapping[str, Any] = {
    "description": "Reserve, charge, ship.",
    "inputsSchema": {"type": "object", "properties": {"orderId": {"type": "string", "minLength": 1}}},
    "defaults": {
        "image": "registry.example/shop:1.4",
        "modules": {"configMapRef": {"name": "checkout-modules"}},
        "placement": "job",
        "retries": {"maxAttempts": 1},
        "timeout": "10m",
        "env": [{"name": "A", "value": "b"}, {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "envFrom": [{"configMapRef": {"name": "x"}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "resources": {"limits": {"cpu": 1, "memory": "10Mi"}},
        "pod": {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}, "spec": {"nodeSelector": {"e": "f"}}},
        "podRetention": "all",
    },
    "timeout": "1h",
    "parallelism": 20,
    "onFailure": "terminate",
    "infrastructureRetries": 0,
    "ttlAfterFinished": "0s",
    "rollback": {"deadline": "24h", "retries": {"maxAttempts": 5, "backoff": "exponential", "baseDelay": "1s"}},
    "steps": [
        {
            "name": "reserve",
            "arguments": {
                "items": {"input": "items", "path": "[0].sku"},
                "token": {"secretKeyRef": {"name": "shop", "key": "token"}},
                "mode": {"configMapKeyRef": {"name": "shop", "key": "mode"}},
                "limit": {"value": 3},
            },
            "run": {"python": {"source": "def main(items):\n    return items\n"}},
            "compensate": {
                "python": {"handler": "shop.inventory:clear_partial"},
                "timeout": "5s",
                "retryOn": ["Error"],
            },
            "undo": {"python": {"handler": "shop.inventory:Stock.release"}, "retries": {"maxAttempts": 9}},
            "retries": {
                "maxAttempts": 3,
                "backoff": "linear",
                "baseDelay": "1s",
                "maxDelay": "1m",
                "jitterPercent": 10,
            },
            "retryOn": ["Error", "Timeout"],
            "timeout": "30s",
        },
        {
            "name": "book-courier",
            "arguments": {"reservation": {"result": "reserve", "path": "id", "default": "none"}},
            "run": {
                "container": {
                    "image": "payments:2",
                    "command": ["/charge"],
                    "args": ["$(AMOUNT)"],
                    "workingDir": "/srv",
                    "env": [{"name": "AMOUNT", "argument": "reservation"}],
                    "output": {"path": "/out/result.json", "format": "json"},
                },
                "exitCodes": {"fatal": [3], "skip": [4], "halt": [5]},
            },
            "compensate": {"container": {"image": "payments:2"}, "exitCodes": {"continue": [6]}},
            "when": "inputs.total > 0 && results.reserve.ok",
            "placement": "pod",
        },
        {
            "name": "receipt",
            "waitFor": ["book-courier"],
            "arguments": {"id": {"expr": "results.book_courier.id + results['reserve'].id"}},
            "run": {"python": {"handler": "shop.mail:receipt"}},
            "onError": {"action": "Continue", "value": None},
        },
    ],
    "returns": {"result": "book-courier", "path": "id"},
}


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
    ("what is not built", spec(step("a"), webhooks=[]), "spec.webhooks", "UnknownField"),
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


def test_names_that_are_one_word_in_an_expression_are_refused_by_kind() -> None:
    # '_' is not allowed in a step name, so only two spellings with '-' could meet; the second of a pair is named
    assert found(check(step("book-courier"), step("book_courier")).problems) == {
        ("spec.steps[1].name", "InvalidValue"),
        ("spec.steps[1].name", "DuplicateName"),
    }


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


def test_a_syntax_error_of_a_script_names_its_line() -> None:
    (problem,) = check(step("a", run={"python": {"source": "def main():\n    return (\n"}})).problems
    assert problem.message == "not Python: '(' was never closed in line 2"


@pytest.mark.parametrize(
    "source",
    [
        "async def main(): ...",
        "from shop import main",
        "main = print",
        "import x as main",
        "main: object = print",
        "main, other = print, print",
        "class main: ...",
        "from shop import *",
        "try:\n    from shop import main\nexcept ImportError:\n    def main(): ...",
        "if True:\n    pass\nelse:\n    def main(): ...",
        "def main():\n    return '\\d'",
    ],
)
def test_a_script_may_bind_main_in_any_way(source: str) -> None:
    assert check(step("a", run={"python": {"source": source}})).problems == ()


@pytest.mark.parametrize("source", ["main: object", "def other():\n    def main(): ...", "x.main = 1"])
def test_a_script_whose_main_is_not_at_the_top_has_none(source: str) -> None:
    assert check(step("a", run={"python": {"source": source}})).problems


def test_hostile_scripts_are_problems_and_not_crashes() -> None:
    for source in ("-" * 60_000 + "1", "a" + ".b" * 60_000, "(" * 60_000, "\0", "1+" * 60_000 + "1"):
        (problem,) = check(step("a", run={"python": {"source": source}})).problems
        assert problem.reason == "InvalidSource"
        assert not problem.message.endswith((": ", "None"))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(" * 2_000 + "1" + ")" * 2_000, "it is nested too deeply"),
        ("true ? 1 : " * 370 + "1", "it is nested too deeply"),
        ('"' + "\\" * 4_000, "token recognition error"),
        ("\0", "token recognition error"),
    ],
)
def test_hostile_expressions_are_problems_in_short_words(expression: str, words: str) -> None:
    (problem,) = check(step("a", when=expression)).problems
    assert words in problem.message
    assert len(problem.message) < 400
    assert problem.message.isprintable()


def test_63_characters_are_a_name() -> None:
    sound(step("a" * 63))


def test_ten_thousand_steps_are_allowed() -> None:
    steps = [step(f"s{i}", waitFor=[f"s{i - 1}"] if i else []) for i in range(10_000)]
    assert len(sound(*steps).steps) == 10_000


def test_undo_without_compensate_is_a_warning() -> None:
    checked = check(step("a", undo=PYTHON))
    assert checked.spec is not None
    assert found(checked.warnings) == {("spec.steps[0]", "NoCompensate")}


def test_nulls_that_kubectl_apply_drops_are_warnings() -> None:
    arguments = {"x": {"value": None}, "y": {"input": "a", "default": None}}
    assert found(check(step("a", arguments=arguments)).warnings) == {
        ("spec.steps[0].arguments.x.value", "NullDropped"),
        ("spec.steps[0].arguments.y.default", "NullDropped"),
    }


def test_listing_a_kind_that_is_never_retried_is_a_warning() -> None:
    warned = check(step("a", retryOn=["Lost"], compensate={**PYTHON, "retryOn": ["Error", "Fatal"]})).warnings
    assert found(warned) == {
        ("spec.steps[0].retryOn[0]", "NeverRetried"),
        ("spec.steps[0].compensate.retryOn[1]", "NeverRetried"),
    }


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


def test_a_whole_reactor_is_sound() -> None:
    assert check_reactor(reactor(step("a"))).problems == ()


ENVELOPES: list[tuple[Any, str, str]] = [
    ({"apiVersion": "reactor.run/v1"}, "apiVersion", "InvalidValue"),
    ({"kind": "Reactr"}, "kind", "InvalidValue"),
    ({"metadata": {"name": "Checkout"}}, "metadata.name", "InvalidValue"),
    ({"metadata": {"name": "a" * 254}}, "metadata.name", "InvalidValue"),
    ({"metadata": None}, "metadata", "InvalidValue"),
    ({"spce": {}}, "spce", "UnknownField"),
    ({"spec": None}, "spec", "InvalidValue"),
    ({"spec": {"steps": [{"name": "a", "run": PYTHON, "x": float("nan")}]}}, "spec.steps[0].x", "InvalidValue"),
]


@pytest.mark.parametrize(("changes", "path", "reason"), ENVELOPES)
def test_what_stands_around_the_spec_is_checked_too(changes: Any, path: str, reason: str) -> None:
    checked = check_reactor({**reactor(step("a")), **changes})
    assert (path, reason) in found(checked.problems)
    assert checked.spec is None


def test_a_missing_spec_is_one_problem() -> None:
    document = reactor(step("a"))
    del document["spec"]
    assert found(check_reactor(document).problems) == {("spec", "Required")}


def test_object_names_of_253_characters_work() -> None:
    document = {**reactor(step("a")), "metadata": {"name": ".".join(["a" * 50] * 4 + ["b" * 49])}}
    assert check_reactor(document).problems == ()


@pytest.mark.parametrize("document", [None, 3, "x", [], [{}]])
def test_a_document_of_any_type_is_a_problem_and_not_a_crash(document: Any) -> None:
    assert check_reactor(document).problems
    assert check_spec(document).problems


def test_history_has_a_hundred_of_each_where_nothing_is_said_and_one_number_leaves_the_other() -> None:
    unset, one = check_spec(spec(step("a"))).spec, check_spec(spec(step("a"), history={"failed": 0})).spec
    assert unset is not None
    assert one is not None
    assert (unset.history.succeeded, unset.history.failed) == (100, 100)
    assert (one.history.succeeded, one.history.failed) == (100, 0)
    assert (unset.max_active_runs, unset.on_limit) == (None, OnLimit.QUEUE)


def test_an_answer_to_a_limit_that_there_is_not_deserves_a_second_look() -> None:
    assert [(one.path, one.reason) for one in check_spec(spec(step("a"), onLimit="Reject")).warnings] == [
        ("spec.onLimit", "NoLimit")
    ]
    assert not check_spec(spec(step("a"), onLimit="Reject", maxActiveRuns=2)).warnings
    assert not check_spec(spec(step("a"))).warnings
