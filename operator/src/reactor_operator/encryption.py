"""Sensitive documents as the store has them: encrypted by AES-256-GCM under a key that is never in the store.

In: keys from a file, documents. Out: encrypted bytes, and the documents again. An encrypted document is no JSON, so it
is known from any other by its first bytes.
Never here: which documents are sensitive (`api.taint` tells), and a key in a message.

    encrypted:1:KEY-ID:NAME\\n NONCE CIPHERTEXT        authenticated with it: the run's uid, the name, the id of the key

The nonce is an HMAC over what is encrypted, so the same document of the same name is the same bytes: what is repeated
after a crash finds itself in the store. It tells that two values are equal, and nothing else.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from reactor_operator.engine.values import ENCRYPTED_PREFIX, is_encrypted
from reactor_operator.ports import Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_VERSION = b"1"
_NONCE_BYTES = 12
_LABEL = b"reactor encrypted document\0"
_SEAL_LABEL = b"reactor sealed document\0"


class CannotDecrypt(Unavailable):
    """An encrypted document cannot be read, or none can be made; the message names the key by its id."""


@dataclass(frozen=True)
class Key:
    """One key of 32 random bytes. Its id is public: it is a function of the key and tells nothing of it."""

    secret: bytes = field(repr=False)

    @cached_property
    def id(self) -> str:
        """The name of the key in what it encrypted."""
        return self._derived(b"id").hex()[:8]

    def encrypt(self, run: str, name: str, document: bytes) -> bytes:
        """Return `document` encrypted as the value `name` of a run."""
        head = ENCRYPTED_PREFIX + b":".join((_VERSION, self.id.encode(), name.encode())) + b"\n"
        nonce = _mac(self._derived(b"nonce"), run.encode(), head, document)[:_NONCE_BYTES]
        return head + nonce + self._cipher.encrypt(nonce, document, _bound_to(run, head))

    def decrypt(self, run: str, head: bytes, body: bytes) -> bytes:
        """Return what was encrypted. Raises ValueError where it was changed, or is of another run or name."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _bound_to(run, head))
        except InvalidTag as problem:
            raise ValueError("it was changed, or is of another run") from problem

    def mac(self, document: bytes) -> str:
        """Return what tells documents apart, and tells nothing of them without the key."""
        return _mac(self._derived(b"digest"), document).hex()

    @cached_property
    def _cipher(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 30 ms, and most runs have nothing to hide

        return AESGCM(self._derived(b"encrypt"))

    def _derived(self, purpose: bytes) -> bytes:
        return _mac(self.secret, _LABEL, purpose)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of an installation: the first one encrypts, all decrypt.

    sealing: proves that a document was made here; empty where nobody asks for proof, as on a laptop.
    """

    every: tuple[Key, ...] = ()
    sealing: bytes = field(default=b"", repr=False)

    def encrypt(self, run: str, name: str, document: bytes) -> bytes:
        """Return `document` encrypted; one that is so already stays as it is. Raises CannotDecrypt without a key."""
        return document if is_encrypted(document) else self._first().encrypt(run, name, document)

    def decrypt(self, run: str, document: bytes) -> bytes:
        """Return what is encrypted in `document`, and one that is not encrypted as it is. Raises CannotDecrypt."""
        if not is_encrypted(document):
            return document
        head, _, body = document.partition(b"\n")
        version, _, rest = head.removeprefix(ENCRYPTED_PREFIX).partition(b":")
        key_id, _, name = rest.partition(b":")
        said = f"value {name.decode(errors='replace')!r}, encrypted with key {key_id.decode(errors='replace')!r}"
        if version != _VERSION:
            raise CannotDecrypt(f"{said}: found form {version!r}, which this version does not know")
        key = next((key for key in self.every if key.id.encode() == key_id), None)
        if key is None:
            known = ", ".join(key.id for key in self.every) or "none"
            raise CannotDecrypt(f"{said}: that key is not here (found {known}); put it back into the file of keys")
        try:
            return key.decrypt(run, head + b"\n", body)
        except ValueError as problem:
            raise CannotDecrypt(f"{said}: {problem}") from None

    def mac(self, document: bytes) -> str:
        """Return what tells documents apart. Raises CannotDecrypt where there is no key."""
        return self._first().mac(document)

    def macs(self, document: bytes) -> frozenset[str]:
        """Return what `mac` returned with any of the keys as the first one."""
        return frozenset(key.mac(document) for key in self.every)

    def seal(self, run: str, *parts: str) -> str:
        """Return proof that parts of a document of a run were written here: 32 hex digits, none without a key."""
        return _mac(self.sealing, _SEAL_LABEL, run.encode(), *map(str.encode, parts)).hex()[:32] if self.sealing else ""

    def is_sealed(self, seal: object, run: str, *parts: str) -> bool:
        """Say whether `seal`, from anywhere, proves that these parts were written here: never without a key."""
        expected = self.seal(run, *parts)
        return (
            bool(expected)
            and isinstance(seal, str)
            and hmac.compare_digest(expected.encode(), seal.encode("utf-8", "surrogatepass"))
        )

    def decrypt_all(self, run: str, documents: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the documents by digest, each opened. Raises CannotDecrypt."""
        return {digest: self.decrypt(run, document) for digest, document in documents.items()}

    def _first(self) -> Key:
        if not self.every:
            raise CannotDecrypt("found no key for sensitive values, expected a file of keys (see docs/sensitive.md)")
        return self.every[0]


NO_KEYS = Keyring()


def draw_keys() -> Keyring:
    """Return one new random key."""
    return Keyring((Key(secrets.token_bytes(KEY_BYTES)),))


def render_keys(keys: Keyring) -> str:
    """Return the text of a file of keys."""
    return "".join(f"{key.secret.hex()}\n" for key in keys.every)


def parse_keys(text: str) -> Keyring:
    """Return the keys in a file: one in each line, 64 hex digits. Raises ValueError, which repeats no key."""
    return Keyring(tuple(_parsed(line.strip(), number) for number, line in _lines(text)))


def _lines(text: str) -> Iterable[tuple[int, str]]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise ValueError("found no key, expected one in each line: 64 hex digits")
    return lines


def _parsed(line: str, number: int) -> Key:
    try:
        secret = bytes.fromhex(line)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise ValueError(f"line {number}: found {len(line)} characters, expected a key of 64 hex digits")
    return Key(secret)


def _bound_to(run: str, head: bytes) -> bytes:
    return run.encode() + b"\0" + head


def _mac(key: bytes, *parts: bytes) -> bytes:
    found = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.digest()
