"""Logs as they are kept: the end of what was printed, whole letters, and the same again."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.store.kept_logs import KeptLog, TextStream, decode_log, encode_log, end_of


def test_what_fits_is_kept_as_it_is() -> None:
    assert end_of(b"one\ntwo") == KeptLog(b"one\ntwo")


def test_what_does_not_begins_with_a_line() -> None:
    assert end_of(b"one\ntwo\nthree\n", most=9) == KeptLog(b"three\n", cut=True)


def test_where_there_is_no_line_it_begins_with_a_letter() -> None:
    assert end_of("äöü".encode(), most=3) == KeptLog("ü".encode(), cut=True)


@given(st.binary(max_size=300), st.integers(1, 300), st.booleans())
def test_it_is_the_end_as_utf_8_and_is_read_as_it_was_written(text: bytes, most: int, cut: bool) -> None:
    found = end_of(text, cut=cut, most=most)
    assert found.text.decode() == found.text.decode("utf-8", "strict")
    assert text.decode("utf-8", "replace").endswith(found.text.decode()) or not text.isascii()
    assert found.cut == (cut or len(text) > most)
    assert decode_log(encode_log(found)) == found
    counted = replace(found, lines=most)
    assert decode_log(encode_log(counted)) == counted


@given(st.binary(max_size=40))
def test_what_is_no_log_is_none(body: bytes) -> None:
    found = decode_log(body)
    assert found is None or body[:1] in (b"\x01", b"\x02", b"\x03")
    assert decode_log(b"\x03" + body) is None


@given(st.text(st.characters(codec="utf-8")), st.lists(st.integers(0, 40), max_size=5))
def test_text_that_is_cut_anywhere_comes_out_whole(text: str, cuts: list[int]) -> None:
    body, stream, out = text.encode(), TextStream(), b""
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    for start, end in itertools.pairwise(places):
        part = stream.more(body[start:end])
        part.decode()
        out += part
    assert (out + stream.more(b"", last=True)).decode() == text
