"""Documents that are small to send and huge in memory are told before they are parsed."""

import pytest

from reactor_operator.engine.events import TaskFailed, TaskSucceeded
from reactor_operator.engine.identity import Action, Task
from reactor_operator.outcomes.document import InvalidOutcome, parse_outcome
from reactor_operator.outcomes.members import MEMBERS_LIMIT, has_too_many_members
from reactor_operator.store.codec import decode_event

TASK = Task("a", Action.RUN, 1, 1, 1)


@pytest.mark.parametrize(
    ("unit", "units", "expected"),
    [
        (b"1,", 99, False),
        (b"1,", 100, True),
        (b"[],", 50, True),
        (b'{"a":1},', 50, True),
        (b'"a,b",', 99, False),
        (b'"\\",[{\\\\",', 99, False),
    ],
)
def test_members_are_counted_outside_of_text(unit: bytes, units: int, expected: bool) -> None:
    assert has_too_many_members(b"[" + unit * units + b"0]", limit=100) is expected


def test_text_is_one_member_however_many_commas_it_has() -> None:
    assert not has_too_many_members(b'"' + b",[{" * 3_000_000 + b'"')


def test_bytes_that_are_no_json_are_counted_too() -> None:
    assert has_too_many_members(b'"' + b"," * 101, limit=100)


def test_a_result_with_too_many_members_is_invalid_and_says_so() -> None:
    for units, expected in ((MEMBERS_LIMIT, TaskFailed), (3, TaskSucceeded)):
        document = b'{"type":"succeeded","result":[' + b"1," * units + b"0]}"
        event = decode_event(parse_outcome("run", TASK, document).body)
        assert isinstance(event, expected)
        assert not isinstance(event, TaskFailed) or "4000000 members" in event.failure.message


def test_another_document_with_too_many_members_is_no_outcome() -> None:
    with pytest.raises(InvalidOutcome, match="4000000 members"):
        parse_outcome("run", TASK, b'{"type":"failed","failure":[' + b"1," * MEMBERS_LIMIT + b"0]}")
