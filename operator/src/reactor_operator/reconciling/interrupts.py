"""What an interrupt is evaluated to as it opens, and whether a payload is what it waits for.

In: the step as it is written, what its expression reads, a payload as JSON. Out: its correlation id, or errors in the
words that whoever sent the payload reads. Never here: the state of a run; who may send one.
"""

import orjson

from reactor_operator.api.inputs import InputsSchema, unsaid
from reactor_operator.api.interrupts import Interrupt
from reactor_operator.api.problems import render_found
from reactor_operator.api.sensitivity import ALL
from reactor_operator.engine.failures import Failure, FailureKind, printable, render_message
from reactor_operator.evaluation.environment import Environment
from reactor_operator.ports import Evaluator
from reactor_operator.reconciling.masked import masked

CORRELATION_LIMIT = 253
"""Characters of a correlation id."""
ERRORS_TOLD, ERROR_LIMIT = 20, 256
"""How many errors of a payload are told, and characters of each."""
_BASE = "payload"
_FIELD = "interrupt.correlationId"


async def correlation_of(
    interrupt: Interrupt, environment: Environment, evaluator: Evaluator, subject: str
) -> str | Failure:
    """Return the correlation id of an interrupt, empty where it has none."""
    source = interrupt.correlation
    if source is None:
        return ""
    found = await evaluator.evaluate_sources({_FIELD: source}, environment, subject)
    if isinstance(found, Failure):
        return masked(found, environment)
    value = found[_FIELD]
    fault = correlation_fault(value)
    if isinstance(value, str) and fault is None:
        return value
    message = f"{subject}: {_FIELD}: {fault}"
    failure = Failure(kind=FailureKind.INVALID_ARGUMENTS, message=render_message(message), retryable=False)
    return masked(failure, environment)


def correlation_fault(value: object) -> str | None:
    """Return why a value is no correlation id, None where it is one."""
    if isinstance(value, str) and 0 < len(value) <= CORRELATION_LIMIT and printable(value, keep="") == value:
        return None
    return f"found {render_found(value)}, expected a text of 1 to {CORRELATION_LIMIT} characters"


def refuse_claim(subject: str, correlation: str, other: str) -> Failure:
    """Return the failure of an interrupt whose id somebody else has."""
    message = f"{subject}: {_FIELD}: {render_found(correlation)} is open already, at {other}: expected an id of its own"
    return Failure(kind=FailureKind.KEY_CONFLICT, message=render_message(message), retryable=False)


def judge(interrupt: Interrupt, document: bytes, *, sensitive: bool) -> tuple[bytes, tuple[str, ...]]:
    """Return a payload with the defaults of its schema, and what is wrong with it, which repeats nothing sensitive."""
    if interrupt.payload_schema is None:
        return document, ()
    filled, problems = InputsSchema(interrupt.payload_schema, _BASE).judge(orjson.loads(document))
    if sensitive:
        problems = tuple(unsaid(problem, frozenset({ALL})) for problem in problems)
    errors = [render_message(f"{problem.path}: {problem.message}")[:ERROR_LIMIT] for problem in problems]
    if len(errors) > ERRORS_TOLD:
        errors = [*errors[: ERRORS_TOLD - 1], f"and {len(errors) - ERRORS_TOLD + 1} more"]
    return orjson.dumps(filled) if not errors else document, tuple(errors)
