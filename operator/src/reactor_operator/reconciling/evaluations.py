"""Answers to the engine's evaluations: documents in, events and new documents out.

In: a known run and what the engine asked. Out: events for the same fold. Never here: an effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

import orjson

from reactor_operator.api.blueprint import MAX_RECURSION
from reactor_operator.api.inputs import apply_inputs, unsaid
from reactor_operator.api.maps import CURSOR, LIMIT
from reactor_operator.api.nodes import Located, Node
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source
from reactor_operator.api.templates import COLLECT, PAGE
from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import (
    EvaluatePage,
    EvaluateRequest,
    EvaluateReturns,
    EvaluateStep,
    Evaluation,
    JudgePayload,
    LoadOutcomes,
)
from reactor_operator.engine.elements import saga_of, step_at
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.plan import ROOT, StepKind
from reactor_operator.engine.state import RunState, StepState
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.evaluation.compared import render_compared
from reactor_operator.evaluation.environment import Environment
from reactor_operator.ports import Evaluator
from reactor_operator.reconciling.correlations import OpenIds, correlation_name, holder_name, ids_of
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.environments import Readable
from reactor_operator.reconciling.interrupts import correlation_of, judge, refuse_claim
from reactor_operator.reconciling.mapped import Page, counts_of, cut_into_pages, read_page, results_document
from reactor_operator.reconciling.masked import masked
from reactor_operator.reconciling.pooled import PoolBook, refuse_task
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.reconciling.requests import evaluate_request, sources_of
from reactor_operator.store.outcome_pages import source_page_name

VALUE_BYTES = 32 << 20
_PROBLEMS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Answered:
    """The event that answers an evaluation, and the documents it refers to.

    `pages` are new pages of elements by name.
    """

    event: ev.Event
    values: Mapping[str, bytes]
    pages: Mapping[str, bytes]


async def answer(
    asked: Evaluation,
    known: KnownRun,
    state: RunState,
    evaluator: Evaluator,
    documents: Documents,
    pools: PoolBook | None = None,
    ids: OpenIds | None = None,
) -> Answered:
    """Evaluate what the engine asked for; `pools` are those that there are, `ids` those that interrupts ask for.

    Raises StoreUnavailable where a document cannot be read now.
    """
    answering = _Answering(known, state, evaluator, documents, Readable(known, state, documents), pools, ids)
    event: ev.Event
    match asked:
        case EvaluateStep():
            event = await answering.step(asked)
        case EvaluateReturns():
            event = await answering.returns(asked)
        case EvaluateRequest():
            event = await answering.request(asked)
        case EvaluatePage():
            event = await answering.page(asked)
        case JudgePayload(request=request):
            event = await answering.payload(request)
        case LoadOutcomes(path=path, round=round_, page=page):
            outcomes = await documents.pages.outcomes(path, round_, page)
            event = ev.OutcomesLoaded(path=path, round=round_, page=page, outcomes=outcomes)
    return Answered(event, answering.values, answering.pages)


@dataclass(slots=True)
class _Answering:
    """One evaluation. `values` and `pages` gather new documents; `element` is the path that leads into a map, and
    `round` that of the step there.
    """

    known: KnownRun
    state: RunState
    evaluator: Evaluator
    documents: Documents
    readable: Readable
    book: PoolBook | None
    ids: OpenIds | None
    values: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, bytes] = field(default_factory=dict)
    element: str = ""
    round: int = 0

    def _at(self, path: str, round_: int) -> Located:
        """Return what stands at the path that was asked for."""
        assert self.known.blueprint is not None
        located = self.known.blueprint.at(path)
        if located.node.path != path:
            self.element, self.round = path, round_
        return located

    async def step(self, asked: EvaluateStep) -> ev.StepEvaluated | ev.StepEvaluationFailed:
        """Answer what a step needs before it starts."""
        assert self.known.blueprint is not None
        located = self._at(asked.path, asked.round)
        node = located.node
        environment = await self._environment(located, asked.path)
        outcome = await self.evaluator.evaluate_step(node.step, environment)
        names = self.known.blueprint.sensitive.arguments.get(node.path, frozenset())
        fallback = self._fallback(node.step)
        answered: ev.StepEvaluated | Failure
        if isinstance(outcome, Failure):
            answered = masked(outcome, environment)
        elif outcome.arguments is None:
            answered = ev.StepEvaluated(path=asked.path, round=asked.round, proceed=outcome.proceed, fallback=fallback)
        else:
            arguments = outcome.arguments
            if self.element and node.path.endswith(PAGE):
                arguments = await self._page_arguments(asked.path, arguments)
            proceed = ev.StepEvaluated(
                path=asked.path,
                round=asked.round,
                proceed=True,
                arguments=self._keep(arguments, "arguments", node.path if names else ""),
                fallback=fallback,
            )
            told = replace(environment, arguments=orjson.loads(arguments)) if node.kind is not StepKind.TASK else None
            if told is not None and names:
                told = replace(told, sensitive=replace(told.sensitive, arguments=names))
            answered = self._task(proceed) if told is None else await self._body(located, proceed, told)
        if isinstance(answered, Failure):
            return ev.StepEvaluationFailed(path=asked.path, round=asked.round, failure=answered, fallback=fallback)
        return answered

    def _task(self, proceed: ev.StepEvaluated) -> ev.StepEvaluated | Failure:
        """Return that a task may start, unless its pool could never start it."""
        assert self.known.blueprint is not None
        if self.book is None:
            return proceed
        namespace = self.known.definition.run.namespace
        return refuse_task(self.book, self.known.blueprint, self.known.plan, namespace, proceed.path) or proceed

    async def _environment(self, located: Located, path: str) -> Environment:
        environment = await self.readable.by_node(located)
        name = located.node.step.name
        if located.node.path.endswith(COLLECT) and name in environment.results:
            of = path.removesuffix(COLLECT)
            results = self._results_document(of, step_at(self.known.plan, self.state, of))
            return replace(environment, results={**environment.results, name: results})
        return environment

    async def _page_arguments(self, path: str, arguments: bytes) -> bytes:
        """Return what the task of a page is called with: also the cursor that asks for it, and how much it may be."""
        of = path.rpartition("[")[0]
        plan, state = saga_of(self.known.plan, self.state, of)
        mapped, progress = plan.steps[of].map, state.step(of).map
        assert mapped is not None
        assert progress is not None
        cursor = orjson.loads(await self.documents.one(progress.cursor))
        return orjson.dumps({**orjson.loads(arguments), CURSOR: cursor, LIMIT: mapped.page_size})

    async def _body(
        self, located: Located, proceed: ev.StepEvaluated, environment: Environment
    ) -> ev.StepEvaluated | Failure:
        """Add to what a step is told what its body needs."""
        node = located.node
        match node.kind:
            case StepKind.TASK:
                return proceed
            case StepKind.TRANSFORM:
                value = await self._transform(node, environment)
                return value if isinstance(value, Failure) else replace(proceed, result=value)
            case StepKind.MAP:
                total = await self._elements(node, proceed, environment)
                return total if isinstance(total, Failure) else replace(proceed, total=total)
            case StepKind.COMPOSE:
                inputs = await self._inputs(node, environment)
                return inputs if isinstance(inputs, Failure) else replace(proceed, inputs=inputs)
            case StepKind.INTERRUPT:
                return await self._interrupt(node, proceed, environment)
            case StepKind.SWITCH:
                chosen = await self._choose(located, environment)
                return chosen if isinstance(chosen, Failure) else replace(proceed, chosen=chosen)
            case _:
                assert_never(node.kind)

    async def _interrupt(
        self, node: Node, proceed: ev.StepEvaluated, environment: Environment
    ) -> ev.StepEvaluated | Failure:
        """Return the id by which an interrupt may be named, and the value that it ends with when nobody sends one."""
        interrupt = node.step.interrupt
        assert interrupt is not None
        correlation = await correlation_of(interrupt, environment, self.evaluator, f"step {node.path}")
        if isinstance(correlation, Failure):
            return correlation
        if correlation and (other := await self._other_holder(node, proceed, correlation)):
            return refuse_claim(f"step {node.path}", correlation, other)
        value = interrupt.on_timeout.value
        otherwise = self._keep(orjson.dumps(value), "otherwise") if value is not None else None
        return replace(proceed, correlation=correlation, otherwise=otherwise)

    async def _other_holder(self, node: Node, proceed: ev.StepEvaluated, correlation: str) -> str:
        """Return who else has an open interrupt of this id, empty where nobody has."""
        if self.ids is None:
            return ""
        definition = self.known.definition
        name = correlation_name(definition.run.namespace, node.scope.name or definition.reactor_name, correlation)
        open_here = ids_of(self.known, self.known.plan, self.state)
        return await self.ids.other_holder(name, holder_name(proceed.path, proceed.round), open_here)

    async def payload(self, request: ev.ResumeRequested) -> ev.PayloadJudged:
        """Answer whether a payload is what its interrupt waits for."""
        assert self.known.blueprint is not None
        plan, state = saga_of(self.known.plan, self.state, request.step)
        if request.step not in plan.steps:
            return ev.PayloadJudged(request=request)  # its element has ended, of which the answer tells
        node = self._at(request.step, state.step(request.step).round).node
        interrupt = node.step.interrupt
        assert interrupt is not None
        assert self.known.blueprint is not None
        sensitive = node.path in self.known.blueprint.sensitive.results
        document = await self.documents.one(request.payload) if request.payload is not None else b"null"
        filled, errors = judge(interrupt, document, sensitive=sensitive)
        payload = request.payload
        if not errors and filled != document:
            payload = self._keep(filled, "result", node.path if sensitive else "")
        return ev.PayloadJudged(request=request, payload=payload, errors=errors)

    async def _elements(self, node: Node, proceed: ev.StepEvaluated, environment: Environment) -> int | Failure | None:
        """Cut what a map goes over into pages and return how many elements there are; None where pages are fetched."""
        assert node.step.map is not None
        if node.step.map.source is None:
            return None
        subject = f"step {node.path}"
        found = await self.evaluator.evaluate_sources({"map.source": node.step.map.source}, environment, subject)
        if isinstance(found, Failure):
            return masked(found, environment)
        elements = found["map.source"]
        pages = cut_into_pages(elements, subject)
        if isinstance(pages, Failure):
            return pages
        self._put_pages(proceed.path, proceed.round, 0, pages)
        return len(elements) if isinstance(elements, list) else 0

    async def page(self, asked: EvaluatePage) -> ev.PageEvaluated | ev.PageEvaluationFailed:
        """Answer what a page says."""
        located = self._at(asked.path, asked.round)
        plan, state = saga_of(self.known.plan, self.state, asked.path)
        mapped, progress = plan.steps[asked.path].map, state.step(asked.path).map
        assert mapped is not None
        assert progress is not None
        document = orjson.loads(await self.documents.one(asked.result))
        page = read_page(document, asked.page, progress.known, mapped.page_size, f"step {located.node.path}")
        if isinstance(page, Failure):
            return ev.PageEvaluationFailed(path=asked.path, round=asked.round, page=asked.page, failure=page)
        return self._page_told(asked, page)

    def _page_told(self, asked: EvaluatePage, page: Page) -> ev.PageEvaluated:
        assert self.known.blueprint is not None
        if page.size:
            self._put_pages(asked.path, asked.round, asked.page, [page.body])
        cursor = None
        if page.cursor is not None:
            cursor = reference_to(page.cursor, f"{asked.path}[page-{asked.page}].cursor.{asked.round}")
            if cursor.inline is None:
                self.values[cursor.digest] = page.cursor
        return ev.PageEvaluated(
            path=asked.path, round=asked.round, page=asked.page, size=page.size, cursor=cursor, mark=page.mark
        )

    def _put_pages(self, path: str, round_: int, first: int, pages: list[bytes]) -> None:
        """Hold pages of elements; encrypted where a sensitive value is among what they came from."""
        assert self.known.blueprint is not None
        uid, keys = self.known.definition.run.uid, self.documents.keys
        sensitive = self.known.blueprint.at(path).node.path in self.known.blueprint.sensitive.elements
        for number, page in enumerate(pages, first):
            name = source_page_name(path, round_, number)
            self.pages[name] = keys.encrypt(uid, name, page) if sensitive else page

    async def _transform(self, node: Node, environment: Environment) -> ValueRef | Failure:
        subject = f"step {node.path}"
        if node.step.transform is None:
            assert node.too_deep
            message = f"{subject}: a Reactor is inside itself more than {MAX_RECURSION} times, expected an end before"
            return Failure(kind=FailureKind.INVALID_REACTOR, message=render_message(message), retryable=False)
        return await self._value(node.step.transform, "transform", environment, subject, node.path)

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
        inputs, problems = apply_inputs(self.readable.schema(inside), given)
        names = self.known.blueprint.sensitive.inputs_of(node.path)
        if problems:
            problems = tuple(unsaid(one, names) for one in problems) if names else problems
            shown = "; ".join(f"{one.path.removeprefix('spec.')}: {one.message}" for one in problems[:_PROBLEMS_SHOWN])
            return _cannot(f"{subject}: Reactor {body.reactor_ref.name} takes other inputs: {shown}")
        return self._document(inputs, f"{subject}: inputs", "inputs", node.path if names else "")

    async def _choose(self, located: Located, environment: Environment) -> str | Failure:
        """Return the path of the body that a switch chooses."""
        node = located.node
        conditions = [condition for condition, _ in node.bodies if condition is not None]
        subject = f"step {node.path}"
        place = await self.evaluator.choose(conditions, environment, subject)
        if isinstance(place, Failure):
            return masked(place, environment)
        if place is None and len(node.bodies) == len(conditions):
            compared = "; ".join(render_compared(condition, environment) for condition in conditions)
            message = f"{subject}: no case of the switch is true and it has no default: {compared}"
            return Failure(kind=FailureKind.EXPRESSION, message=render_message(message), retryable=False)
        return located.actual(node.bodies[place if place is not None else -1][1])

    async def request(self, asked: EvaluateRequest) -> ev.RequestEvaluated | ev.TaskFailed:
        """Answer what the tasks of an action send."""
        assert self.known.blueprint is not None
        task = asked.task
        located = self._at(task.path, task.round)
        environment = await self.readable.by_sources(located, sources_of(self.known, task).values())
        request = await evaluate_request(asked, self.known, environment, self.evaluator, self.documents)
        sensitive = self.known.blueprint.sensitive.of_task(task.path, task.action).request
        told, name = f"step {task.path}: its request", f"{task.action} request"
        kept: ValueRef | Failure
        kept = (
            request
            if isinstance(request, Failure)
            else self._document(request, told, name, task.path if sensitive else "")
        )
        if isinstance(kept, Failure):
            return ev.TaskFailed(task=task, failure=kept)
        return ev.RequestEvaluated(task=task, request=kept)

    async def returns(self, asked: EvaluateReturns) -> ev.ReturnsEvaluated | ev.ReturnsEvaluationFailed:
        """Answer what a run or a compose returns; unset, that is the result of the step written last."""
        assert self.known.blueprint is not None
        if asked.scope != ROOT:
            located = self._at(asked.scope, step_at(self.known.plan, self.state, asked.scope).round)
            if located.node.kind is StepKind.MAP:
                return await self._results(located, asked.scope)
        else:
            located = None
        scope = self.known.blueprint.scopes[located.node.path if located is not None else ROOT]
        if scope.returns is None:
            last = located.actual(scope.last) if located is not None else scope.last
            return ev.ReturnsEvaluated(scope=asked.scope, result=step_at(self.known.plan, self.state, last).result)
        environment = await self.readable.by_returns(scope, located)
        subject = f"step {asked.scope}" if asked.scope != ROOT else ""
        value = await self._value(scope.returns, "returns", environment, subject, scope.path)
        if isinstance(value, Failure):
            return ev.ReturnsEvaluationFailed(scope=asked.scope, failure=value)
        return ev.ReturnsEvaluated(scope=asked.scope, result=value)

    async def _results(self, located: Located, path: str) -> ev.ReturnsEvaluated | ev.ReturnsEvaluationFailed:
        """Answer what the result of a map is: what stands for the results of its elements, or what is made of that."""
        step = step_at(self.known.plan, self.state, path)
        collect = located.node.step.map.collect if located.node.step.map is not None else None
        if collect is None or collect.expr is None:
            kept = self._document(self._results_document(path, step), f"step {path}", "result")
        else:
            assert step.map is not None
            environment = replace(await self.readable.by_node(located), beside={"result": counts_of(step.map)})
            source = Source.model_validate({"expr": collect.expr})
            kept = await self._value(source, "map.collect", environment, f"step {path}", located.node.path)
        if isinstance(kept, Failure):
            return ev.ReturnsEvaluationFailed(scope=path, failure=kept)
        return ev.ReturnsEvaluated(scope=path, result=kept)

    def _results_document(self, path: str, step: StepState) -> dict[str, object]:
        return results_document(self.documents.keys, self.known.definition.run.uid, path, step)

    async def _value(
        self, source: Source, name: str, environment: Environment, subject: str, path: str
    ) -> ValueRef | Failure:
        """Return a value that is the result of what stands at a template path."""
        assert self.known.blueprint is not None
        found = await self.evaluator.evaluate_sources({name: source}, environment, subject)
        if isinstance(found, Failure):
            return masked(found, environment)
        sensitive = path in self.known.blueprint.sensitive.results
        told = f"{subject}: {name}" if subject else name
        return self._document(found[name], told, "result", path if sensitive else "", sensitive=sensitive)

    def _fallback(self, step: Step) -> ValueRef | None:
        if step.on_error is None or step.on_error.value is None:
            return None
        return self._keep(orjson.dumps(step.on_error.value), "fallback")

    def _document(
        self, value: object, what: str, name: str, encrypted_for: str = "", *, sensitive: bool = False
    ) -> ValueRef | Failure:
        try:
            document = orjson.dumps(value)
        except TypeError:
            return _cannot(f"{what}: found JSON that is nested too deeply, expected at most 250 levels")
        if len(document) > VALUE_BYTES:
            return _cannot(f"{what}: found {len(document)} bytes of JSON, expected at most {VALUE_BYTES}")
        return self._keep(document, name, encrypted_for, sensitive=sensitive)

    def _keep(self, document: bytes, name: str, encrypted_for: str = "", *, sensitive: bool = False) -> ValueRef:
        """Hold a document; what belongs to an element has a name, of its round. A sensitive one is encrypted for a
        path."""
        if encrypted_for or sensitive:
            uid = self.known.definition.run.uid
            document = self.documents.keys.encrypt(uid, f"{encrypted_for} {name}", document)
        ref = reference_to(document, f"{self.element}.{name}.{self.round}" if self.element else "")
        if ref.inline is None:
            self.values[ref.digest] = document
        return ref


def _cannot(message: str) -> Failure:
    return Failure(kind=FailureKind.INVALID_ARGUMENTS, message=render_message(message), retryable=False)
