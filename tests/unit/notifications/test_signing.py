"""Signing keys and signatures."""

import hashlib
import hmac
from pathlib import Path

import pytest

from reactor_operator.named_keys import KeyUnusable
from reactor_operator.notifications.signing import SigningKeys, sign

KEY = "0123456789abcdef0123456789abcdef"


def test_a_signature_is_over_the_time_and_the_body() -> None:
    wanted = hmac.new(KEY.encode(), b'1700000000.{"a": 1}', hashlib.sha256).hexdigest()
    assert sign(KEY.encode(), b'{"a": 1}', 1_700_000_000) == f"t=1700000000,v1={wanted}"


def test_a_key_is_a_file_of_the_folder_and_a_new_one_takes_effect_at_once(tmp_path: Path) -> None:
    keys = SigningKeys(folder=tmp_path)
    (tmp_path / "shop").write_text(KEY + "\n")
    assert keys.find("shop") == KEY.encode()
    (tmp_path / "shop").write_text(KEY[::-1])
    assert keys.find("shop") == KEY[::-1].encode()


def test_on_the_laptop_a_variable_serves_too_and_the_folder_comes_first(tmp_path: Path) -> None:
    environment = {"REACTOR_SIGNING_KEY_MY_SHOP": KEY, "REACTOR_SIGNING_KEYS": str(tmp_path)}
    keys = SigningKeys.of_laptop(environment)
    assert keys.find("my-shop") == KEY.encode()
    (tmp_path / "my-shop").write_text(KEY[::-1])
    assert keys.find("my-shop") == KEY[::-1].encode()


def test_a_key_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match=r"no signing key 'shop': add .* signingKeys\.existingSecret"):
        SigningKeys(folder=tmp_path).find("shop")
    with pytest.raises(KeyUnusable, match="set REACTOR_SIGNING_KEY_SHOP, or REACTOR_SIGNING_KEYS to a folder"):
        SigningKeys.of_laptop({}).find("shop")


def test_a_key_that_is_too_short_signs_nothing_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("hunter2")
    with pytest.raises(KeyUnusable, match="has 7 bytes, expected a random key of at least 16") as found:
        SigningKeys(folder=tmp_path).find("shop")
    assert "hunter2" not in str(found.value)
    assert KEY not in repr(SigningKeys.of_laptop({"REACTOR_SIGNING_KEY_SHOP": KEY}))


def test_a_folder_under_the_name_of_a_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    with pytest.raises(KeyUnusable, match="cannot be read"):
        SigningKeys(folder=tmp_path).find("shop")
