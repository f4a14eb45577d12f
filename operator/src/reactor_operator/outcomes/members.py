"""How much a JSON document would be in memory, told from its bytes before it is parsed.

In: bytes. Out: whether they have too many members. Never here: a parse; 32 MiB of empty lists take 800 MiB of memory.
"""

import re

MEMBERS_LIMIT = 4_000_000
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def has_too_many_members(document: bytes, limit: int = MEMBERS_LIMIT) -> bool:
    """Return whether there are more objects, lists and members in `document` than `limit`. Text counts as one."""
    return _marks(document) > limit and _marks(_STRINGS.sub(b'""', document)) > limit


def _marks(document: bytes) -> int:
    return document.count(b",") + document.count(b"[") + document.count(b"{")
