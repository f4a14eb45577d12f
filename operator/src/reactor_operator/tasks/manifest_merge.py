"""How a user's pod template and ours become one.

In: JSON objects, of which the author's may be anything. Out: their merge, where the second wins. Never here: what any
field means, or whether the API server will take it.

Maps merge field by field. Lists of the pod spec whose items have a key merge by that key: containers field by field,
volumes, mounts and variables as a whole (each has one source). Every other list is replaced as a whole.
"""

from collections.abc import Mapping, Sequence

_DEEP = frozenset({"containers", "initContainers"})
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
}


def merge_objects(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Return `under` with all that `over` says; a field that only one of them has is kept."""
    merged = dict(under)
    for name, value in over.items():
        found = merged.get(name)
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            merged[name] = merge_objects(found, value)
        elif name in _KEYS and isinstance(value, Sequence) and isinstance(found, Sequence):
            merged[name] = _merge_keyed(found, value, _KEYS[name], deep=name in _DEEP)
        else:
            merged[name] = value
    return merged


def _merge_keyed(under: Sequence[object], over: Sequence[object], key: str, *, deep: bool) -> list[object]:
    """Return the items of `over`, then those of `under` whose key `over` does not name."""
    below = {name: item for item in under if isinstance(item, Mapping) and (name := key_of(item, key)) is not None}
    named = {key_of(item, key) for item in over} - {None}
    merged: list[object] = []
    for item in over:
        base = below.get(key_of(item, key) or "") if deep else None
        merged.append(item if base is None or not isinstance(item, Mapping) else merge_objects(base, item))
    return merged + [item for item in under if key_of(item, key) not in named]


def key_of(item: object, key: str) -> str | None:
    """Return the text by which an item of a list is known, None where it has none."""
    found = item.get(key) if isinstance(item, Mapping) else None
    return found if isinstance(found, str) else None
