"""What a delivery says to an interrupt, by the expressions of its webhook.

In: a webhook, the JSON of a delivery and its headers, both proven. Out: a correlation id and a payload, None where the
delivery is not meant, or a `Refusal` (422). Never here: a run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from reactor_operator.api.problems import render_found
from reactor_operator.api.webhooks import BODY, HEADERS, Webhook
from reactor_operator.engine.failures import Failure
from reactor_operator.evaluation.environment import Environment
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.reconciling.interrupts import correlation_fault


class Expressions(Protocol):
    """Whoever evaluates expressions, in a process that can be killed."""

    async def evaluate_expressions(
        self, expressions: Mapping[str, str], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        """Return the values of `expressions` by the field that each is written in. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What is said to the interrupt that waits under an id."""

    correlation: str
    payload: object = field(repr=False)


async def read_delivery(
    webhook: Webhook, body: object, headers: Mapping[str, str], expressions: Expressions
) -> Delivery | None:
    """Return what a delivery says, None where it does not match. Raises Refusal (422), Unavailable."""
    subject = f"webhook {webhook.name}"
    environment = Environment(inputs={}, beside={BODY: body, HEADERS: dict(headers)})
    written = dict(webhook.expressions)
    if "match" in written:
        matched = _values(await expressions.evaluate_expressions({"match": written.pop("match")}, environment, subject))
        if not isinstance(matched["match"], bool):
            raise Refusal(422, f"{subject}: match: found {render_found(matched['match'])}, expected true or false")
        if not matched["match"]:
            return None
    values = _values(await expressions.evaluate_expressions(written, environment, subject))
    fault = correlation_fault(values["correlationId"])
    if fault is not None:
        raise Refusal(422, f"{subject}: correlationId: {fault}")
    return Delivery(correlation=str(values["correlationId"]), payload=values.get("payload", body))


def _values(found: Mapping[str, object] | Failure) -> Mapping[str, object]:
    if isinstance(found, Failure):
        raise Refusal(422, found.message)
    return found
