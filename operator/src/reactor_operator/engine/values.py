"""References to values: the engine and the hot state hold these, the store holds the JSON documents.

In: the bytes of a JSON document. Out: a `ValueRef`. Never here: the documents themselves.
"""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ValueRef:
    """The address of a JSON document in the store of a run: SHA-256 in hex and its size in bytes."""

    digest: str
    size: int


def reference_to(document: bytes) -> ValueRef:
    """Return the reference under which `document` (UTF-8 JSON) is stored."""
    return ValueRef(hashlib.sha256(document).hexdigest(), len(document))
