"""An http task without a gateway: what it is told, and the outcome document that comes of it."""

import json
from typing import Any

from reactor.calling import Call, perform
from reactor.environment import TaskEnvironment

VARIABLES = {
    "REACTOR_STEP": "charge",
    "REACTOR_ACTION": "run",
    "REACTOR_ATTEMPT": "1",
    "REACTOR_IDEMPOTENCY_KEY": "key-1",
    "REACTOR_HTTP": "1",
}


def outcome_of(url: str, method: str = "POST", variables: dict[str, str] | None = None, **told: Any) -> Any:
    """Do the task and return its outcome document."""
    environment = TaskEnvironment({**VARIABLES, **(variables or {})})
    request = {"method": method, "url": url, "headers": [], "references": {}, "timeoutMs": 20_000, **told}
    return json.loads(perform(Call(environment, {"arguments": {}, "request": request})))


def result_of(url: str, **told: Any) -> Any:
    """Return the result of a task that succeeds."""
    document = outcome_of(url, **told)
    assert document["type"] == "succeeded", document
    return document["result"]


def failure_of(url: str, **told: Any) -> Any:
    """Return the failure of a task that fails."""
    document = outcome_of(url, **told)
    assert document["type"] == "failed", document
    return document["failure"]


def known(failure: Any) -> tuple[str, str, bool]:
    """Return what a failure says of the world, and whether another attempt may help."""
    assert failure["kind"] == "Http", failure
    return failure["kind"], failure["certainty"], failure["retryable"]
