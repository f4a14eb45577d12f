"""How far what is sensitive reaches, and where it may not go."""

from collections.abc import Mapping
from typing import Any

import pytest

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.inputs import apply_inputs
from reactor_operator.api.sensitivity import (
    ALL,
    NOTHING,
    Sensitivity,
    hidden,
    mentions_sensitive,
    parts_of,
    sensitive_inputs,
)
from reactor_operator.api.taint import sensitive_problems, sensitivity_of
from reactor_operator.engine.identity import Action
from tests.unit.api.documents import CONTAINER, PYTHON, check, found, sound, step

SECRET = {"type": "string", "sensitive": True}
SCHEMA = {"type": "object", "properties": {"card": SECRET, "who": {"type": "string"}}}
HTTP = {"method": "POST", "url": {"value": "http://x"}}


def told(*steps: Mapping[str, Any], schema: Mapping[str, Any] | None = SCHEMA, **fields: Any) -> Sensitivity:
    """Return what of a reactor is sensitive."""
    spec = sound(*steps, **({"inputsSchema": schema} if schema is not None else {}), **fields)
    return sensitivity_of(blueprint_of(spec))


def transform(name: str, **source: Any) -> dict[str, Any]:
    return {"name": name, "transform": source}


def waiting(correlation: str) -> dict[str, Any]:
    return {"name": "ask", "interrupt": {"correlationId": correlation}}


READS = [
    ("an input", {"input": "card"}, True),
    ("a part of an input", {"input": "card.number"}, True),
    ("another input", {"input": "who"}, False),
    ("an expression", {"expr": "inputs.card + '!'"}, True),
    ("an index", {"expr": "inputs['card']"}, True),
    ("an expression of another input", {"expr": "inputs.who + 'card'"}, False),
    ("all inputs", {"expr": "inputs"}, True),
    ("a member that is computed", {"expr": "inputs[inputs.who]"}, True),
    ("inside a macro", {"expr": "['a'].map(x, x + inputs.card)"}, True),
    ("declared by itself", {"input": "who", "sensitive": True}, True),
]


@pytest.mark.parametrize(("source", "expected"), [row[1:] for row in READS], ids=[row[0] for row in READS])
def test_an_argument_is_as_sensitive_as_what_it_reads(source: Mapping[str, Any], expected: bool) -> None:
    arguments = told(step("a", arguments={"x": source, "y": {"input": "who"}})).arguments
    assert arguments.get("a", frozenset()) == ({"x"} if expected else frozenset())


def test_what_a_task_gives_back_is_sensitive_only_where_its_step_says_so() -> None:
    steps = (
        step("a", arguments={"x": {"input": "card"}}),
        step("b", sensitive=True),
        transform("c", result="a"),
        transform("d", result="b", path="x"),
        transform("e", expr="results.d + results.a"),
    )
    assert told(*steps).results == {"b", "d", "e", ""}
    assert told(*steps, returns={"result": "c"}).results == {"b", "d", "e"}


def test_it_goes_through_composes_and_switches_in_any_order_of_writing() -> None:
    cases = [{"when": "true", "transform": {"value": 1}}]
    inside = [transform("deep", result="first")]
    steps = (
        transform("end", result="choose"),
        {"name": "choose", "switch": {"cases": cases, "default": {"transform": {"result": "around"}}}},
        {"name": "around", "arguments": {"y": {"input": "card"}}, "compose": {"steps": inside}},
        transform("first", input="card"),
    )
    assert told(*steps).results == {"first", "around/deep", "around", "choose[default]", "choose", "end", ""}


def test_a_result_that_two_steps_share_is_sensitive_where_either_says_so() -> None:
    inside = [transform("x", value=1), {"name": "y", "compose": {"steps": [transform("z", value=2)]}}]
    assert told({"name": "a", "sensitive": True, "compose": {"steps": inside}}).results == {"", "a", "a/y", "a/y/z"}
    inside = [step("login"), step("audit")]
    returned = {"name": "a", "sensitive": True, "compose": {"steps": inside, "returns": {"result": "login"}}}
    assert told(returned, schema=None).results == {"", "a", "a/login"}
    made = {"steps": inside, "returns": {"expr": "results.login.token"}}
    assert told({"name": "a", "sensitive": True, "compose": made}, schema=None).results == {"", "a", "a/login"}
    cases = [{"when": "true", "steps": [transform("in", value=1)]}]
    assert told({"name": "a", "sensitive": True, "switch": {"cases": cases}}).results == {"", "a", "a[0]", "a[0]/in"}
    mixed = [{"when": "true", "transform": {"value": 1}}, {"when": "true", "transform": {"input": "card"}}]
    assert told({"name": "a", "switch": {"cases": mixed}}).results == {"", "a", "a[1]"}
    nested = [{"name": "b", "switch": {"cases": mixed}}]
    around = {"name": "a", "sensitive": True, "compose": {"steps": nested}}
    assert told(around, schema=None).results == {"", "a", "a/b", "a/b[0]", "a/b[1]"}


