"""Conditions, arguments and results of steps: sources are resolved here, expressions in a process that can be killed.

In: a step or a spec, and an `Environment`. Out: JSON documents, or a `Failure` that names step, field and cause.
Never here: effects. A step without expressions costs no process, and the first expression is what loads CEL.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import orjson

from reactor_operator.api.expressions import ELEMENT, INDEX, expression_references
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.evaluation.environment import Environment
from reactor_operator.evaluation.process import Worker, WorkerEnded
from reactor_operator.evaluation.sources import Fault, resolve
from reactor_operator.ports import Evaluated

DEADLINE_SECONDS = 1.0
WORKERS = 2
READABLE_BYTES = 4 << 20
ARGUMENTS_BYTES = 32 << 20
_IN_MAPS = (ELEMENT, INDEX)
_NESTED = "nested too deeply, expected at most 250 levels"
_TOO_DEEP = f"found JSON that is {_NESTED}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """An expression and the field it stands in (`when`, `arguments.amount.expr`, `returns.expr`)."""

    field: str
    expression: str


class ProcessEvaluator:
    """Implements `ports.Evaluator`. Keeps up to `workers` processes, started when needed; `close` ends them."""

    def __init__(self, *, deadline_seconds: float = DEADLINE_SECONDS, workers: int = WORKERS) -> None:
        self._deadline_seconds = deadline_seconds
        self._slots = asyncio.Semaphore(workers)
        self._idle: list[Worker] = []

    async def evaluate_step(self, step: Step, environment: Environment) -> Evaluated | Failure:
        """Evaluate `when`, then the arguments. Arguments from Secrets and ConfigMaps are left out."""
        subject = f"step {step.name}"
        asked = list(_asked_of(step))
        values = await self._evaluate(asked, environment, subject, condition=step.when is not None)
        if isinstance(values, Failure):
            return values
        if step.when is not None:
            proceed = values[step.when]
            if not isinstance(proceed, bool):
                return _no_condition(subject, "when", proceed)
            if not proceed:
                return Evaluated(proceed=False, arguments=None)
        read = {f"argument {name}": source for name, source in step.arguments.items() if not source.by_reference}
        resolved = _resolve(read, environment, values, subject)
        if isinstance(resolved, Failure):
            return resolved
        document = _document({name.removeprefix("argument "): value for name, value in resolved.items()})
        if document is None:
            return _arguments_failure(subject, "arguments", _TOO_DEEP)
        if len(document) > ARGUMENTS_BYTES:
            message = f"found {len(document)} bytes of JSON, expected at most {ARGUMENTS_BYTES}"
            return _arguments_failure(subject, "arguments", message)
        return Evaluated(proceed=True, arguments=document)

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        """Return the values of `sources` by the field that each is written in (`transform`, `inputs.order`)."""
        asked = [_Asked(f"{name}.expr", one.expr) for name, one in sources.items() if one.expr is not None]
        values = await self._evaluate(asked, environment, subject)
        return values if isinstance(values, Failure) else _resolve(sources, environment, values, subject)

    async def evaluate_expressions(
        self, expressions: Mapping[str, str], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        """Return the values of `expressions` by the field that each is written in."""
        asked = [_Asked(field, text) for field, text in expressions.items()]
        values = await self._evaluate(asked, environment, subject)
        return values if isinstance(values, Failure) else {one.field: values[one.expression] for one in asked}

    async def choose(self, conditions: Sequence[str], environment: Environment, subject: str) -> int | Failure | None:
        """Return the place of the first condition that is true, None where none is; those after it are not asked.

        All of them together have the time of one question, so that many slow ones hold nobody up for long.
        """
        asked = [_Asked(f"switch.cases[{place}].when", condition) for place, condition in enumerate(conditions)]
        values = await self._evaluate(asked, environment, subject, choice=True)
        if isinstance(values, Failure):
            return values
        for place, one in enumerate(asked):
            value = values[one.expression]
            if not isinstance(value, bool):
                return _no_condition(subject, one.field, value)
            if value:
                return place
        return None

    async def close(self) -> None:
        """End the worker processes."""
        while self._idle:
            await self._idle.pop().kill()

    async def _evaluate(
        self,
        asked: Sequence[_Asked],
        environment: Environment,
        subject: str,
        *,
        condition: bool = False,
        choice: bool = False,
    ) -> Mapping[str, object] | Failure:
        """Return values by expression: of a `condition` that is not true its value alone; of a `choice` those up to the
        first that is not false."""
        if not asked:
            return {}
        question = {**_question(asked, environment), "condition": condition, "choice": choice}
        document = _document(question)
        if document is None:
            return _expression_failure(subject, asked[0].field, f"reads inputs or results that are {_NESTED}")
        if len(document) > READABLE_BYTES:
            message = f"reads {len(document)} bytes of inputs and results, expected at most {READABLE_BYTES}"
            return _expression_failure(subject, asked[0].field, message)
        async with self._slots:
            try:
                answers = await self._ask(question, len(asked))
            except WorkerEnded as ended:
                field = asked[len(ended.answers)].field
                return _expression_failure(subject, field, self._ended(in_time=ended.in_time))
        values: dict[str, object] = {}
        for one, answer in zip(asked, answers, strict=False):
            if "fault" in answer:
                return _expression_failure(subject, one.field, str(answer["fault"]))
            values[one.expression] = answer["value"]
        return values

    async def _ask(self, question: Mapping[str, object], count: int) -> Sequence[Mapping[str, object]]:
        """Ask a worker that is idle, else a new one. Raises WorkerEnded.

        One that waited may have been ended meanwhile for reasons that are not this question's; a new one tells.
        """
        if self._idle:
            try:
                return await self._ask_of(self._idle.pop(), question, count)
            except WorkerEnded as ended:
                if not ended.in_time:
                    raise
        return await self._ask_of(await Worker.start(), question, count)

    async def _ask_of(
        self, worker: Worker, question: Mapping[str, object], count: int
    ) -> Sequence[Mapping[str, object]]:
        answers = await worker.ask(question, count, self._deadline_seconds)
        self._idle.append(worker)
        return answers

    def _ended(self, *, in_time: bool) -> str:
        if in_time:
            return "its evaluation ended the process, which has little memory and stack: read less, or nest less"
        return f"took more than {self._deadline_seconds:g}s of CPU time and was stopped: read less, or loop less"


def _document(value: object) -> bytes | None:
    """Return `value` as JSON, None where it is nested deeper than that can be written."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return None


