"""Sealed documents: only who has the key reads them, and only as what they were sealed as."""

import pytest

from reactor_operator.engine.values import is_sealed, reference_to
from reactor_operator.sealing import NO_KEYS, CannotUnseal, Key, Keys, draw_keys, parse_keys, render_keys

DOCUMENT = b'{"card":"4111"}'
ONE, OTHER = Key(b"1" * 32), Key(b"2" * 32)


def test_what_is_sealed_is_opened_again_and_tells_nothing_meanwhile() -> None:
    keys = draw_keys()
    sealed = keys.seal("run", "a result", DOCUMENT)
    assert keys.open("run", sealed) == DOCUMENT
    assert is_sealed(sealed)
    assert b"4111" not in sealed
    assert sealed.startswith(f"sealed:1:{keys.every[0].id}:a result\n".encode())
    assert reference_to(sealed).sealed
    assert not reference_to(DOCUMENT).sealed


def test_the_same_document_is_sealed_to_the_same_bytes_only_under_one_key_run_and_name() -> None:
    sealed = [
        ONE.seal(run, name, DOCUMENT) if key is ONE else OTHER.seal(run, name, DOCUMENT)
        for key, run, name in ((ONE, "r", "n"), (ONE, "r", "n"), (ONE, "s", "n"), (ONE, "r", "m"), (OTHER, "r", "n"))
    ]
    assert len(set(sealed)) == 4
    assert sealed[0] == sealed[1]
    tails = {one.partition(b"\n")[2][:12] for one in sealed}
    assert len(tails) == 4  # a nonce is never used for two texts


def test_the_first_key_seals_and_all_open() -> None:
    before = Keys((ONE,)).seal("run", "n", DOCUMENT)
    rotated = Keys((OTHER, ONE))
    assert rotated.open("run", before) == DOCUMENT
    after = rotated.seal("run", "n", DOCUMENT)
    with pytest.raises(CannotUnseal, match=f"sealed with key '{OTHER.id}': that key is not here .found {ONE.id}."):
        Keys((ONE,)).open("run", after)


def test_what_is_not_sealed_stays_as_it_is_and_needs_no_key() -> None:
    assert NO_KEYS.open("run", DOCUMENT) is DOCUMENT
    sealed = Keys((ONE,)).seal("run", "n", DOCUMENT)
    assert Keys((ONE,)).seal("run", "again", sealed) is sealed


@pytest.mark.parametrize("change", ["run", "name", "text"])
def test_what_was_changed_or_moved_is_not_opened(change: str) -> None:
    keys = Keys((ONE,))
    sealed = keys.seal("run", "name", DOCUMENT)
    if change == "name":
        sealed = sealed.replace(b":name\n", b":nome\n")
    if change == "text":
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    with pytest.raises(CannotUnseal, match="it was changed, or is of another run"):
        keys.open("other" if change == "run" else "run", sealed)


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(CannotUnseal, match="found no key"):
        NO_KEYS.seal("run", "n", DOCUMENT)
    with pytest.raises(CannotUnseal, match="found none"):
        NO_KEYS.open("run", Keys((ONE,)).seal("run", "n", DOCUMENT))


def test_a_file_of_keys_is_read_as_it_was_written() -> None:
    keys = Keys((ONE, OTHER))
    assert parse_keys(f"\n{render_keys(keys)}\n") == keys
    assert ONE.secret.hex() not in repr(keys)


@pytest.mark.parametrize("text", ["", "\n", "secret", "ab" * 31, "zz" * 32])
def test_a_bad_file_of_keys_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits") as problem:
        parse_keys(text)
    assert not text.strip() or text not in str(problem.value)
