"""The evaluator with its real worker processes."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.evaluation.environment import RESULTS_KEY, Element, Environment
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.ports import Evaluated
from tests.unit.api.documents import step as written

ENVIRONMENT = Environment(
    inputs={"total": 42, "items": [{"sku": "a"}], "many": list(range(200))},
    results={"reserve": {"id": 7}, "book-courier": {"id": 8}},
    run={"name": "checkout-1"},
)
RUNAWAY = "inputs.many.all(a, inputs.many.all(b, inputs.many.all(c, inputs.many.all(d, a + b + c + d >= 0))))"


@pytest.fixture
async def evaluator() -> AsyncIterator[ProcessEvaluator]:
    made = ProcessEvaluator(deadline_seconds=1.0)
    yield made
    await made.close()


@pytest.fixture
async def impatient() -> AsyncIterator[ProcessEvaluator]:
    made = ProcessEvaluator(deadline_seconds=0.2)
    yield made
    await made.close()


def step(**fields: Any) -> Step:
    return Step.model_validate(written("charge", **fields))


def arguments(outcome: Evaluated | Failure) -> object:
    assert isinstance(outcome, Evaluated), outcome
    assert outcome.proceed
    assert outcome.arguments is not None
    return orjson.loads(outcome.arguments)


def failure(outcome: object) -> Failure:
    assert isinstance(outcome, Failure)
    assert not outcome.may_retry
    return outcome


async def test_arguments_come_from_their_sources(evaluator: ProcessEvaluator) -> None:
    sources = {
        "sku": {"input": "items[0].sku"},
        "id": {"result": "reserve", "path": "id"},
        "fixed": {"value": None},
        "doubled": {"expr": "inputs.total * 2"},
        "name": {"expr": "run.name + string(results.book_courier.id)"},
    }
    outcome = await evaluator.evaluate_step(step(arguments=sources), ENVIRONMENT)
    assert arguments(outcome) == {"sku": "a", "id": 7, "fixed": None, "doubled": 84, "name": "checkout-18"}


async def test_of_the_results_of_a_map_expressions_read_how_many_there_were(evaluator: ProcessEvaluator) -> None:
    counts = {"step": "rows", "round": 1, "total": 9, "succeeded": 7, "failed": 2, "skipped": 0}
    environment = replace(ENVIRONMENT, results={"rows": {RESULTS_KEY: counts}})
    share, rows = {"expr": "results.rows.failed * 100 / results.rows.total"}, {"result": "rows"}
    told = step(when="results.rows.failed > 0", arguments={"share": share, "rows": rows})
    assert arguments(await evaluator.evaluate_step(told, environment)) == {"share": 22, "rows": {RESULTS_KEY: counts}}


async def test_a_step_without_arguments_gets_an_empty_object(evaluator: ProcessEvaluator) -> None:
    assert arguments(await evaluator.evaluate_step(step(), ENVIRONMENT)) == {}


async def test_secrets_and_config_maps_are_left_out(evaluator: ProcessEvaluator) -> None:
    sources = {
        "token": {"secretKeyRef": {"name": "s", "key": "k"}},
        "mode": {"configMapKeyRef": {"name": "c", "key": "k"}},
    }
    assert arguments(await evaluator.evaluate_step(step(arguments=sources), ENVIRONMENT)) == {}


async def test_the_same_environment_gives_the_same_bytes(evaluator: ProcessEvaluator) -> None:
    one = step(arguments={"b": {"expr": "{'z': 1, 'a': 2, 'm': 3}"}, "a": {"input": "items"}})
    first = await evaluator.evaluate_step(one, ENVIRONMENT)
    second = await evaluator.evaluate_step(one, ENVIRONMENT)
    assert first == second


async def test_a_missing_path_names_step_argument_path_and_what_was_found(evaluator: ProcessEvaluator) -> None:
    found = failure(await evaluator.evaluate_step(step(arguments={"x": {"input": "items[3].sku"}}), ENVIRONMENT))
    assert found.kind is FailureKind.INVALID_ARGUMENTS
    for word in ("step charge", "argument x", "items[3].sku", "a list of 1"):
        assert word in found.message


async def test_a_false_condition_stops_before_the_arguments(evaluator: ProcessEvaluator) -> None:
    one = step(when="inputs.total > 100", arguments={"x": {"expr": "inputs.nowhere"}, "y": {"input": "nowhere"}})
    assert await evaluator.evaluate_step(one, ENVIRONMENT) == Evaluated(proceed=False, arguments=None)


async def test_a_true_condition_goes_on_to_the_arguments(evaluator: ProcessEvaluator) -> None:
    one = step(when="inputs.total > 0", arguments={"x": {"expr": "inputs.total"}})
    assert arguments(await evaluator.evaluate_step(one, ENVIRONMENT)) == {"x": 42}


@pytest.mark.parametrize("condition", ["inputs.total", "null", "'true'", "[true]", "{}"])
async def test_a_condition_that_is_no_boolean_fails_the_step(evaluator: ProcessEvaluator, condition: str) -> None:
    found = failure(await evaluator.evaluate_step(step(when=condition), ENVIRONMENT))
    assert found.kind is FailureKind.EXPRESSION
    assert "step charge: when: gave" in found.message
    assert "expected true or false" in found.message


async def test_a_faulty_expression_names_its_field(evaluator: ProcessEvaluator) -> None:
    one = step(when="true", arguments={"a": {"expr": "1"}, "b": {"expr": "inputs.nowhere"}})
    found = failure(await evaluator.evaluate_step(one, ENVIRONMENT))
    assert found.kind is FailureKind.EXPRESSION
    assert found.message == "step charge: arguments.b.expr: no such key: nowhere"


async def test_a_runaway_is_stopped_and_the_next_step_is_evaluated(impatient: ProcessEvaluator) -> None:
    one = step(arguments={"a": {"expr": "1"}, "b": {"expr": RUNAWAY}})
    found = failure(await impatient.evaluate_step(one, ENVIRONMENT))
    assert found.kind is FailureKind.EXPRESSION
    assert "arguments.b.expr: took more than 0.2s of CPU time" in found.message
    assert arguments(await impatient.evaluate_step(step(arguments={"a": {"expr": "1"}}), ENVIRONMENT)) == {"a": 1}


async def test_a_result_above_the_limit_fails_the_step(evaluator: ProcessEvaluator) -> None:
    one = step(arguments={"a": {"expr": "inputs.text + inputs.text"}})
    found = failure(await evaluator.evaluate_step(one, Environment(inputs={"text": "x" * 600_000})))
    assert found.kind is FailureKind.EXPRESSION
    assert "expected at most 1048576" in found.message


async def test_too_much_to_read_fails_the_step_before_a_process_starts(evaluator: ProcessEvaluator) -> None:
    environment = Environment(inputs={"text": "x" * (5 << 20)})
    found = failure(await evaluator.evaluate_step(step(when="size(inputs.text) > 0"), environment))
    assert found.kind is FailureKind.EXPRESSION
    assert "expected at most" in found.message


async def test_an_integer_is_a_double_where_the_schema_says_number(evaluator: ProcessEvaluator) -> None:
    one = step(arguments={"x": {"expr": "inputs.total * 1.5"}})
    schema = {"properties": {"total": {"type": "number"}}}
    typed = Environment(inputs={"total": 42}, inputs_schema=schema)
    untyped = Environment(inputs={"total": 42})
    assert arguments(await evaluator.evaluate_step(one, typed)) == {"x": 63.0}
    assert failure(await evaluator.evaluate_step(one, untyped)).kind is FailureKind.EXPRESSION


async def test_expressions_read_the_innermost_element_and_its_place(evaluator: ProcessEvaluator) -> None:
    at = replace(ENVIRONMENT, elements={"rows": Element({"lines": ["a"]}, 7), "lines": Element({"id": 5}, 3)})
    told = step(
        when="index == 3 && element.id == 5",
        arguments={
            "both": {"expr": "[element.id, index]"},
            "outer": {"element": "rows", "path": "lines[0]"},
            "places": {"index": "rows"},
        },
    )
    assert arguments(await evaluator.evaluate_step(told, at)) == {"both": [5, 3], "outer": "a", "places": 7}


async def test_an_element_of_the_inputs_has_the_numbers_of_their_schema(evaluator: ProcessEvaluator) -> None:
    rows = {"type": "array", "items": {"properties": {"price": {"type": "number"}}}}
    told = step(arguments={"half": {"expr": "element.price * 0.5"}})
    at = replace(ENVIRONMENT, inputs_schema={"properties": {"rows": rows}})
    priced = replace(at, elements={"rows": Element({"price": 3}, 0, ("rows", 0))})
    assert arguments(await evaluator.evaluate_step(told, priced)) == {"half": 1.5}
    elsewhere = replace(at, elements={"rows": Element({"price": 3}, 0)})
    assert failure(await evaluator.evaluate_step(told, elsewhere)).kind is FailureKind.EXPRESSION


async def test_an_expression_is_handed_only_the_inputs_that_it_names(evaluator: ProcessEvaluator) -> None:
    much = replace(ENVIRONMENT, inputs={"rows": ["x" * 1000] * 5000, "few": 1, "a-b": 2}, elements={"r": Element(1, 0)})
    told = step(arguments={"x": {"expr": "inputs.few + inputs['a-b'] + element"}})
    assert arguments(await evaluator.evaluate_step(told, much)) == {"x": 4}
    every = failure(await evaluator.evaluate_step(step(arguments={"x": {"expr": "size(inputs)"}}), much))
    assert "bytes of inputs and results" in every.message


@pytest.mark.parametrize("levels", [254, 300, 900])
async def test_a_result_nested_too_deeply_fails_the_step_that_reads_it(
    evaluator: ProcessEvaluator, levels: int
) -> None:
    deep: Any = 1
    for _ in range(levels):
        deep = [deep]
    environment = Environment(inputs={}, results={"reserve": {"deep": deep}})
    read = failure(await evaluator.evaluate_step(step(arguments={"a": {"result": "reserve"}}), environment))
    assert (read.kind, "nested too deeply" in read.message) == (FailureKind.INVALID_ARGUMENTS, True)
    said = failure(await evaluator.evaluate_step(step(when="size(results.reserve.deep) > 0"), environment))
    assert (said.kind, said.message.startswith("step charge: when: ")) == (FailureKind.EXPRESSION, True)


def sources(**written_sources: Any) -> dict[str, Source]:
    return {name: Source.model_validate(source) for name, source in written_sources.items()}


async def test_sources_are_evaluated_by_name(evaluator: ProcessEvaluator) -> None:
    asked = sources(returns={"expr": "[results.reserve.id, results.book_courier.id]"}, other={"value": 3})
    assert await evaluator.evaluate_sources(asked, ENVIRONMENT, "") == {"returns": [7, 8], "other": 3}


async def test_an_expression_after_the_arguments_reads_them(evaluator: ProcessEvaluator) -> None:
    environment = replace(ENVIRONMENT, arguments={"weight": 3})
    found = await evaluator.evaluate_sources(sources(transform={"expr": "args.weight * 2"}), environment, "step a")
    assert found == {"transform": 6}


async def test_sources_that_cannot_be_evaluated_are_a_failure(evaluator: ProcessEvaluator) -> None:
    bad = await evaluator.evaluate_sources(sources(returns={"expr": "results.reserve.nowhere"}), ENVIRONMENT, "")
    assert failure(bad).message == "returns.expr: no such key: nowhere"
    missing = sources(returns={"result": "reserve", "path": "x"})
    assert failure(await evaluator.evaluate_sources(missing, ENVIRONMENT, "")).kind is FailureKind.INVALID_ARGUMENTS


async def test_the_first_condition_that_is_true_is_chosen_and_those_after_it_are_not_asked(
    evaluator: ProcessEvaluator,
) -> None:
    conditions = ["inputs.total > 100", "inputs.total > 10", "inputs.nowhere"]
    assert await evaluator.choose(conditions, ENVIRONMENT, "step a") == 1
    assert await evaluator.choose(["false"], ENVIRONMENT, "step a") is None
    found = failure(await evaluator.choose(["false", "inputs.total"], ENVIRONMENT, "step a"))
    assert found.message == "step a: switch.cases[1].when: gave a number, expected true or false"


async def test_the_conditions_of_a_switch_have_the_time_of_one_expression_together(impatient: ProcessEvaluator) -> None:
    slow = [f"!inputs.many.all(a, inputs.many.all(b, a + b >= -{place}))" for place in range(100)]
    assert await impatient.choose(slow[:1], ENVIRONMENT, "step a") is None
    found = failure(await impatient.choose(slow, ENVIRONMENT, "step a"))
    assert found.kind is FailureKind.EXPRESSION
    assert found.message.endswith("when: took more than 0.2s of CPU time and was stopped: read less, or loop less")


async def test_a_worker_that_was_killed_while_idle_is_replaced(evaluator: ProcessEvaluator) -> None:
    one = step(arguments={"a": {"expr": "1"}})
    await evaluator.evaluate_step(one, ENVIRONMENT)
    (worker,) = evaluator._idle
    os.kill(worker._process.pid, signal.SIGKILL)
    assert arguments(await evaluator.evaluate_step(one, ENVIRONMENT)) == {"a": 1}


async def test_an_expression_that_takes_too_much_memory_fails_the_step() -> None:
    patient = ProcessEvaluator(deadline_seconds=30.0)
    hungry = "[" + ", ".join(["inputs.text + 'x'"] * 200) + "]"
    environment = Environment(inputs={"text": "x" * (3 << 20)})
    outcome = await patient.evaluate_step(step(when="true", arguments={"a": {"expr": hungry}}), environment)
    await patient.close()
    found = failure(outcome)
    assert found.kind is FailureKind.EXPRESSION
    assert "arguments.a.expr" in found.message
    assert "memory" in found.message


async def test_closing_ends_the_workers(evaluator: ProcessEvaluator) -> None:
    await evaluator.evaluate_step(step(when="true"), ENVIRONMENT)
    (worker,) = evaluator._idle
    await evaluator.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker._process.pid, 0)


async def test_elements_in_plain_sources_need_no_process() -> None:
    unable = ProcessEvaluator(workers=0)  # whoever asked a worker would wait for ever
    at = replace(ENVIRONMENT, elements={"rows": Element({"id": 1}, 2)})
    told = step(arguments={"row": {"element": "rows", "path": "id"}, "place": {"index": "rows"}})
    assert arguments(await unable.evaluate_step(told, at)) == {"row": 1, "place": 2}


def test_without_expressions_neither_cel_nor_a_process_is_needed() -> None:
    program = (
        "import asyncio, sys\n"
        "from reactor_operator.evaluation.evaluator import ProcessEvaluator\n"
        "from reactor_operator.evaluation.environment import Environment\n"
        "from reactor_operator.api.check import check_spec\n"
        "step = {'name': 'a', 'arguments': {'x': {'input': 'a'}}, 'run': {'python': {'handler': 'm:f'}}}\n"
        "spec = check_spec({'steps': [step]}).spec\n"
        "evaluator = ProcessEvaluator()\n"
        "print(asyncio.run(evaluator.evaluate_step(spec.steps[0], Environment(inputs={'a': 1}))))\n"
        "loaded = {'cel', 'cel.cel', 'jsonschema_rs', 'rich', 'yaml'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "assert not evaluator._idle\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "b'{\"x\":1}'" in done.stdout