def test_a_long_chain_written_backwards_is_followed_to_its_end() -> None:
    count = 3_000
    steps = [transform(f"s{number}", result=f"s{number - 1}") for number in range(count, 0, -1)]
    assert len(told(*steps, transform("s0", input="card")).results) == count + 2


def test_inputs_of_a_composed_reactor_are_sensitive_by_its_own_schema_and_by_what_is_passed() -> None:
    other = sound(
        transform("a", input="told"), transform("b", input="own"), transform("c", input="plain"),
        inputsSchema={"properties": {"own": SECRET}},
    )  # fmt: skip
    compose = {
        "name": "in",
        "compose": {
            "reactorRef": {"name": "other"},
            "inputs": {"told": {"input": "card"}, "own": {"value": "x"}, "plain": {"input": "who"}},
        },
    }
    found_ = sensitivity_of(blueprint_of(sound(compose, inputsSchema=SCHEMA), {"other": other}))
    assert found_.inputs == {"": {"card"}, "in": {"own", "told"}}
    assert found_.results == {"in/a", "in/b"}


def test_a_request_is_sensitive_by_what_it_reads_also_of_its_own_step() -> None:
    steps = (
        step("a", arguments={"x": {"input": "card"}}, run={"http": {**HTTP, "body": {"expr": "args.x"}}}),
        step("b", run={"http": {**HTTP, "headers": {"X": {"input": "card"}}}}),
        step("c", arguments={"x": {"input": "card"}}, run={"http": HTTP}),
        step("d", sensitive=True, undo={"http": {**HTTP, "body": {"expr": "result.id"}}}),
    )
    assert told(*steps).requests == {("a", Action.RUN), ("b", Action.RUN), ("d", Action.UNDO)}


def test_nothing_is_sensitive_where_nothing_says_so() -> None:
    assert told(step("a", arguments={"x": {"input": "card"}}), schema=None) is NOTHING


def test_finally_steps_read_sensitive_values_too() -> None:
    spec = sound(step("a"), inputsSchema=SCHEMA, **{"finally": [step("f", arguments={"x": {"input": "card"}})]})
    assert sensitivity_of(blueprint_of(spec)).arguments == {"f": {"x"}}


def test_a_document_that_cannot_be_written_may_say_so() -> None:
    assert mentions_sensitive({"a": {"sensitive": False}})
    assert not mentions_sensitive({"a": "a sensitive word"}, None, [])
    assert mentions_sensitive({"a": 2**70})


SCHEMAS = [
    ({"properties": {"a": SECRET, "b": {}}}, {"a"}),
    ({"properties": {"a": {"type": "object", "properties": {"deep": {"items": SECRET}}}}}, {"a"}),
    ({"properties": {"a": {"$ref": "#/$defs/card"}}, "$defs": {"card": SECRET}}, {ALL}),
    ({"allOf": [{"properties": {"a": SECRET}}]}, {ALL}),
    ({"properties": {"a": {"default": {"sensitive": True}, "sensitive": False}}}, frozenset()),
    ({"properties": {"a": {"properties": {"properties": {"type": "object"}, "sensitive": True}}}}, frozenset()),
    *(
        ({"properties": {"a": {within: {name: SECRET}}}}, {"a"})
        for within in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
        for name in ("default", "const", "enum", "examples")
    ),
]


@pytest.mark.parametrize(("schema", "expected"), SCHEMAS)
def test_inputs_are_sensitive_where_their_schema_says_so(schema: Mapping[str, object], expected: set[str]) -> None:
    assert sensitive_inputs(schema) == expected


