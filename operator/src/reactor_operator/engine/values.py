"""References to values: the engine and the hot state hold these, the store holds the JSON documents.

In: the bytes of a JSON document. Out: a `ValueRef`. Never here: the documents themselves.
"""

import hashlib
from dataclasses import dataclass

SEALED_PREFIX = b"sealed:"
"""How the bytes of a sensitive document begin; no JSON does."""
_SEALED = "sealed-"


@dataclass(frozen=True, slots=True)
class ValueRef:
    """The address of a JSON document in the store of a run: SHA-256 in hex and its size in bytes.

    That of a sealed document says so. It is the digest of what is stored, so it tells nothing of what is sealed.
    """

    digest: str
    size: int

    @property
    def sealed(self) -> bool:
        """Whether the document is sensitive, and stored sealed."""
        return self.digest.startswith(_SEALED)


def is_sealed(document: bytes) -> bool:
    """Return whether these are the bytes of a sealed document."""
    return document.startswith(SEALED_PREFIX)


def reference_to(document: bytes) -> ValueRef:
    """Return the reference under which `document` (UTF-8 JSON, or a sealed one) is stored."""
    digest = hashlib.sha256(document).hexdigest()
    return ValueRef(f"{_SEALED}{digest}" if is_sealed(document) else digest, len(document))
