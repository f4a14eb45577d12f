"""Webhooks of a reactor: which deliveries from outside resume an interrupt, and what of them is its payload.

In: one object of `spec.webhooks`. Out: a frozen `Webhook`. Never here: a delivery, the text of a key, or rules that
look at the interrupts too (`webhook_rules`).
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from reactor_operator.api.model import DNS_LABEL, Expression, Model, Optional, StepName

MAX_WEBHOOKS = 10
BODY, HEADERS = "body", "headers"
"""What the expressions of a webhook read: the JSON of a delivery, and its headers by their names in lower case."""
KeyName = Annotated[str, Field(strict=True, min_length=1, max_length=63, pattern=DNS_LABEL)]


class Webhook(Model):
    """Deliveries to /v1/webhooks/NAMESPACE/REACTOR/NAME of the gateway, each of which resumes an interrupt."""

    name: StepName = Field(description="A DNS label, unique among the webhooks: the end of the address.")
    secret: KeyName = Field(
        description="Name of the key that proves who sends: a key of the chart's Secret of webhook keys."
    )
    match: Optional[Expression] = Field(
        default=None,
        description="A CEL expression over body and headers: which deliveries count. The others are answered ignored."
        " Unset: all.",
    )
    correlation_id: Expression = Field(
        description="A CEL expression over body and headers that gives the correlation id of the interrupt."
    )
    step: Optional[StepName] = Field(
        default=None,
        description="Name of the interrupt that is meant. Unset: whichever of this reactor is open under the id.",
    )
    payload: Optional[Expression] = Field(
        default=None, description="A CEL expression over body and headers that gives the payload. Unset: the body."
    )

    @property
    def expressions(self) -> Mapping[str, str]:
        """The expressions by the field that each is written in."""
        written = {"match": self.match, "correlationId": self.correlation_id, "payload": self.payload}
        return {field: text for field, text in written.items() if text is not None}