def test_a_schema_that_says_it_for_all_makes_every_input_sensitive() -> None:
    every = told(step("a", arguments={"x": {"input": "any"}}), schema={"allOf": [{"properties": {"a": SECRET}}]})
    assert every.arguments == {"a": {"x"}}
    assert hidden({"a": 1}, every.inputs_of("")) == {"a": "***"}
    assert parts_of({"a": 1}, every.inputs_of("")) == [1]


def test_a_word_that_is_neither_true_nor_false_is_refused() -> None:
    problems = check(step("a"), inputsSchema={"properties": {"card": {"sensitive": "yes"}}}).problems
    assert found(problems) == {("spec.inputsSchema.properties.card.sensitive", "InvalidSchema")}
    assert check(step("a"), inputsSchema={"properties": {"sensitive": {"type": "string"}}}).problems == ()


def container(**fields: Any) -> dict[str, Any]:
    return {"container": {**CONTAINER["container"], **fields}}  # type: ignore[dict-item]


ENV = [{"name": "PLAIN", "value": "1"}, {"name": "CARD", "argument": "card"}]
ARGUMENTS = {"card": {"input": "card"}, "who": {"input": "who"}}
SHOWN = [
    (step("a", arguments=ARGUMENTS, run=container(env=ENV)), "spec.steps[0].run.container.env[1].argument"),
    (step("a", arguments=ARGUMENTS, run=PYTHON, env=ENV), "spec.steps[0].env[1].argument"),
    (step("a", arguments=ARGUMENTS, undo=container(env=ENV)), "spec.steps[0].undo.container.env[1].argument"),
    (step("a", sensitive=True, run=container()), "spec.steps[0].run.container.output"),
    (step("a", arguments={"x": {"value": "y", "sensitive": True}}), "spec.steps[0].arguments.x.sensitive"),
    (waiting("inputs.card"), "spec.steps[0].interrupt.correlationId"),
    (waiting("string(inputs)"), "spec.steps[0].interrupt.correlationId"),
    (
        {"name": "rows", "map": {"source": {"value": [1]}, "steps": [waiting("inputs.card")]}},
        "spec.steps[0].map.steps[0].interrupt.correlationId",
    ),
]


@pytest.mark.parametrize(("written", "path"), SHOWN)
def test_what_would_be_seen_is_refused_at_its_field(written: Mapping[str, Any], path: str) -> None:
    assert {problem.path for problem in check(written, inputsSchema=SCHEMA).problems} == {path}


def test_an_argument_that_would_be_seen_is_found_in_a_reactor_that_composes_others_too() -> None:
    spec = sound(
        step("a", arguments=ARGUMENTS, run=container(env=ENV)),
        {"name": "b", "compose": {"reactorRef": {"name": "other"}}},
        inputsSchema=SCHEMA,
    )
    blueprint = blueprint_of(spec, {"other": sound(step("x"))})
    [problem] = sensitive_problems(blueprint, sensitivity_of(blueprint))
    assert (problem.path, problem.reason) == ("spec.steps[0].run.container.env[1].argument", "SensitiveValue")


def test_a_container_may_have_a_sensitive_result_in_a_file_and_read_sensitive_arguments_from_one() -> None:
    run = container(output={"path": "/out/result.json"}, env=[{"name": "WHO", "argument": "who"}])
    assert check(step("a", arguments=ARGUMENTS, sensitive=True, run=run), inputsSchema=SCHEMA).problems == ()


def test_problems_of_sensitive_inputs_do_not_say_what_was_found() -> None:
    pin = {"enum": [1], "sensitive": True}
    who = {"type": "object", "properties": {"pin": pin}}
    schema = {"properties": {"card": {**SECRET, "maxLength": 3}, "n": who}}
    _, problems = apply_inputs(schema, {"card": "CANARY", "n": {"pin": 4711}})
    assert {problem.path for problem in problems} == {"spec.inputs.card", "spec.inputs.n.pin"}
    assert "CANARY" not in str(problems)
    assert "4711" not in str(problems)


def test_an_interrupt_may_have_an_id_of_what_anybody_may_see() -> None:
    assert check(waiting("inputs.who"), step("a", sensitive=True), inputsSchema=SCHEMA).problems == ()


def test_an_id_that_is_made_of_a_sensitive_result_is_refused() -> None:
    problems = check(step("a", sensitive=True), waiting("results.a.id"), inputsSchema=SCHEMA).problems
    assert found(problems) == {("spec.steps[1].interrupt.correlationId", "SensitiveValue")}
