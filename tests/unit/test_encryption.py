"""Encrypted documents: only who has the key reads them, and only as what they were encrypted as."""

import pytest

from reactor_operator.encryption import NO_KEYS, CannotDecrypt, Key, Keyring, draw_keys, parse_keys, render_keys
from reactor_operator.engine.values import is_encrypted, reference_to

DOCUMENT = b'{"card":"4111"}'
ONE, OTHER = Key(b"1" * 32), Key(b"2" * 32)


def test_what_is_encrypted_is_opened_again_and_tells_nothing_meanwhile() -> None:
    keys = draw_keys()
    encrypted = keys.encrypt("run", "a result", DOCUMENT)
    assert keys.decrypt("run", encrypted) == DOCUMENT
    assert is_encrypted(encrypted)
    assert b"4111" not in encrypted
    assert encrypted.startswith(f"encrypted:1:{keys.every[0].id}:a result\n".encode())
    assert reference_to(encrypted).encrypted
    assert not reference_to(DOCUMENT).encrypted


def test_the_same_document_is_encrypted_to_the_same_bytes_only_under_one_key_run_and_name() -> None:
    encrypted = [
        ONE.encrypt(run, name, DOCUMENT) if key is ONE else OTHER.encrypt(run, name, DOCUMENT)
        for key, run, name in ((ONE, "r", "n"), (ONE, "r", "n"), (ONE, "s", "n"), (ONE, "r", "m"), (OTHER, "r", "n"))
    ]
    assert len(set(encrypted)) == 4
    assert encrypted[0] == encrypted[1]
    tails = {one.partition(b"\n")[2][:12] for one in encrypted}
    assert len(tails) == 4  # a nonce is never used for two texts


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    before = Keyring((ONE,)).encrypt("run", "n", DOCUMENT)
    rotated = Keyring((OTHER, ONE))
    assert rotated.decrypt("run", before) == DOCUMENT
    after = rotated.encrypt("run", "n", DOCUMENT)
    with pytest.raises(CannotDecrypt, match=f"encrypted with key '{OTHER.id}': that key is not here .found {ONE.id}."):
        Keyring((ONE,)).decrypt("run", after)


def test_what_is_not_encrypted_stays_as_it_is_and_needs_no_key() -> None:
    assert NO_KEYS.decrypt("run", DOCUMENT) is DOCUMENT
    encrypted = Keyring((ONE,)).encrypt("run", "n", DOCUMENT)
    assert Keyring((ONE,)).encrypt("run", "again", encrypted) is encrypted


@pytest.mark.parametrize("change", ["run", "name", "text"])
def test_what_was_changed_or_moved_is_not_opened(change: str) -> None:
    keys = Keyring((ONE,))
    encrypted = keys.encrypt("run", "name", DOCUMENT)
    if change == "name":
        encrypted = encrypted.replace(b":name\n", b":nome\n")
    if change == "text":
        encrypted = encrypted[:-1] + bytes([encrypted[-1] ^ 1])
    with pytest.raises(CannotDecrypt, match="it was changed, or is of another run"):
        keys.decrypt("other" if change == "run" else "run", encrypted)


def test_without_a_key_nothing_is_encrypted() -> None:
    with pytest.raises(CannotDecrypt, match="found no key"):
        NO_KEYS.encrypt("run", "n", DOCUMENT)
    with pytest.raises(CannotDecrypt, match="found none"):
        NO_KEYS.decrypt("run", Keyring((ONE,)).encrypt("run", "n", DOCUMENT))


def test_a_file_of_keys_is_read_as_it_was_written() -> None:
    keys = Keyring((ONE, OTHER))
    assert parse_keys(f"\n{render_keys(keys)}\n") == keys
    assert ONE.secret.hex() not in repr(keys)


@pytest.mark.parametrize("text", ["", "\n", "secret", "ab" * 31, "zz" * 32])
def test_a_bad_file_of_keys_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits") as problem:
        parse_keys(text)
    assert not text.strip() or text not in str(problem.value)


def test_a_seal_proves_that_this_was_written_here_for_this_run() -> None:
    keys = Keyring(sealing=b"k" * 32)
    seal = keys.seal("run", "rows", "1")
    assert keys.is_sealed(seal, "run", "rows", "1")
    assert not keys.is_sealed(seal, "other", "rows", "1")
    assert not keys.is_sealed(seal, "run", "rows1", "")
    assert not keys.is_sealed({}, "run", "rows", "1")
    assert "kkkk" not in repr(keys)


def test_without_a_key_nothing_is_sealed_and_nothing_is_proven() -> None:
    assert NO_KEYS.seal("run", "rows", "1") == ""
    assert not NO_KEYS.is_sealed("", "run", "rows", "1")
