"""Cancel requests in annotations, which anyone may have written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.changes.cancel import parse_cancels
from reactor_operator.engine.events import CancelRequested
from reactor_operator.ports import RunRef
from reactor_operator.store.codec import decode_event

KEY = "reactor.run/cancel"


@pytest.mark.parametrize("value", ["", "true", "{}", " true "])
def test_an_empty_request_has_no_reason(value: str) -> None:
    (asked,) = parse_cancels({KEY: value})
    assert asked.reason == ""


@pytest.mark.parametrize("value", ['{"reason": "customer called"}', "customer called", '"customer called"'])
def test_a_reason_may_be_said_in_any_form(value: str) -> None:
    (asked,) = parse_cancels({KEY: value})
    assert asked.reason == "customer called"


def test_an_id_names_the_request_and_without_one_its_words_do() -> None:
    with_id, without = parse_cancels({f"{KEY}.42": "x", KEY: "x"})[::-1]
    assert with_id.id == "42"
    assert without.id == parse_cancels({KEY: "x"})[0].id
    assert without.id != parse_cancels({KEY: "y"})[0].id


def test_the_same_request_is_the_same_entry() -> None:
    ref = RunRef("shop", "r", "uid")
    one, other = (parse_cancels({KEY: "x"})[0].entry_for(ref) for _ in range(2))
    assert one == other
    event = decode_event(one.body)
    assert isinstance(event, CancelRequested)
    assert (event.reason, event.by) == ("x", "annotation")


def test_it_is_removed_only_as_it_was_read() -> None:
    (asked,) = parse_cancels({f"{KEY}.a~b": "x"})
    assert asked.removal() == [
        {"op": "test", "path": "/metadata/annotations/reactor.run~1cancel.a~0b", "value": "x"},
        {"op": "remove", "path": "/metadata/annotations/reactor.run~1cancel.a~0b"},
    ]


def test_other_annotations_are_no_requests() -> None:
    assert parse_cancels({"reactor.run/cancelled": "x", f"{KEY}.": "x", "reactor.run/resume": "x"}) == []


@given(st.dictionaries(st.sampled_from([KEY, f"{KEY}.1", f"{KEY}.{'x' * 300}"]) | st.text(), st.text()))
def test_any_annotations_are_read(annotations: dict[str, str]) -> None:
    for asked in parse_cancels(annotations):
        asked.entry_for(RunRef("shop", "r", "uid"))
        assert len(asked.id) <= 253


def test_a_huge_value_is_a_request_without_a_reason() -> None:
    assert parse_cancels({KEY: "x" * 1_000_000})[0].reason == ""
