"""What an interrupt says: how long a step waits for a payload from outside, and what that must be.

In: one object of a manifest. Out: a frozen `Interrupt`, and what is wrong with it beside its shape.
Never here: a signal, a payload.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from reactor_operator.api.model import Boolean, Expression, Integer, Json, Model, Object, Optional, Timeout
from reactor_operator.api.problems import Problem
from reactor_operator.api.schemas import schema_problems
from reactor_operator.api.sources import Source

if TYPE_CHECKING:
    from reactor_operator.api.reactor import Step

MAX_PAYLOADS = 1_000


class InterruptStrategy(StrEnum):
    """When it is noticed that the wait is over."""

    LAZY = "lazy"
    ACTIVE = "active"


class InterruptMode(StrEnum):
    """What a payload does that the schema does not allow."""

    FLEXIBLE = "flexible"
    STRICT = "strict"


class OnTimeoutAction(StrEnum):
    """What becomes of a step that waited too long."""

    FAIL = "Fail"
    CONTINUE = "Continue"


class OnTimeout(Model):
    """What happens when no payload came in time."""

    action: OnTimeoutAction = Field(description="Fail: the step fails (Timeout). Continue: it succeeds with value.")
    value: Json = Field(default=None, description="With Continue: the result. Unset: null.")


class Interrupt(Model):
    """A wait for a payload from outside, which becomes the result of the step."""

    correlation_id: Optional[Expression] = Field(
        default=None,
        description="A CEL expression that gives a text by which signals and webhooks may name this interrupt. While it"
        " is open no other one of the reactor in the namespace may have the same.",
    )
    timeout: Optional[Timeout] = Field(default=None, description="Longest wait. Unset: no limit.")
    strategy: InterruptStrategy = Field(
        default=InterruptStrategy.LAZY,
        description="lazy (default): that the wait is over is noticed when a signal comes; active: a timer ends it.",
    )
    on_timeout: OnTimeout = Field(
        default_factory=lambda: OnTimeout.model_validate({"action": "Fail"}),
        description="What happens when no payload came in time. Unset: the step fails.",
    )
    payload_schema: Optional[Object] = Field(
        default=None, description="JSON Schema 2020-12 of the payload; defaults are filled in. Unset: any JSON."
    )
    mode: InterruptMode = Field(
        default=InterruptMode.FLEXIBLE,
        description="flexible (default): an invalid payload is refused and another may follow; strict: it fails the"
        " step at once.",
    )
    max_attempts: Optional[Annotated[Integer, Field(ge=1, le=MAX_PAYLOADS)]] = Field(
        default=None, description="Invalid payloads with which the step fails. Unset: no limit."
    )
    approvers: Boolean = Field(
        default=False, description="true: only signals of people who may update reactorruns/approval count."
    )

    @property
    def correlation(self) -> Source | None:
        """The expression of the correlation id as a source."""
        if self.correlation_id is None:
            return None
        return Source.model_validate({"expr": self.correlation_id})


_OF_TASKS = (
    ("compensate", "compensate", "nothing is launched that could be cleaned up after"),
    ("undo", "undo", "nothing is launched that could be taken back"),
    ("retries", "retries", "how many payloads may be invalid says interrupt.maxAttempts"),
    ("retryOn", "retry_on", "how many payloads may be invalid says interrupt.maxAttempts"),
    ("timeout", "timeout", "how long it waits says interrupt.timeout"),
)


def interrupt_problems(step: "Step", interrupt: Interrupt, path: str) -> Iterator[Problem]:
    """Yield what is wrong with the interrupt of the step at `path`, but for what its expression reads."""
    for name, field, why in _OF_TASKS:
        if getattr(step, field) is not None:
            yield Problem(f"{path}.{name}", f"found it beside interrupt, expected none: {why}", "InvalidValue")
    where = f"{path}.interrupt"
    if interrupt.payload_schema is not None:
        yield from schema_problems(interrupt.payload_schema, f"{where}.payloadSchema")
    if interrupt.timeout is None:
        for name, field in (("strategy", "strategy"), ("onTimeout", "on_timeout")):
            if field in interrupt.model_fields_set:
                message = "found it without timeout, expected timeout beside it: without one the wait never ends"
                yield Problem(f"{where}.{name}", message, "InvalidValue")
    if interrupt.on_timeout.action is OnTimeoutAction.FAIL and "value" in interrupt.on_timeout.model_fields_set:
        message = "found a value beside Fail, expected action: Continue"
        yield Problem(f"{where}.onTimeout.value", message, "InvalidValue")
    if interrupt.mode is InterruptMode.STRICT and interrupt.max_attempts is not None:
        message = "found it beside mode: strict, where the first invalid payload fails the step: expected one of them"
        yield Problem(f"{where}.maxAttempts", message, "InvalidValue")
    if interrupt.payload_schema is None:
        for name, field in (("mode", "mode"), ("maxAttempts", "max_attempts")):
            if field in interrupt.model_fields_set:
                message = "found it without payloadSchema, expected one: without it every payload is valid"
                yield Problem(f"{where}.{name}", message, "InvalidValue")
