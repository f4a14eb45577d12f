"""Outcome documents: each type of the protocol, and anything else a pod may send."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.encryption import draw_keys
from reactor_operator.engine import events
from reactor_operator.engine.failures import Certainty, Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.outcomes.detail import DETAIL_LIMIT
from reactor_operator.outcomes.document import NOTHING, WORKER_KINDS, InvalidOutcome, parse_outcome
from reactor_operator.store.codec import decode_event, encode_event
from reactor_operator.store.port import Entry

TASK = Task("ship", Action.RUN, 1, 1, 1)
CLEANUP = Task("ship", Action.COMPENSATE, 1, 1, 1)


def event_of(document: bytes, task: Task = TASK) -> events.Event:
    return decode_event(parse_outcome("uid", task, document).body)


def failure_of(document: bytes) -> Failure:
    event = event_of(document)
    assert isinstance(event, events.TaskFailed)
    return event.failure


def failed(**fields: object) -> bytes:
    return json.dumps({"type": "failed", "failure": {"kind": "Error", "message": "m", **fields}}).encode()


def test_an_entry_says_whose_it_is() -> None:
    document = b'{"type":"succeeded","result":1}'
    entry = parse_outcome("uid", TASK, document, "10.0.0.1/n")
    assert (entry.run, entry.task, entry.final, entry.binding) == ("uid", "ship.run.1.1.1", True, "10.0.0.1/n")
    assert entry.digest == hashlib.sha256(document).hexdigest()
    assert entry.values == {reference_to(b"1").digest: b"1"}


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("succeeded", events.TaskSucceeded), ("skipped", events.TaskSkipped), ("continued", events.TaskContinued)],
)
@pytest.mark.parametrize(
    "result",
    [b"{}", b'{"a": [1, 2.50]}', b"123456789012345678901234567890", b"1.000", b'"\\u0000\xc3\xa9"', b'"}"', b"[]"],
)
def test_a_result_is_kept_byte_for_byte(type_: str, kind: type[events.TaskSucceeded], result: bytes) -> None:
    document = b'{"type":"%b","result":%b}' % (type_.encode(), result)
    entry = parse_outcome("uid", CLEANUP, document)
    assert decode_event(entry.body) == kind(task=CLEANUP, result=reference_to(result))
    assert entry.values == {reference_to(result).digest: result}


ELEMENT = Task("rows[7]/store", Action.RUN, 1, 1, 1)


@pytest.mark.parametrize("type_", ["succeeded", "skipped"])
def test_a_small_result_of_an_element_is_its_own_reference(type_: str) -> None:
    entry = parse_outcome("uid", ELEMENT, b'{"type":"%b","result":{"id": 1}}' % type_.encode())
    event = decode_event(entry.body)
    assert isinstance(event, events.TaskSucceeded | events.TaskSkipped)
    assert event.result is not None
    assert event.result.inline == b'{"id": 1}'
    assert entry.values == {}


def test_a_larger_result_of_an_element_is_kept_under_its_name() -> None:
    result = b'"%b"' % (b"x" * 300)
    entry = parse_outcome("uid", ELEMENT, b'{"type":"succeeded","result":%b}' % result)
    name = "@rows[7]/store.run.1.1.1 result"
    assert decode_event(entry.body) == events.TaskSucceeded(task=ELEMENT, result=ValueRef(name, 302))
    assert entry.values == {name: result}


def test_what_explains_the_failure_of_an_element_is_kept_under_its_name() -> None:
    detail = {"traceback": "x" * 300}
    entry = parse_outcome("uid", ELEMENT, failed(detail=detail))
    assert list(entry.values) == ["@rows[7]/store.run.1.1.1 detail"]


def test_a_sensitive_result_of_an_element_is_encrypted_under_its_name() -> None:
    keys = draw_keys()
    entry = parse_outcome("uid", ELEMENT, b'{"type":"succeeded","result":1}', keys=keys)
    ((name, document),) = entry.values.items()
    assert name == "encrypted-@rows[7]/store.run.1.1.1 result"
    assert keys.decrypt("uid", document) == b"1"


def test_the_commonest_outcome_is_the_entry_that_it_always_was() -> None:
    entry = parse_outcome("uid", TASK, NOTHING, "binding")
    assert entry == Entry(
        run="uid",
        task=TASK.key,
        final=True,
        binding="binding",
        digest=hashlib.sha256(NOTHING).hexdigest(),
        body=encode_event(events.TaskSucceeded(task=TASK)),
    )
    odd = Task('a"b\\é', Action.RUN, 1, 1, 1)
    assert parse_outcome("uid", odd, NOTHING).body == encode_event(events.TaskSucceeded(task=odd))


@pytest.mark.parametrize("kind", ["OutOfMemory", "NoOutcome", "Timeout"])
def test_how_a_process_ended_is_told_by_workers_alone(kind: str) -> None:
    entry = parse_outcome("uid", TASK, failed(kind=kind), kinds=WORKER_KINDS)
    event = decode_event(entry.body)
    assert isinstance(event, events.TaskFailed)
    assert event.failure.kind.value == kind
    with pytest.raises(InvalidOutcome, match=r"failure\.kind"):
        parse_outcome("uid", TASK, failed(kind=kind))


def test_a_result_of_null_is_no_value() -> None:
    entry = parse_outcome("uid", TASK, b'{"type":"succeeded","result":null}')
    assert decode_event(entry.body) == events.TaskSucceeded(task=TASK)
    assert entry.values == {}


@pytest.mark.parametrize(
    "document",
    [
        b'{"result":{"a":12345678901234567890123},"type":"succeeded"}',
        b' {"type": "succeeded", "result": {"a": 12345678901234567890123}} ',
        b'{"type":"succeeded","result":{"a":12345678901234567890123},"note":1}',
    ],
)
def test_other_forms_of_a_document_mean_the_same(document: bytes) -> None:
    assert event_of(document) == events.TaskSucceeded(task=TASK, result=reference_to(b'{"a":12345678901234567890123}'))


@pytest.mark.parametrize(
    "result",
    [b'"\\ud800"', b"NaN", b'{"x":1e999}', b"[" * 5_000 + b"]" * 5_000, b"{", b"", b"01", b'"\x00"', b'"\xff"'],
    ids=["surrogate", "nan", "infinite", "deep", "open", "empty", "octal", "control", "latin-1"],
)
def test_a_promised_result_that_is_not_json_is_the_failure_invalid_result(result: bytes) -> None:
    failure = failure_of(b'{"type":"succeeded","result":%b}' % result)
    assert failure.kind is FailureKind.INVALID_RESULT
    assert failure.message.startswith("the result is not JSON that can be kept (")
    assert (failure.certainty, failure.may_retry) == (Certainty.UNCERTAIN, False)


def test_a_halt_keeps_its_reason() -> None:
    assert event_of(b'{"type":"halted","reason":"sold out"}') == events.TaskHalted(task=TASK, reason="sold out")
    assert event_of(b'{"type":"halted"}') == events.TaskHalted(task=TASK)


def test_a_failure_keeps_what_the_agent_knows() -> None:
    detail = {"traceback": "…", "file": "shop.py", "line": 3}
    document = failed(retryable=False, exception="shop.Declined", detail=detail)
    entry = parse_outcome("uid", TASK, document)
    ref = reference_to(json.dumps(detail, ensure_ascii=False, separators=(",", ":")).encode())
    assert decode_event(entry.body) == events.TaskFailed(
        task=TASK,
        failure=Failure(
            kind=FailureKind.ERROR,
            message="m",
            retryable=False,
            exception="shop.Declined",
            file="shop.py",
            line=3,
            detail=ref,
        ),
    )
    assert list(entry.values) == [ref.digest]


@pytest.mark.parametrize("kind", ["Error", "InvalidArguments", "InvalidResult", "CannotStart"])
def test_an_agent_reports_these_kinds(kind: str) -> None:
    assert failure_of(failed(kind=kind)).kind == kind


def test_messages_are_cut_and_cleaned() -> None:
    failure = failure_of(failed(message="\x00\x1b[31m" + "x" * 5_000, exception="e" * 5_000))
    assert len(failure.message) == 1024
    assert "\x00" not in failure.message
    assert "\x1b" not in failure.message
    assert len(failure.exception or "") == 256


def test_a_failure_is_kept_where_its_text_has_no_form_in_utf8() -> None:
    entry = parse_outcome("uid", TASK, failed(message="file \udc80", detail={"file": "\udc80"}))
    event = decode_event(entry.body)
    assert isinstance(event, events.TaskFailed)
    assert event.failure.message == "file \N{REPLACEMENT CHARACTER}"
    assert list(entry.values.values()) == ['{"file":"\N{REPLACEMENT CHARACTER}"}'.encode()]


def test_what_explains_a_failure_is_kept_within_its_limit_whoever_sent_it() -> None:
    detail = {"traceback": "x\n" * 1_000_000, "source": "\x1b[2J" * 9000, "line": "3", "note": "x" * 90_000}
    entry = parse_outcome("uid", TASK, failed(detail=detail))
    (document,) = entry.values.values()
    assert len(document) <= DETAIL_LIMIT
    assert json.loads(document).keys() == {"traceback", "source"}
    assert b"\\u001b" not in document
    assert parse_outcome("uid", TASK, failed(detail={"note": 1})).values == {}


def test_only_a_compensate_may_continue() -> None:
    for document in (b'{"type":"continued","result":1}', b'{"result":1,"type":"continued"}'):
        with pytest.raises(InvalidOutcome, match="only a compensate may continue"):
            parse_outcome("uid", TASK, document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "expected one JSON object in UTF-8"),
        (b"\xff\xfe", "expected one JSON object in UTF-8"),
        (b"{}", "field type: found None, expected one of succeeded, skipped, continued, halted, failed"),
        (b"null", "found None, expected one JSON object"),
        (b"[1]", "expected one JSON object"),
        (b'{"type":1}', "field type: found 1"),
        (b'{"type":["succeeded"]}', "field type"),
        (b'{"type":"started"}', "field type: found 'started'"),
        (b'{"type":"succeeded"}', "field result is missing"),
        (b'{"type":"halted","reason":1}', "field reason: found 1, expected a string"),
        (b'{"type":"failed"}', "field failure: found None, expected an object"),
        (b'{"type":"failed","failure":{}}', "field failure.kind"),
        (b'{"type":"failed","failure":{"kind":"Error"}}', "field failure.message: found None, expected a string"),
        (failed(kind="Timeout"), "field failure.kind: found 'Timeout'"),
        (failed(kind=["Error"]), "field failure.kind"),
        (failed(retryable="yes"), "field failure.retryable: found 'yes', expected true or false"),
        (failed(exception=1), "field failure.exception"),
        (failed(detail=[]), "field failure.detail"),
        (b'{"type":"failed","failure":NaN}', "found NaN, which is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"type":"failed","failure":' + b"9" * 10_000 + b"}", "expected one JSON object"),
    ],
)
def test_what_is_no_outcome_is_named(document: bytes, message: str) -> None:
    with pytest.raises(InvalidOutcome) as refused:
        parse_outcome("uid", TASK, document)
    assert message in str(refused.value)
    assert len(str(refused.value)) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(("type", "result", "reason", "failure", "kind", "message", "retryable", "detail", "exception"))
WORDS = st.sampled_from(("succeeded", "skipped", "continued", "halted", "failed", "Error"))
NEARLY = st.recursive(JSON | WORDS, lambda inner: st.dictionaries(NAMES, inner, max_size=6), max_leaves=8)


@given(st.binary(max_size=300) | NEARLY.map(lambda found: json.dumps(found).encode()))
def test_anything_is_an_outcome_or_is_refused(document: bytes) -> None:
    try:
        entry = parse_outcome("uid", CLEANUP, document)
    except InvalidOutcome:
        return
    decode_event(entry.body)
    for digest, value in entry.values.items():
        json.loads(value)
        assert reference_to(value).digest == digest


@pytest.mark.parametrize("told", [Certainty.CERTAIN, Certainty.UNCERTAIN])
def test_a_failed_request_tells_what_is_known_of_its_effects_and_how_long_to_wait(told: Certainty) -> None:
    failure = failure_of(failed(kind="Http", certainty=told.value, retryAfterMs=7000))
    assert (failure.kind, failure.certainty, failure.retry_after_ms) == (FailureKind.HTTP, told, 7000)


def test_a_failed_request_that_tells_nothing_may_have_acted() -> None:
    failure = failure_of(failed(kind="Http"))
    assert (failure.certainty, failure.retry_after_ms) == (Certainty.UNCERTAIN, 0)


def test_nobody_is_left_alone_for_more_than_an_hour() -> None:
    assert failure_of(failed(kind="Http", retryAfterMs=10**12)).retry_after_ms == 3_600_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("certainty", "never started"),
        ("certainty", "maybe"),
        ("certainty", 1),
        ("certainty", []),
        ("retryAfterMs", -1),
        ("retryAfterMs", 1.5),
        ("retryAfterMs", "7"),
        ("retryAfterMs", True),
        ("retryAfterMs", None),
    ],
)
def test_what_a_request_cannot_tell_is_refused_by_its_field(field: str, value: object) -> None:
    with pytest.raises(InvalidOutcome, match=f"field failure.{field}: found"):
        parse_outcome("uid", TASK, failed(kind="Http", **{field: value}))


def test_a_kind_that_says_what_is_known_cannot_be_contradicted() -> None:
    with pytest.raises(InvalidOutcome, match=r"failure\.certainty: found 'uncertain', expected none beside kind Error"):
        parse_outcome("uid", TASK, failed(kind="Error", certainty="uncertain"))