def _asked_of(step: Step) -> Sequence[_Asked]:
    asked = [_Asked("when", step.when)] if step.when is not None else []
    return asked + [
        _Asked(f"arguments.{name}.expr", source.expr)
        for name, source in step.arguments.items()
        if source.expr is not None
    ]


def _question(asked: Sequence[_Asked], environment: Environment) -> dict[str, object]:
    """Return what the worker is asked, with only those inputs and results that the expressions name."""
    read = [expression_references(one.expression, arguments=True, beside=_IN_MAPS) for one in asked]
    named = {name for one in read for name in one.results}
    spoken = environment.spoken
    innermost = environment.elements[environment.innermost] if environment.innermost is not None else None
    return {
        "expressions": [one.expression for one in asked],
        "inputs": _named_inputs(environment.inputs, {name for one in read for name in one.named("inputs")}),
        "schema": environment.inputs_schema,
        "results": {
            name: value for name, value in environment.told.items() if name in named or name.replace("-", "_") in named
        },
        "run": dict(environment.run),
        "args": environment.arguments,
        "beside": {name: value for name, value in spoken.items() if any(name in one.expression for one in asked)},
        "element_keys": innermost.keys if innermost is not None else None,
    }


def _named_inputs(inputs: object, names: Collection[str | None]) -> object:
    """Return the inputs of these names; None among them is all. Another one may be the collection of a map."""
    if None in names or not isinstance(inputs, dict):
        return inputs
    return {name: value for name, value in inputs.items() if name in names}


def _resolve(
    sources: Mapping[str, Source], environment: Environment, values: Mapping[str, object], subject: str
) -> Mapping[str, object] | Failure:
    """Return the values of sources by name; those of expressions are among `values` already."""
    resolved: dict[str, object] = {}
    for name, source in sources.items():
        value = resolve(source, environment, values.__getitem__)
        if isinstance(value, Fault):
            return _arguments_failure(subject, name, value.message)
        resolved[name] = value
    return resolved


def _no_condition(subject: str, field: str, found: object) -> Failure:
    return _expression_failure(subject, field, f"gave {_kind(found)}, expected true or false")


def _expression_failure(subject: str, field: str, message: str) -> Failure:
    return _failure(FailureKind.EXPRESSION, subject, field, message)


def _arguments_failure(subject: str, field: str, message: str) -> Failure:
    return _failure(FailureKind.INVALID_ARGUMENTS, subject, field, message)


def _failure(kind: FailureKind, subject: str, field: str, message: str) -> Failure:
    said = ": ".join(part for part in (subject, field, message) if part)
    return Failure(kind=kind, message=render_message(said), retryable=False)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
