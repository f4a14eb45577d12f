"""Answers to the engine's evaluations: documents in, events and new documents out.

In: a known run and what the engine asked. Out: events for the same fold. Never here: an effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from reactor_operator.api.graph import reads_of_returns
from reactor_operator.api.reactor import Step
from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import EvaluateReturns, EvaluateStep, Evaluation
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.state import RunState
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.evaluation.environment import Environment
from reactor_operator.ports import Evaluated, Evaluator
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.records import KnownRun


@dataclass(frozen=True, slots=True)
class Answered:
    """The event that answers an evaluation, and the documents it refers to."""

    event: ev.Event
    values: Mapping[str, bytes]


async def answer(
    asked: Evaluation, known: KnownRun, state: RunState, evaluator: Evaluator, documents: Documents
) -> Answered:
    """Evaluate what the engine asked for. Raises StoreUnavailable where a document cannot be read now."""
    if isinstance(asked, EvaluateStep):
        return await _answer_step(asked, known, state, evaluator, documents)
    return await _answer_returns(asked, known, state, evaluator, documents)


async def _answer_step(
    asked: EvaluateStep, known: KnownRun, state: RunState, evaluator: Evaluator, documents: Documents
) -> Answered:
    assert known.spec is not None
    step = known.spec.step(asked.path)
    environment = await _environment(known, state, known.plan.steps[asked.path].needs, documents)
    outcome = await evaluator.evaluate_step(step, environment)
    values: dict[str, bytes] = {}
    fallback = _fallback(step, values)
    if isinstance(outcome, Failure):
        failed = ev.StepEvaluationFailed(path=asked.path, round=asked.round, failure=outcome, fallback=fallback)
        return Answered(failed, values)
    arguments = _keep(outcome, values)
    evaluated = ev.StepEvaluated(
        path=asked.path, round=asked.round, proceed=outcome.proceed, arguments=arguments, fallback=fallback
    )
    return Answered(evaluated, values)


async def _answer_returns(
    _: EvaluateReturns, known: KnownRun, state: RunState, evaluator: Evaluator, documents: Documents
) -> Answered:
    assert known.spec is not None
    if known.spec.returns is None:
        last = known.spec.steps[-1].name
        return Answered(ev.ReturnsEvaluated(result=state.step(last).result), {})
    read = reads_of_returns(tuple(known.plan.steps), known.spec.returns)
    environment = await _environment(known, state, read, documents)
    outcome = await evaluator.evaluate_returns(known.spec, environment)
    if isinstance(outcome, Failure):
        return Answered(ev.ReturnsEvaluationFailed(failure=outcome), {})
    ref = reference_to(outcome)
    return Answered(ev.ReturnsEvaluated(result=ref), {ref.digest: outcome})


async def _environment(known: KnownRun, state: RunState, steps: tuple[str, ...], documents: Documents) -> Environment:
    refs = {path: state.step(path).result for path in steps}
    wanted = [ref for ref in (known.definition.inputs, *refs.values()) if ref is not None]
    bodies = await documents.get(wanted)
    assert known.spec is not None
    parsed = {digest: orjson.loads(body) for digest, body in bodies.items()}
    definition = known.definition
    inputs, run = definition.inputs, definition.run
    return Environment(
        inputs=parsed[inputs.digest] if inputs is not None else {},
        results={path: None if ref is None else parsed[ref.digest] for path, ref in refs.items()},
        inputs_schema=known.spec.inputs_schema if known.spec.inputs_schema is not None else definition.shared_schema,
        run={"name": run.name, "namespace": run.namespace, "uid": run.uid, "reactor": known.definition.reactor_name},
    )


def _fallback(step: Step, values: dict[str, bytes]) -> ValueRef | None:
    if step.on_error is None or step.on_error.value is None:
        return None
    document = orjson.dumps(step.on_error.value)
    ref = reference_to(document)
    values[ref.digest] = document
    return ref


def _keep(outcome: Evaluated, values: dict[str, bytes]) -> ValueRef | None:
    if outcome.arguments is None:
        return None
    ref = reference_to(outcome.arguments)
    values[ref.digest] = outcome.arguments
    return ref
