"""Stored bytes: what was written is read, the same value gives the same bytes, and records stay small."""

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.engine import actions, events
from reactor_operator.engine.failures import Certainty, Failure, FailureKind
from reactor_operator.engine.history import Transition
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import Header, StepPhase, StepState
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.store import codec

TASK = Task("ship/book-courier", Action.RUN, 1, 2, 3)
EVENT_TYPES = tuple(cls for cls in typing.get_args(events.Event) if cls is not events.OutcomesLoaded)
"""Those that are stored: pages of outcomes are read within a fold (`outcome_pages` has their bytes)."""
ACTION_TYPES = typing.get_args(actions.Effect)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.integers(0, 2**53)
st.register_type_strategy(str, TEXT)
st.register_type_strategy(int, NUMBERS)
TASKS = st.builds(
    Task, st.from_regex(r"[a-z\[\]/-]{1,20}", fullmatch=True), st.sampled_from(Action), NUMBERS, NUMBERS, NUMBERS
)
st.register_type_strategy(Task, TASKS)
REFERENCES = st.builds(ValueRef, TEXT, NUMBERS)
st.register_type_strategy(ValueRef, REFERENCES)


@given(st.one_of([st.from_type(cls) for cls in EVENT_TYPES]))
def test_an_event_is_read_as_it_was_written(event: events.Event) -> None:
    assert codec.decode_event(codec.encode_event(event)) == event


@given(st.one_of([st.from_type(cls) for cls in ACTION_TYPES]))
def test_an_action_is_read_as_it_was_written(action: actions.Effect) -> None:
    assert codec.decode_action(codec.encode_action(action)) == action


@given(st.from_type(Header))
def test_a_header_is_read_as_it_was_written(header: Header) -> None:
    assert codec.decode_header(codec.encode_header(header)) == header


@given(st.from_type(StepState))
def test_a_step_is_read_as_it_was_written(step: StepState) -> None:
    assert codec.decode_step(codec.encode_step(step)) == step


def test_the_form_is_compact_and_stays_as_it_is() -> None:
    failure = Failure(kind=FailureKind.ERROR, message="é", retryable=False, detail=ValueRef("ab", 7))
    assert (
        codec.encode_event(events.TaskFailed(task=TASK, failure=failure))
        == (
            '{"type":"TaskFailed","task":"ship/book-courier.run.1.2.3",'
            '"failure":{"kind":"Error","message":"é","retryable":false,"detail":"ab:7"}}'
        ).encode()
    )
    assert codec.encode_step(StepState()) == b"{}"


def test_what_a_failed_request_tells_is_kept_beside_its_kind() -> None:
    failure = Failure(kind=FailureKind.HTTP, message="no", told=Certainty.CERTAIN, retry_after_ms=7_000)
    body = codec.encode_event(events.TaskFailed(task=TASK, failure=failure))
    assert body.endswith(b'"failure":{"kind":"Http","message":"no","told":"certain","retry_after_ms":7000}}')
    assert codec.encode_header(Header(undone=("a", "b"))) == b'{"undone":["a","b"]}'


def test_a_value_that_is_null_where_there_is_no_default_is_written() -> None:
    event = events.ReturnsEvaluated(result=None)
    assert codec.encode_event(event) == b'{"type":"ReturnsEvaluated","result":null}'
    assert codec.decode_event(codec.encode_event(event)) == event


def test_a_plain_step_stays_small() -> None:
    step = StepState(
        phase=StepPhase.SUCCEEDED,
        attempt=1,
        launch=1,
        previous=TASK,
        run_attempts=1,
        start_order=10,
        completion=10,
        arguments=reference_to(b"{}"),
        started_at=1_700_000_000_000,
        finished_at=1_700_000_000_000,
    )
    assert len(codec.encode_step(step)) < 300


@pytest.mark.parametrize("text", ["\ud800", "a\udc80b"])
def test_text_that_has_no_form_in_utf8_does_not_stop_a_run(text: str) -> None:
    found = codec.decode_event(codec.encode_event(events.TaskHalted(task=TASK, reason=text)))
    assert isinstance(found, events.TaskHalted)
    assert found.reason == text.encode("utf-8", "replace").decode()


def test_a_field_of_a_newer_version_is_ignored() -> None:
    assert codec.decode_step(b'{"attempt":2,"colour":"red"}') == StepState(attempt=2)
    assert codec.decode_event(b'{"type":"TimePassed","zone":"UTC"}') == events.TimePassed()


@pytest.mark.parametrize("body", [b'{"type":"TaskTeleported"}', b"{}", b'{"type":7}', b'{"type":["TimePassed"]}'])
def test_an_event_of_an_unknown_type_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(codec.Unreadable, match="stored event"):
        codec.decode_event(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b'{"type":"TaskStarted"}',
        b'{"type":"TaskStarted","task":"nothing","at":1}',
        b'{"type":"TaskStarted","task":7,"at":1}',
        b'{"type":"TaskStarted","task":"a.walk.1.1.1","at":1}',
        b'{"type":"TaskSucceeded","task":"a.run.1.1.1","result":"no size"}',
        b'{"type":"TaskFailed","task":"a.run.1.1.1","failure":{"kind":"Bored","message":""}}',
        b'{"type":"TaskFailed","task":"a.run.1.1.1","failure":[]}',
    ],
)
def test_damaged_bytes_are_refused_in_one_way(body: bytes) -> None:
    with pytest.raises(codec.Unreadable, match="stored event"):
        codec.decode_event(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for decode in (codec.decode_event, codec.decode_action, codec.decode_header, codec.decode_step):
        try:
            decode(body)
        except codec.Unreadable:
            continue


@given(st.from_type(Transition))
def test_a_transition_is_read_as_it_was_written(transition: Transition) -> None:
    assert codec.decode_transition(codec.encode_transition(transition)) == transition


def test_a_transition_says_no_more_than_it_has_to() -> None:
    body = codec.encode_transition(Transition(at=5, path="a", before="Pending", after="Running", cause="StepEvaluated"))
    assert body == b'{"at":5,"path":"a","before":"Pending","after":"Running","cause":"StepEvaluated"}'


def test_a_transition_of_a_newer_version_is_read_without_what_is_new() -> None:
    body = b'{"at":5,"before":"Pending","after":"Running","cause":"RunStarted","since":"tomorrow"}'
    assert codec.decode_transition(body).cause == "RunStarted"
