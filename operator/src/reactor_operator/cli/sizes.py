"""Objects that no cluster takes because of their size, told before one is asked.

In: a manifest as JSON. Out: a problem that names the part that is so large. Never here: a laptop, which takes any.
"""

import json

from reactor_operator.api.problems import Problem, path_to

OBJECT_BYTES = 1536 * 1024
"""What etcd takes as one request, by its default."""


def too_large(value: object) -> Problem | None:
    """Return the problem of an object that is larger than a cluster takes; None where it is not."""
    size = _size(value)
    if size <= OBJECT_BYTES:
        return None
    keys = _largest_part(value, size)
    message = (
        f"found {size} bytes of JSON in the whole object, most of them here, expected at most {OBJECT_BYTES}: "
        "a cluster takes no more; let a step bring what is so large, or pages of a map"
    )
    return Problem(path_to("", keys), message, "TooLarge")


def _largest_part(value: object, size: int) -> list[str | int]:
    """Return the keys of the smallest part that has more than half of so many bytes."""
    keys: list[str | int] = []
    while True:
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        large = next(((key, part) for key, part in inside if _may_be(part, size) and 2 * _size(part) > size), None)
        if large is None:
            return keys
        keys.append(large[0])
        value = large[1]


def _may_be(part: object, size: int) -> bool:
    """Return whether it is worth a look: a number has not many bytes, and there may be a million of them."""
    return isinstance(part, dict | list) or (isinstance(part, str) and 12 * len(part) > size)


def _size(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str).encode("utf-8", "replace"))
