"""A layered mapping is a plain one that is cheap to draft: no draft shows in what it was made from."""

from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.engine.layered import Layered

keys = st.sampled_from([f"step-{number}" for number in range(12)])
changes = st.lists(st.lists(st.tuples(keys, st.integers()), max_size=4), max_size=30)


@given(st.dictionaries(keys, st.integers()), changes)
def test_it_reads_like_a_dict_that_was_copied_before_every_change(
    start: dict[str, int], many: list[list[tuple[str, int]]]
) -> None:
    plain = dict(start)
    layered: Layered[int] = Layered.draft_of(start)
    history: list[tuple[Layered[int], dict[str, int]]] = []
    for change in many:
        layered, plain = Layered.draft_of(layered), dict(plain)
        for key, value in change:
            layered.put(key, value)
            plain[key] = value
        history.append((layered, plain))
    for made, expected in history:
        assert made == expected
        assert len(made) == len(expected)
        assert sorted(made) == sorted(expected)
        assert {key: made.get(key) for key in expected} == expected
        assert made.get("nowhere") is None
        assert "nowhere" not in made


def test_a_draft_never_copies_more_than_the_square_root_of_what_is_settled() -> None:
    layered: Layered[int] = Layered.draft_of({f"step-{number}": 0 for number in range(10_000)})
    settled = set()
    for number in range(1_000):
        layered = Layered.draft_of(layered)
        layered.put(f"step-{number}", 1)
        settled.add(id(layered._settled))
        assert len(layered._recent) <= 102
    assert sum(layered.values()) == 1_000
    assert len(settled) <= 1_000 // 100 + 1


def test_what_is_in_either_layer_is_in_it() -> None:
    both = Layered({"old": 1}, {"new": 2})
    assert ("old" in both, "new" in both, "none" in both) == (True, True, False)
