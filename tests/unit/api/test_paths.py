import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.api.paths import Keys, parse_path, render_path

_NAMES = st.text(st.characters(exclude_characters="\"'", exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("a", ("a",)),
        ("a.b[0]", ("a", "b", 0)),
        ("[3].x", (3, "x")),
        ("[1][2]", (1, 2)),
        ('headers["x-id.y"].value', ("headers", "x-id.y", "value")),
        ("a['b']", ("a", "b")),
        ("order-id", ("order-id",)),
        ("0", ("0",)),
        ("größe.é", ("größe", "é")),
    ],
)
def test_a_path_names_members_and_items(text: str, keys: Keys) -> None:
    assert parse_path(text) == keys


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a]b", "a[0]b", 'a["b]', " a"]
)
def test_anything_else_is_refused_at_its_character(text: str) -> None:
    with pytest.raises(ValueError, match="character"):
        parse_path(text)


@given(st.lists(st.one_of(_NAMES, st.integers(0, 999_999_999)), min_size=1, max_size=8))
def test_what_is_rendered_reads_back_as_the_same_keys(keys: list[str | int]) -> None:
    assert parse_path(render_path(tuple(keys))) == tuple(keys)


@given(st.text(max_size=50))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        keys = parse_path(text)
    except ValueError:
        return
    assert keys
