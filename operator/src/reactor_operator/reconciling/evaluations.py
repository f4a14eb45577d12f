"""Answers to the engine's evaluations: documents in, events and new documents out.

In: a known run and what the engine asked. Out: events for the same fold. Never here: an effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

import orjson

from reactor_operator.api.blueprint import MAX_RECURSION, Node, Scope
from reactor_operator.api.inputs import apply_inputs, unsaid
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source
from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import EvaluateRequest, EvaluateReturns, EvaluateStep, Evaluation
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.plan import ROOT, StepKind
from reactor_operator.engine.state import RunState
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.evaluation.compared import render_compared
from reactor_operator.evaluation.environment import NONE_READ, Environment, ReadSensitive
from reactor_operator.ports import Evaluator
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.masked import masked
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.reconciling.requests import evaluate_request, sources_of

VALUE_BYTES = 32 << 20
_PROBLEMS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Answered:
    """The event that answers an evaluation, and the documents it refers to."""

    event: ev.Event
    values: Mapping[str, bytes]


async def answer(
    asked: Evaluation, known: KnownRun, state: RunState, evaluator: Evaluator, documents: Documents
) -> Answered:
    """Evaluate what the engine asked for. Raises StoreUnavailable where a document cannot be read now."""
    answering = _Answering(known, state, evaluator, documents)
    event: ev.Event
    match asked:
        case EvaluateStep():
            event = await answering.step(asked)
        case EvaluateReturns():
            event = await answering.returns(asked)
        case EvaluateRequest():
            event = await answering.request(asked)
    return Answered(event, answering.values)


@dataclass(slots=True)
class _Answering:
    """One evaluation. `values` gathers the new documents."""

    known: KnownRun
    state: RunState
    evaluator: Evaluator
    documents: Documents
    values: dict[str, bytes] = field(default_factory=dict)

    async def step(self, asked: EvaluateStep) -> ev.StepEvaluated | ev.StepEvaluationFailed:
        """Answer what a step needs before it starts."""
        assert self.known.blueprint is not None
        node = self.known.blueprint.nodes[asked.path]
        environment = await self._environment(node.scope, node.reads())
        outcome = await self.evaluator.evaluate_step(node.step, environment)
        names = self.known.blueprint.sensitive.arguments.get(node.path, frozenset())
        fallback = self._fallback(node.step)
        answered: ev.StepEvaluated | Failure
        if isinstance(outcome, Failure):
            answered = masked(outcome, environment)
        elif outcome.arguments is None:
            answered = ev.StepEvaluated(path=asked.path, round=asked.round, proceed=outcome.proceed, fallback=fallback)
        else:
            proceed = ev.StepEvaluated(
                path=asked.path,
                round=asked.round,
                proceed=True,
                arguments=self._keep(outcome.arguments, f"{node.path} arguments" if names else ""),
                fallback=fallback,
            )
            told = replace(environment, arguments=orjson.loads(outcome.arguments))
            if names:
                told = replace(told, sensitive=replace(told.sensitive, arguments=names))
            answered = await self._body(node, proceed, told)
        if isinstance(answered, Failure):
            return ev.StepEvaluationFailed(path=asked.path, round=asked.round, failure=answered, fallback=fallback)
        return answered

    async def _body(
        self, node: Node, proceed: ev.StepEvaluated, environment: Environment
    ) -> ev.StepEvaluated | Failure:
        """Add to what a step is told what its body needs."""
        match node.kind:
            case StepKind.TASK:
                return proceed
            case StepKind.TRANSFORM:
                value = await self._transform(node, environment)
                return value if isinstance(value, Failure) else replace(proceed, result=value)
            case StepKind.COMPOSE:
                inputs = await self._inputs(node, environment)
                return inputs if isinstance(inputs, Failure) else replace(proceed, inputs=inputs)
            case StepKind.SWITCH:
                chosen = await self._choose(node, environment)
                return chosen if isinstance(chosen, Failure) else replace(proceed, chosen=chosen)
            case _:
                assert_never(node.kind)

    async def _transform(self, node: Node, environment: Environment) -> ValueRef | Failure:
        subject = f"step {node.path}"
        if node.step.transform is None:
            assert node.too_deep
            message = f"{subject}: a Reactor is inside itself more than {MAX_RECURSION} times, expected an end before"
            return Failure(kind=FailureKind.INVALID_REACTOR, message=render_message(message), retryable=False)
        return await self._value(node.step.transform, "transform", environment, subject, self._result_name(node.path))

    async def _inputs(self, node: Node, environment: Environment) -> ValueRef | Failure | None:
        """Return the inputs of a compose by reference, checked against the schema of its reactor; else None."""
        body = node.step.compose
        if body is None or body.reactor_ref is None:
            return None
        assert self.known.blueprint is not None
        inside, subject = self.known.blueprint.scopes[node.path], f"step {node.path}"
        sources = {f"inputs.{name}": source for name, source in (body.inputs or {}).items()}
        found = await self.evaluator.evaluate_sources(sources, environment, subject)
        if isinstance(found, Failure):
            return masked(found, environment)
        given = {name.removeprefix("inputs."): value for name, value in found.items()}
        inputs, problems = apply_inputs(self._schema(inside), given)
        names = self.known.blueprint.sensitive.inputs_of(node.path)
        if problems:
            problems = tuple(unsaid(one, names) for one in problems) if names else problems
            shown = "; ".join(f"{one.path.removeprefix('spec.')}: {one.message}" for one in problems[:_PROBLEMS_SHOWN])
            return _cannot(f"{subject}: Reactor {body.reactor_ref.name} takes other inputs: {shown}")
        return self._document(inputs, f"{subject}: inputs", f"{node.path} inputs" if names else "")

    async def _choose(self, node: Node, environment: Environment) -> str | Failure:
        """Return the path of the body that a switch chooses."""
        conditions = [condition for condition, _ in node.bodies if condition is not None]
        subject = f"step {node.path}"
        place = await self.evaluator.choose(conditions, environment, subject)
        if isinstance(place, Failure):
            return masked(place, environment)
        if place is None and len(node.bodies) == len(conditions):
            compared = "; ".join(render_compared(condition, environment) for condition in conditions)
            message = f"{subject}: no case of the switch is true and it has no default: {compared}"
            return Failure(kind=FailureKind.EXPRESSION, message=render_message(message), retryable=False)
        return node.bodies[place if place is not None else -1][1]

    async def request(self, asked: EvaluateRequest) -> ev.RequestEvaluated | ev.TaskFailed:
        """Answer what the tasks of an action send."""
        assert self.known.blueprint is not None
        task = asked.task
        scope = self.known.blueprint.nodes[task.path].scope
        environment = await self._environment(scope, scope.results_of(sources_of(self.known, task).values()))
        request = await evaluate_request(asked, self.known, environment, self.evaluator, self.documents)
        name = ""
        if self.known.blueprint.sensitive.of_task(task.path, task.action).request:
            name = f"{task.path} {task.action} request"
        told = f"step {task.path}: its request"
        kept = request if isinstance(request, Failure) else self._document(request, told, name)
        if isinstance(kept, Failure):
            return ev.TaskFailed(task=task, failure=kept)
        return ev.RequestEvaluated(task=task, request=kept)

    async def returns(self, asked: EvaluateReturns) -> ev.ReturnsEvaluated | ev.ReturnsEvaluationFailed:
        """Answer what a run or a compose returns; unset, that is the result of the step written last."""
        assert self.known.blueprint is not None
        scope = self.known.blueprint.scopes[asked.scope]
        if scope.returns is None:
            return ev.ReturnsEvaluated(scope=asked.scope, result=self.state.step(scope.last).result)
        environment = await self._environment(scope, scope.results_of([scope.returns]))
        subject = f"step {asked.scope}" if asked.scope != ROOT else ""
        value = await self._value(scope.returns, "returns", environment, subject, self._result_name(asked.scope))
        if isinstance(value, Failure):
            return ev.ReturnsEvaluationFailed(scope=asked.scope, failure=value)
        return ev.ReturnsEvaluated(scope=asked.scope, result=value)

    async def _value(
        self, source: Source, name: str, environment: Environment, subject: str, encrypted_as: str
    ) -> ValueRef | Failure:
        found = await self.evaluator.evaluate_sources({name: source}, environment, subject)
        if isinstance(found, Failure):
            return masked(found, environment)
        return self._document(found[name], f"{subject}: {name}" if subject else name, encrypted_as)

    def _result_name(self, path: str) -> str:
        """Return what the result of a step (or of the run) is encrypted as; empty where it is not sensitive."""
        assert self.known.blueprint is not None
        return f"{path} result" if path in self.known.blueprint.sensitive.results else ""

    async def _environment(self, scope: Scope, reads: Mapping[str, str]) -> Environment:
        """Return what a scope lets its steps read: its inputs, and the results of `reads` (path by name)."""
        definition = self.known.definition
        inputs = definition.inputs if scope.inputs_from == ROOT else self.state.step(scope.inputs_from).inputs
        refs = {name: self.state.step(path).result for name, path in reads.items()}
        bodies = await self.documents.get([ref for ref in (inputs, *refs.values()) if ref is not None])
        parsed = {digest: orjson.loads(body) for digest, body in bodies.items()}
        run = definition.run
        encrypted = frozenset(name for name, ref in refs.items() if ref is not None and ref.encrypted)
        told = NONE_READ
        if encrypted or (inputs is not None and inputs.encrypted):
            assert self.known.blueprint is not None
            told = ReadSensitive(inputs=self.known.blueprint.sensitive.inputs_of(scope.inputs_from), results=encrypted)
        return Environment(
            inputs=parsed[inputs.digest] if inputs is not None else {},
            results={name: None if ref is None else parsed[ref.digest] for name, ref in refs.items()},
            inputs_schema=self._schema(scope),
            run={
                "name": run.name,
                "namespace": run.namespace,
                "uid": run.uid,
                "reactor": definition.reactor_name,
                **self._ending(),
            },
            sensitive=told,
        )

    def _ending(self) -> Mapping[str, object]:
        """Return how the run ends, for its `finally` steps: the phase that is about to be told, and why it failed."""
        header = self.state.header
        if header.ending is None:
            return {}
        failure = header.failure
        told = None
        if failure is not None:
            told = {"step": failure.step, "kind": failure.failure.kind, "message": failure.failure.message}
        return {"phase": header.ending.phase, "failure": told}

    def _schema(self, scope: Scope) -> Mapping[str, object] | None:
        """Return the schema of the inputs that are read in a scope."""
        if scope.reactor.inputs_schema is not None:
            return scope.reactor.inputs_schema
        definition = self.known.definition
        return definition.shared_schema if not scope.name else definition.composed_schemas.get(scope.name)

    def _fallback(self, step: Step) -> ValueRef | None:
        if step.on_error is None or step.on_error.value is None:
            return None
        return self._keep(orjson.dumps(step.on_error.value))

    def _document(self, value: object, what: str, encrypted_as: str) -> ValueRef | Failure:
        try:
            document = orjson.dumps(value)
        except TypeError:
            return _cannot(f"{what}: found JSON that is nested too deeply, expected at most 250 levels")
        if len(document) > VALUE_BYTES:
            return _cannot(f"{what}: found {len(document)} bytes of JSON, expected at most {VALUE_BYTES}")
        return self._keep(document, encrypted_as)

    def _keep(self, document: bytes, encrypted_as: str = "") -> ValueRef:
        """Hold a document; a sensitive one is encrypted under a name."""
        if encrypted_as:
            document = self.documents.keys.encrypt(self.known.definition.run.uid, encrypted_as, document)
        ref = reference_to(document)
        self.values[ref.digest] = document
        return ref


def _cannot(message: str) -> Failure:
    return Failure(kind=FailureKind.INVALID_ARGUMENTS, message=render_message(message), retryable=False)
