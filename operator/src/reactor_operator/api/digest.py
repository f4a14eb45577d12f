"""The digest of a definition: the same for the same content, however its keys are ordered.

In: parsed JSON. Out: SHA-256 in hex of its canonical form. Never here: defaults, which are no part of what was written.
"""

import hashlib
from collections.abc import Mapping

import orjson


def digest_spec(spec: Mapping[str, object]) -> str:
    """Return the digest of `spec`: compact JSON in UTF-8, keys sorted. Raises TypeError where it is not JSON."""
    return hashlib.sha256(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)).hexdigest()
