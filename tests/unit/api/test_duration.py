import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.api.duration import parse_duration, render_duration


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0s", 0),
        ("250ms", 250),
        ("1s", 1_000),
        ("30m", 1_800_000),
        ("1h30m", 5_400_000),
        ("72h", 259_200_000),
        ("1h1m1s1ms", 3_661_001),
        ("99999h", 359_996_400_000),
    ],
)
def test_parts_add_up(text: str, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    "text", ["", "1", "s", "1d", "-1s", "1.5h", "1 s", " 1s", "1s\n", "100000s", "1s1s1s1s1s", "1S", "१s"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="1h30m"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=99_999 * 3_600_000))
def test_what_is_rendered_reads_back_as_the_same_duration(ms: int) -> None:
    assert parse_duration(render_duration(ms)) == ms


@given(st.lists(st.tuples(st.integers(0, 99_999), st.sampled_from(["h", "m", "s", "ms"])), min_size=1, max_size=4))
def test_every_sequence_of_parts_is_their_sum(parts: list[tuple[int, str]]) -> None:
    sizes = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == sum(number * sizes[unit] for number, unit in parts)
