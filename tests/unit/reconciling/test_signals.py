"""Requests in annotations and in the status, which anyone may have written."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.engine.events import (
    CancelRequested,
    RequestUnreadable,
    RetryRequested,
    Signal,
    SkipRequested,
    SuspendRequested,
    UndoRequested,
)
from reactor_operator.engine.values import reference_to
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.signals import Request, parse_annotations, parse_status_requests
from reactor_operator.store.codec import decode_event

KEY = "reactor.run/cancel"
REF = RunRef("shop", "r", "uid")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "action", "step", "payload", "x"]) | st.text(), inner, max_size=4)
    ),
)


def event_of(request: Request) -> Signal:
    """Return the event that reaches the engine."""
    event = decode_event(request.entry_for(REF).body)
    assert event == request.event
    return request.event


@pytest.mark.parametrize("value", ["", "true", "{}", " true "])
def test_an_empty_request_has_no_reason(value: str) -> None:
    (asked,) = parse_annotations({KEY: value})
    assert event_of(asked) == CancelRequested(id=asked.id, by="annotation")


@pytest.mark.parametrize("value", ['{"reason": "customer called"}', "customer called", '"customer called"'])
def test_a_reason_may_be_said_in_any_form(value: str) -> None:
    (asked,) = parse_annotations({KEY: value})
    assert event_of(asked) == CancelRequested(id=asked.id, reason="customer called", by="annotation")


def test_an_id_names_the_request_and_without_one_its_words_do() -> None:
    with_id, without = parse_annotations({f"{KEY}.42": "x", KEY: "x"})[::-1]
    assert with_id.id == "42"
    assert without.id == parse_annotations({KEY: "x"})[0].id
    assert without.id != parse_annotations({KEY: "y"})[0].id


def test_the_same_request_is_the_same_entry() -> None:
    ref = RunRef("shop", "r", "uid")
    one, other = (parse_annotations({KEY: "x"})[0].entry_for(ref) for _ in range(2))
    assert one == other
    event = decode_event(one.body)
    assert isinstance(event, CancelRequested)
    assert (event.reason, event.by) == ("x", "annotation")


def test_it_is_removed_only_as_it_was_read() -> None:
    (asked,) = parse_annotations({f"{KEY}.a~b": "x"})
    assert asked.removal == [
        {"op": "test", "path": "/metadata/annotations/reactor.run~1cancel.a~0b", "value": "x"},
        {"op": "remove", "path": "/metadata/annotations/reactor.run~1cancel.a~0b"},
    ]


def test_the_same_words_are_another_request_once_those_before_were_taken_away() -> None:
    (first,) = parse_annotations({KEY: "x"})
    path = "/metadata/annotations/reactor.run~1answered.cancel"
    assert {"op": "add", "path": path, "value": "1"} in first.removal
    counted = {"reactor.run/answered.cancel": "1"}
    (second,) = parse_annotations({KEY: "x", **counted})
    assert second.id != first.id
    assert second == parse_annotations({KEY: "x", **counted})[0]
    assert [(one["op"], one["value"]) for one in second.removal[1:3]] == [("test", "1"), ("add", "2")]


def test_what_is_counted_of_one_action_or_has_an_id_changes_no_other_request() -> None:
    both = {KEY: "x", "reactor.run/undo": "x", f"{KEY}.7": "x"}
    before = {(one.action, one.id) for one in parse_annotations(both)}
    after = {(one.action, one.id) for one in parse_annotations({**both, "reactor.run/answered.retry": "1"})}
    assert after == before
    (with_id,) = parse_annotations({f"{KEY}.7": "x", "reactor.run/answered.cancel": "3"})
    assert (with_id.id, len(with_id.removal)) == ("7", 2)


@pytest.mark.parametrize("count", ["", "many", "-1", "1e9", "9" * 5000])
def test_a_count_that_somebody_else_wrote_is_begun_anew(count: str) -> None:
    (asked,) = parse_annotations({KEY: "x", "reactor.run/answered.cancel": count})
    assert [one["value"] for one in asked.removal if one["op"] == "add"] == ["1"]


def test_other_annotations_are_no_requests() -> None:
    assert parse_annotations({"reactor.run/cancelled": "x", f"{KEY}.": "x", "reactor.run/resumed": "x"}) == []


@given(st.dictionaries(st.sampled_from([KEY, f"{KEY}.1", f"{KEY}.{'x' * 300}"]) | st.text(), st.text()))
def test_any_annotations_are_read(annotations: dict[str, str]) -> None:
    for asked in parse_annotations(annotations):
        asked.entry_for(RunRef("shop", "r", "uid"))
        assert len(asked.id) <= 253


def test_a_huge_value_is_answered_as_what_it_is() -> None:
    event = event_of(parse_annotations({KEY: "x" * 1_000_000})[0])
    assert isinstance(event, RequestUnreadable)
    assert "expected at most 65536" in event.reason


def asked(action: str, said: object) -> tuple[Signal, Request]:
    (request,) = parse_annotations({f"reactor.run/{action}.1": orjson.dumps(said).decode()})
    return event_of(request), request


def test_a_retry_says_what_it_may() -> None:
    said = {
        "step": "charge",
        "arguments": {"card": "2"},
        "assume": {"b": "undone", "a": "standing"},
        "reason": "new",
    }
    event, request = asked("retry", said)
    ref = reference_to(b'{"card":"2"}')
    assert event == RetryRequested(
        id="1",
        reason="new",
        by="annotation",
        step="charge",
        arguments=ref,
        standing=("a",),
        undone=("b",),
    )
    assert request.entry_for(REF).values == {ref.digest: b'{"card":"2"}'}


def test_an_undo_may_say_that_the_run_goes_then() -> None:
    assert asked("undo", {"delete": True})[0] == UndoRequested(id="1", by="annotation", delete=True)
    assert asked("undo", {"delete": False})[0] == UndoRequested(id="1", by="annotation")


def test_a_skip_brings_a_value_and_null_is_one() -> None:
    event, _ = asked("skip", {"step": "charge", "payload": {"id": 7}})
    assert event == SkipRequested(id="1", step="charge", value=reference_to(b'{"id":7}'), by="annotation")
    assert asked("skip", {"step": "charge"})[0] == SkipRequested(id="1", step="charge", by="annotation")


@pytest.mark.parametrize(
    ("action", "said", "told"),
    [
        ("undo", {"resaon": "x"}, "unknown field 'resaon' in undo, expected delete, reason"),
        ("undo", {"delete": "yes"}, "delete: expected true or false"),
        ("skip", {}, "expected step"),
        ("skip", {"step": 3}, "step: expected text"),
        ("skip", "charge", "expected a JSON object"),
        ("retry", {"arguments": {}}, "arguments without a step"),
        ("retry", {"step": "a", "arguments": []}, "arguments: expected an object"),
        ("retry", {"assume": {"a": "gone"}}, "assume: expected an object of steps, each standing or undone"),
        ("retry", 7, "expected a JSON object"),
        ("suspend", {"suspend": "no"}, "suspend: expected true or false"),
        ("suspend", {"off": True}, "unknown field 'off' in suspend, expected reason, suspend"),
        ("suspend", {"reason": 7}, "reason: expected text"),
        ("suspend", "off", "expected true, false, or a JSON object such as"),
        ("suspend", None, "expected true, false, or a JSON object such as"),
    ],
)
def test_a_request_without_a_meaning_is_one_that_is_refused(action: str, said: object, told: str) -> None:
    event, _ = asked(action, said)
    assert isinstance(event, RequestUnreadable)
    assert (event.id, event.action) == ("1", action)
    assert told in event.reason


@pytest.mark.parametrize(
    ("value", "reason", "suspended"),
    [
        ("", "", True),
        ("true", "", True),
        ("{}", "", True),
        ('{"reason": "look first"}', "look first", True),
        ('{"suspend": true}', "", True),
        ('{"suspend": null}', "", True),
        (" false ", "", False),
        ('{"suspend": false, "reason": "go"}', "go", False),
    ],
)
def test_a_suspend_holds_the_run_still_or_lets_it_go_on(value: str, reason: str, suspended: bool) -> None:
    (asked,) = parse_annotations({"reactor.run/suspend.1": value})
    assert event_of(asked) == SuspendRequested(id="1", reason=reason, by="annotation", suspended=suspended)
    assert asked.action == "suspend"


def test_entries_of_the_status_suspend_a_run_too() -> None:
    entries = [{"id": "1", "action": "suspend", "by": "ann"}, {"id": "2", "action": "suspend", "suspend": False}]
    assert [event_of(one) for one in parse_status_requests(entries)] == [
        SuspendRequested(id="1", by="ann"),
        SuspendRequested(id="2", by="status", suspended=False),
    ]


def test_entries_of_the_status_are_requests_by_their_id() -> None:
    first, second = parse_status_requests(
        [{"id": "1", "action": "undo", "by": "ann"}, {"id": "2", "action": "skip", "step": "a", "payload": None}]
    )
    assert event_of(first) == UndoRequested(id="1", by="ann")
    assert event_of(second) == SkipRequested(id="2", step="a", value=reference_to(b"null"), by="status")
    assert second.removal[1] == {"op": "remove", "path": "/status/requests/1"}
    assert second.in_status


@pytest.mark.parametrize("one", [{}, {"id": "1"}, {"id": 3, "action": "undo"}, {"id": "1", "action": "fly"}, 7, None])
def test_an_entry_that_is_no_request_is_answered_too(one: object) -> None:
    (request,) = parse_status_requests([one])
    event = event_of(request)
    assert isinstance(event, RequestUnreadable)
    assert "expected an id and an action, one of cancel, undo, retry, skip, resume, suspend" in event.reason
    assert request.id


def nested(levels: int) -> object:
    found: object = {}
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize("levels", [300, 5_000])
def test_an_entry_that_is_nested_too_deeply_is_answered_too(levels: int) -> None:
    """Where it has no id, it has the same name each time that it is read."""
    said = {"action": "skip", "step": "a", "payload": nested(levels)}
    named, nameless, last = parse_status_requests([{"id": "1", **said}, said, {"id": "2", "action": "undo"}])
    unreadable = event_of(named)
    assert isinstance(unreadable, RequestUnreadable)
    assert (unreadable.id, unreadable.action) == ("1", "skip")
    assert "nested too deeply" in unreadable.reason
    assert isinstance(event_of(nameless), RequestUnreadable)
    assert parse_status_requests([said])[0].id == nameless.id
    assert event_of(last) == UndoRequested(id="2", by="status")


@given(JSON)
def test_any_requests_of_a_status_are_read(requests: object) -> None:
    for request in parse_status_requests(requests):
        assert len(request.id) <= 253
        assert decode_event(request.entry_for(REF).body) == request.event
