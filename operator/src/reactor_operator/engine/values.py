"""References to values: the engine and the hot state hold these, the store holds the JSON documents.

In: the bytes of a JSON document. Out: a `ValueRef`. Never here: the documents themselves.
"""

import hashlib
from dataclasses import dataclass

ENCRYPTED_PREFIX = b"encrypted:"
"""How the bytes of a sensitive document begin; no JSON does."""
_ENCRYPTED = "encrypted-"


@dataclass(frozen=True, slots=True)
class ValueRef:
    """The address of a JSON document in the store of a run: SHA-256 in hex and its size in bytes.

    That of an encrypted document says so. It is the digest of what is stored, so it tells nothing of what is encrypted.
    """

    digest: str
    size: int

    @property
    def encrypted(self) -> bool:
        """Whether the document is sensitive, and stored encrypted."""
        return self.digest.startswith(_ENCRYPTED)


def is_encrypted(document: bytes) -> bool:
    """Return whether these are the bytes of an encrypted document."""
    return document.startswith(ENCRYPTED_PREFIX)


def reference_to(document: bytes) -> ValueRef:
    """Return the reference under which `document` (UTF-8 JSON, or an encrypted one) is stored."""
    digest = hashlib.sha256(document).hexdigest()
    return ValueRef(f"{_ENCRYPTED}{digest}" if is_encrypted(document) else digest, len(document))
