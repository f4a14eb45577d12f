"""References to values: the engine and the hot state hold these, the store holds the JSON documents.

In: the bytes of a JSON document. Out: a `ValueRef`. Never here: the documents themselves.
"""

import hashlib
from dataclasses import dataclass

ENCRYPTED_PREFIX = b"encrypted:"
"""How the bytes of a sensitive document begin; no JSON does."""
_ENCRYPTED = "encrypted-"
_INLINE, _NAMED = "=", "@"
INLINE_BYTES = 256
"""A document of an element of a map that is at most so large is its own reference."""


@dataclass(frozen=True, slots=True)
class ValueRef:
    """The address of a JSON document in the store of a run: SHA-256 in hex and its size in bytes.

    That of an encrypted document says so. It is the digest of what is stored, so it tells nothing of what is encrypted.
    What belongs to an element of a map has another address, for it is dropped when the element has ended, and two
    never share one: its name (`@rows[7].run.1.1.1 result`), or, of a small document, the document (`={"id":1}`).
    """

    digest: str
    size: int

    @property
    def encrypted(self) -> bool:
        """Whether the document is sensitive, and stored encrypted."""
        return self.digest.startswith(_ENCRYPTED)

    @property
    def inline(self) -> bytes | None:
        """The document, where it is its own reference; such a one is stored nowhere else."""
        return self.digest[1:].encode() if self.digest.startswith(_INLINE) else None

    @property
    def named(self) -> bool:
        """Whether the document has a name of its own, so that it may be dropped when whatever owns it has ended."""
        return self.digest.removeprefix(_ENCRYPTED).startswith(_NAMED)


def is_encrypted(document: bytes) -> bool:
    """Return whether these are the bytes of an encrypted document."""
    return document.startswith(ENCRYPTED_PREFIX)


def reference_to(document: bytes, name: str = "") -> ValueRef:
    """Return the reference under which `document` (UTF-8 JSON, or an encrypted one) is stored.

    `name` is that of a document that belongs to an element of a map, unique in its run.
    """
    if name:
        return _reference_of_element(document, name)
    digest = hashlib.sha256(document).hexdigest()
    return ValueRef(f"{_ENCRYPTED}{digest}" if is_encrypted(document) else digest, len(document))


def _reference_of_element(document: bytes, name: str) -> ValueRef:
    if is_encrypted(document):
        return ValueRef(f"{_ENCRYPTED}{_NAMED}{name}", len(document))
    if len(document) <= INLINE_BYTES:
        return ValueRef(_INLINE + document.decode(), len(document))
    return ValueRef(_NAMED + name, len(document))
