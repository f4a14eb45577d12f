"""Bodies that are no signal: each is answered with what is wrong, field by field, and reaches no run."""

import json

import pytest

from tests.contract.signal_server import RESUME, Signals

DEEP = b'{"namespace":"shop","run":"r","action":"resume","step":"approve","payload":%b%b}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"resume"',
        b"\xff\xfe{}",
        b'{"namespace":"\\ud800"}',
        b'{"payload":NaN}',
        DEEP % (b"[" * 300, b"]" * 300),
        DEEP % (b"[" * 500_000, b"]" * 500_000),
        DEEP % (b"[" + b"1," * 200_000 + b"1", b"]"),
    ],
    ids=["empty", "null", "list", "cut", "text", "no UTF-8", "surrogate", "NaN", "deep", "deeper", "many"],
)
async def test_what_is_no_json_object_of_bounded_depth_is_refused(signals: Signals, body: bytes) -> None:
    answer = await signals.post(body)
    assert answer.status_code == 400
    assert len(answer.content) < 2_000
    assert (await signals.header()).signals == ()


async def test_a_body_of_2_mib_is_too_large(signals: Signals) -> None:
    answer = await signals.post(b'{"payload":"' + b"x" * 2 * 1024 * 1024 + b'"}')
    assert (answer.status_code, answer.json()["error"]) == (413, "the body is larger than 1048576 bytes")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("namespace", None, "namespace: found none, expected a value: the field is required"),
        ("namespace", "../kube-system", "namespace: found '../kube-system', expected"),
        ("namespace", 7, "namespace: found 7, expected a DNS label"),
        ("run", "a/b", "run: found 'a/b', expected"),
        ("run", "..", "run: found '..', expected"),
        ("run", None, "run: found none, expected a run, or reactor and correlationId"),
        ("runUid", "", "runUid: found empty text"),
        ("action", "pause", "action: found 'pause', expected one of 'resume', 'cancel', 'undo', 'retry', 'skip', 's"),
        ("action", ["resume"], "action: found a list of 1, expected"),
        ("step", {}, "step: found an object, expected text"),
        ("arguments", [], "arguments: found a list of 0, expected an object"),
        ("assume", "standing", "assume: found 'standing', expected an object"),
        ("assume", {"charge": "gone"}, "assume.charge: found 'gone', expected one of 'standing' or 'undone'"),
        ("mode", "strict", "mode: found 'strict', expected one of 'flexible'"),
        ("delete", "yes", "delete: found 'yes', expected"),
        ("dryRun", 1, "dryRun: found 1, expected"),
        ("asApprover", "true", "asApprover: found 'true', expected"),
        ("reason", "x" * 5_000, "reason: found 5000 characters, expected at most 4096"),
        ("messageId", "a\nb", "messageId: found 'a\\nb', expected"),
        ("messageId", "x" * 201, "messageId: found 201 characters, expected at most 200"),
        ("reactor", "x", "run: found beside reactor or correlationId, expected one way to name it"),
        ("payloads", 1, "payloads: unknown field 'payloads': did you mean payload?"),
    ],
)
async def test_each_field_is_told_what_it_should_be(signals: Signals, field: str, value: object, told: str) -> None:
    body = {name: one for name, one in {**RESUME, field: value}.items() if name != field or one is not None}
    answer = await signals.post(json.dumps(body).encode())
    assert (answer.status_code, answer.json()["error"]) == (400, "the body is no signal")
    (error,) = answer.json()["errors"]
    assert error.startswith(told)


async def test_null_is_no_way_to_leave_a_field_away(signals: Signals) -> None:
    answer = await signals.post(json.dumps({**RESUME, "reason": None}).encode())
    assert answer.status_code == 400


async def test_every_field_that_is_wrong_is_told_and_at_most_so_many(signals: Signals) -> None:
    answer = await signals.post({"namespace": 1, "run": 2, "action": 3, "step": 4})
    assert len(answer.json()["errors"]) == 4
    answer = await signals.post({**RESUME, **{f"field-{number}": 1 for number in range(50)}})
    assert answer.json()["errors"][19:] == ["and 31 more"]


@pytest.mark.parametrize("field", ["reactor", "correlationId"])
async def test_a_correlation_id_needs_its_reactor(signals: Signals, field: str) -> None:
    answer = await signals.post({"namespace": "shop", "action": "resume", field: "x"})
    (error,) = answer.json()["errors"]
    assert error.endswith("found none, expected both of them")
    assert not error.startswith(field)


async def test_only_a_resume_is_made_as_an_approver(signals: Signals) -> None:
    answer = await signals.post(
        {"namespace": "shop", "run": "r", "action": "cancel", "asApprover": True}, "token-of-bob"
    )
    assert answer.json()["errors"] == ["asApprover: found it in a cancel, expected a resume"]


async def test_a_payload_of_null_is_one(signals: Signals) -> None:
    body = {"namespace": "shop", "run": "r", "action": "resume", "step": "secret", "payload": None}
    assert (await signals.post(json.dumps(body).encode())).json()["answer"] == "accepted"
