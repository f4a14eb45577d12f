"""Total access to JSON that others wrote: every answer has the type asked for, whatever the document holds.

In: parsed JSON. Out: strings, numbers, maps and lists; empty ones where a field is missing or of another type.
Never here: an exception. JSON objects are dicts here: an abstract Mapping costs ten times as much to recognise, and
this is asked some hundred times for each pod.
"""

from collections.abc import Mapping
from typing import Any

import orjson

JsonObject = Mapping[str, Any]
EMPTY: JsonObject = {}


def parse_object(document: bytes) -> JsonObject:
    """Return the JSON object in `document`, an empty one where there is none."""
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError:
        return EMPTY
    return parsed if isinstance(parsed, dict) else EMPTY


def _at(json: object, path: tuple[str, ...]) -> object:
    for name in path:
        if not isinstance(json, dict):
            return None
        json = json.get(name)
    return json


def map_at(json: object, *path: str) -> JsonObject:
    """Return the object at `path`, or an empty one."""
    found = _at(json, path)
    return found if isinstance(found, dict) else EMPTY


def maps_at(json: object, *path: str) -> list[JsonObject]:
    """Return the objects of the list at `path`, without what else is in it."""
    found = _at(json, path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text_at(json: object, *path: str) -> str:
    """Return the string at `path`, or an empty one."""
    found = _at(json, path)
    return found if isinstance(found, str) else ""


def int_at(json: object, *path: str) -> int | None:
    """Return the integer at `path`, or None (booleans are none)."""
    found = _at(json, path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def flag_at(json: object, *path: str) -> bool:
    """Return whether there is a true at `path`."""
    return _at(json, path) is True


def texts_at(json: object, *path: str) -> dict[str, str]:
    """Return the string-valued entries of the object at `path` (labels, annotations)."""
    return {key: value for key, value in map_at(json, *path).items() if isinstance(value, str)}
