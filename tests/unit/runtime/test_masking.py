"""Sensitive texts in words: masked in whichever form they stand, also where they were cut."""

import json

import pytest

from reactor.documents import failed, succeeded, termination_message
from reactor.masking import Masks, masked_outcome, masks_of, texts_in

SECRET = 'pa"ss wörd\\ of-the-bank'


def test_texts_are_found_in_documents_and_short_ones_are_left() -> None:
    assert texts_in([{"a": ["long", "abc", 12345, 12, True, None, 1.25], "name": {"b": "deep"}}]) == {
        "long",
        "12345",
        "1.25",
        "deep",
    }


FORMS = [
    SECRET,
    json.dumps(SECRET),
    json.dumps(SECRET, ensure_ascii=False),
    repr(SECRET),
    repr({"a": [SECRET]}),
    "pa%22ss%20w%C3%B6rd%5C%20of-the-bank",
    "pa%22ss+w%C3%B6rd%5C+of-the-bank",
    "only of-the-bank of it",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_text_is_masked_in_every_form(form: str) -> None:
    told = Masks([SECRET]).text(f"no {form}!")
    assert "***" in told
    assert "bank" not in told


@pytest.mark.parametrize("size", range(4, len("CANARY-text")))
@pytest.mark.parametrize("end", ["…", "… (20 characters)", "\nnext", ""])
def test_the_beginning_of_a_text_that_was_cut_is_masked(size: int, end: str) -> None:
    assert Masks(["CANARY-text"]).text(f"found {'CANARY-text'[:size]}{end}") == f"found ***{end}"


def test_lines_of_a_text_are_masked_by_themselves() -> None:
    masks = Masks(["-----BEGIN KEY-----\nabcdefghijkl\n-----END KEY-----"])
    assert masks.text("  | abcdefghijkl\n  | other") == "  | ***\n  | other"


def test_where_too_many_texts_would_have_to_be_found_every_one_is_masked_whole() -> None:
    assert Masks(f"text-{number}" for number in range(60_000)).text("harmless") == "***"


def test_an_outcome_is_masked_where_it_speaks_to_people() -> None:
    failure = {
        "kind": "Error",
        "message": f"no {SECRET}",
        "retryable": True,
        "exception": "ValueError",
        "detail": {"details": {"card": [SECRET, 98765]}, "line": 3},
    }
    told = json.loads(masked_outcome(failed(failure), Masks(texts_in([SECRET, 98765]))))  # type: ignore[arg-type]
    assert told["failure"]["message"] == "no ***"
    assert told["failure"]["detail"] == {"details": {"card": ["***", "***"]}, "line": 3}
    assert (told["failure"]["kind"], told["failure"]["retryable"]) == ("Error", True)
    result = succeeded(SECRET)
    assert masked_outcome(result, Masks([SECRET])) is result


def test_details_that_are_nested_too_deeply_are_left_out() -> None:
    details: object = SECRET
    for _ in range(600):
        details = [details]
    failure = {"kind": "Error", "message": SECRET, "retryable": True, "exception": None, "detail": {"details": details}}
    document = masked_outcome(failed(failure), Masks([SECRET]))  # type: ignore[arg-type]
    assert b"bank" not in document
    assert json.loads(document)["failure"]["message"] == "***"


def test_a_task_masks_what_it_was_told_is_sensitive() -> None:
    given = {
        "arguments": {"card": "CARD-1", "who": "somebody"},
        "result": {"session": "SESSION-1"},
        "request": {"url": "http://x", "masks": ["BODY-1"]},
        "sensitive": {"arguments": ["card"], "result": True, "request": True},
    }
    assert masks_of(given).text("CARD-1 somebody SESSION-1 BODY-1") == "*** somebody *** ***"
    assert not masks_of({"arguments": {"card": "CARD-1"}})


def test_the_termination_message_has_no_sensitive_result_and_nothing_to_guess_it_from() -> None:
    document = succeeded("CANARY")
    first, second = (termination_message(document, sensitive=True) for _ in range(2))
    assert first != second
    assert json.loads(first).keys() == {"digest"}
    failure = b'{"type":"failed","failure":{}}'
    assert termination_message(failure, sensitive=True) == failure
