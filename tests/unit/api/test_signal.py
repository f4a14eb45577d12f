"""A signal: which fields go with which action, and that what is wrong with it is named."""

from typing import Any

import pytest

from reactor_operator.api.signal import FIELDS, SignalAction, SignalSpec, check_signal_spec
from reactor_operator.reconciling.signals import ACTIONS, request_of
from tests.unit.api.documents import found

VALUES: dict[str, Any] = {
    "reason": "why",
    "step": "charge",
    "payload": None,
    "arguments": {"card": "4111"},
    "assume": {"charge": "undone"},
    "delete": True,
    "mode": "flexible",
    "dryRun": True,
    "asApprover": True,
}


def signal(**fields: Any) -> dict[str, Any]:
    return {"runRef": {"name": "order-1"}, "action": "cancel", **fields}


def checked(**fields: Any) -> SignalSpec:
    result = check_signal_spec(signal(**fields))
    assert result.problems == ()
    assert result.spec is not None
    return result.spec


@pytest.mark.parametrize("action", SignalAction)
@pytest.mark.parametrize("field", VALUES)
def test_each_action_takes_the_fields_that_are_its_own_and_no_others(action: SignalAction, field: str) -> None:
    result = check_signal_spec(signal(action=action.value, requestedBy="ann", **{field: VALUES[field]}))
    expected = set() if field in FIELDS[action] else {(f"spec.{field}", "InvalidValue")}
    assert found(result.problems) == expected


@pytest.mark.parametrize("action", [action for action in SignalAction if action.value in ACTIONS])
def test_what_a_signal_says_is_what_every_other_way_in_may_say(action: SignalAction) -> None:
    """One function takes all requests, and it would refuse a field that it does not know."""
    said = checked(action=action.value, requestedBy="ann", **{name: VALUES[name] for name in FIELDS[action]}).said
    request = request_of("1", action.value, {"step": "charge", **said} if "step" in FIELDS[action] else said, "ann")
    assert said.keys() == FIELDS[action] - {"asApprover"}
    assert type(request.event).__name__ == f"{action.value.capitalize()}Requested"
    refused = request_of("1", action.value, {"step": "charge", "unknown": 1}, "ann")
    assert type(refused.event).__name__ == "RequestUnreadable"


def test_who_asks_and_for_how_long_is_not_said_to_the_run() -> None:
    assert checked(reason="why", ttl="1h", messageId="1", requestedBy="ann", runUid="u").said == {"reason": "why"}


def test_a_payload_of_null_is_one_and_none_is_none() -> None:
    assert checked(action="skip", step="a", payload=None).said == {"step": "a", "payload": None}
    assert checked(action="skip", step="a").said == {"step": "a"}


def test_it_waits_for_a_day_unless_it_says_otherwise() -> None:
    assert checked().ttl_ms == 86_400_000
    assert checked(ttl="90s").ttl_ms == 90_000


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({"runRef": {"name": "Order"}}, "spec.runRef.name", "InvalidValue"),
        ({"action": "suspend"}, "spec.action", "InvalidValue"),
        ({"dryrun": True}, "spec.dryrun", "UnknownField"),
        ({"action": "resume", "mode": "strict"}, "spec.mode", "InvalidValue"),
        ({"action": "retry", "assume": {"a": "gone"}}, "spec.assume.a", "InvalidValue"),
        ({"action": "resume", "asApprover": True}, "spec.requestedBy", "Required"),
        ({"ttl": "0s"}, "spec.ttl", "InvalidValue"),
        ({"ttl": "1d"}, "spec.ttl", "InvalidValue"),
        ({"messageId": ""}, "spec.messageId", "InvalidValue"),
        ({"messageId": "x" * 201}, "spec.messageId", "TooLong"),
        ({"messageId": "a\u202eb"}, "spec.messageId", "InvalidValue"),
        ({"correlationId": "order-1"}, "spec", "InvalidValue"),
        ({"reactorRef": {"name": "order"}}, "spec.reactorRef", "InvalidValue"),
    ],
)
def test_each_problem_is_named_by_field_and_reason(fields: dict[str, Any], path: str, reason: str) -> None:
    result = check_signal_spec(signal(**fields))
    assert (path, reason) in found(result.problems)
    assert result.spec is None


def test_a_correlation_id_takes_the_reactor_that_declares_it_and_no_run() -> None:
    by_id = {"action": "resume", "correlationId": "order-1"}
    assert found(check_signal_spec(by_id).problems) == {("spec.reactorRef", "Required")}
    assert check_signal_spec({**by_id, "reactorRef": {"name": "order"}}).spec is not None
    assert found(check_signal_spec({"action": "cancel"}).problems) == {("spec", "Required")}


@pytest.mark.parametrize("spec", [None, 3, "x", [], {}, {"payload": float("nan")}])
def test_a_spec_of_any_type_is_a_problem_and_not_a_crash(spec: Any) -> None:
    assert check_signal_spec(spec).problems


def test_a_payload_nested_too_deeply_is_a_problem() -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    assert [problem.reason for problem in check_signal_spec(signal(action="skip", payload=deep)).problems] == [
        "TooDeep"
    ]
