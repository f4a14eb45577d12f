"""What explains a failure is bounded and harmless, whatever an agent or a container said."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.outcomes.detail import DETAIL_LIMIT, explained, fit_lines, last_words, render_detail, render_log


def parsed(document: bytes | None) -> dict[str, Any]:
    found = json.loads(document or b"{}")
    assert isinstance(found, dict)
    return found


def nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


def test_the_fields_that_explain_are_kept_as_they_are() -> None:
    told = {
        "file": "shop/courier.py",
        "line": 17,
        "function": "call",
        "source": "  16 |     a = 1\n> 17 |     raise",
        "origins": ["caused by KeyError: 1"],
        "traceback": "Traceback …",
        "details": {"code": [51, 2**80]},
    }
    assert parsed(render_detail(told)) == told


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({}, {}),
        ({"file": 7, "line": True, "function": [], "source": None, "origins": "x", "traceback": {}}, {}),
        ({"line": -1}, {}),
        ({"line": 2**31}, {}),
        ({"file": "a\nb\x1b[2J\x00.py"}, {"file": "a�b�[2J�.py"}),
        ({"origins": [1, "one\ntwo"]}, {"origins": ["one�two"]}),
        ({"details": "x" * 7000, "line": 3}, {"line": 3}),
        ({"details": nested(300), "line": 3}, {"line": 3}),
        ({"details": nested(1200), "line": 3}, {"line": 3}),
        ({"details": [float("inf")], "line": 3}, {"line": 3}),
        ({"details": {"x": float("nan")}, "line": 3}, {"line": 3}),
        ({"traceback": "a\x1b[31m\rb"}, {"traceback": "a�[31m�b"}),
    ],
)
def test_what_is_odd_is_left_out_or_made_harmless(told: dict[str, Any], kept: dict[str, Any]) -> None:
    assert parsed(render_detail(told)) == kept


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        (b'{"details":{"charge":"ch_1","at":[2e0,1208925819614629174706176]}}',) * 2,
        (b'{"details":' + b"[" * 400 + b"]" * 400 + b"}",) * 2,
        (b'{"details":[Infinity]}', None),
        (None, None),
    ],
)
def test_a_failure_is_told_with_its_detail_as_it_was_kept(detail: bytes | None, told: bytes | None) -> None:
    expected = b'{"kind":"Error"' + (b',"detail":' + told if told else b"") + b"}"
    assert explained(b'{"kind":"Error"}', detail) == expected
    assert explained(b"null", detail) == b"null"


def test_of_a_long_text_whole_lines_are_kept_from_the_start_or_the_end() -> None:
    lines = [f"line {number}" for number in range(1000)]
    first, last = fit_lines("\n".join(lines), 100), fit_lines("\n".join(lines), 100, from_end=True)
    assert first.split("\n")[:2] == ["line 0", "line 1"]
    assert first.endswith("\n…")
    assert last.startswith("…\n")
    assert last.split("\n")[-1] == "line 999"
    assert len(fit_lines("é" * 5000, 2000)) == 400


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "exited with code 1"),
        (" declined \n", "exited with code 1: declined"),
        ("first\nsecond", "exited with code 1: first\nsecond"),
    ],
)
def test_short_last_words_are_told_whole(text: str, message: str) -> None:
    assert last_words("exited with code 1", text) == (message, None)


def test_of_a_log_the_last_line_is_the_message_and_the_last_ten_are_the_detail() -> None:
    log = "\n\n".join(f"{number}: doing this and that" for number in range(50)) + "\nfatal: no database\n"
    message, detail = last_words("exited with code 1", log)
    assert message == "exited with code 1: fatal: no database"
    assert parsed(detail)["log"].split("\n") == [
        *(f"{number}: doing this and that" for number in range(41, 50)),
        "fatal: no database",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            json.dumps({"reason": "declined", "rows": list(range(80))}, indent=1),
            'x: { "reason": "declined", "rows": [ 0, 1,',
        ),
        ("a" * 200 + "\nfatal: no database\n}\n-----", "x: fatal: no database"),
        ("-\n" * 200, "x: -"),
    ],
)
def test_the_message_says_something(text: str, message: str) -> None:
    assert last_words("x", text)[0].startswith(message)


TEXTS = st.text(st.characters(), max_size=300)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | TEXTS.map(lambda text: text * 60),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(TEXTS, inner, max_size=9),
    max_leaves=20,
)
NAMES = st.sampled_from(
    ("file", "line", "function", "source", "origins", "traceback", "details", "method", "url", "status", "answer", "x")
)


def test_what_does_not_fit_beside_the_rest_is_left_out_the_last_first() -> None:
    long = "€" * 6000
    told = dict.fromkeys(("traceback", "source", "url", "answer"), "\n".join([long] * 9)) | {"file": "shop.py"}
    document = render_detail({**told, "details": "x" * 6000, "origins": [long] * 5})
    assert document is not None
    assert len(document) <= DETAIL_LIMIT
    assert set(told) - set(parsed(document)) == {"traceback"}


@pytest.mark.heavy
@given(st.dictionaries(NAMES, ANY))
def test_any_detail_is_kept_within_its_limit(told: dict[str, Any]) -> None:
    document = render_detail(told)
    assert document is None or len(document) <= DETAIL_LIMIT
    for name, text in parsed(document).items():
        if name in ("file", "function", "source", "traceback"):
            assert text.replace("\n", "").replace("\t", "").isprintable()


@given(TEXTS.map(lambda text: text * 40))
def test_any_log_is_kept_within_its_limit(text: str) -> None:
    document = render_log(text)
    assert document is None or len(document) <= 4 * 1024 + 16
