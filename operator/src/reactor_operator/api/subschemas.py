"""What a schema says of a place: the subschemas that hold for a value, its members and its items.

In: a sound schema. Out: subschemas, each once. Never here: a value that is judged (see `inputs`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import unquote

SCHEMAS_PER_PLACE = 100
_LITERALS = frozenset({"const", "enum", "default", "examples"})
_BY_NAME = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependentRequired"}
)

Schema = Mapping[str, object]


def parts_of_schema(node: Schema, *, by_name: bool) -> Iterator[tuple[str, object, bool]]:
    """Yield what is inside a schema, or an object that holds some by name: key, part, and whether that holds some.

    Values that a schema only quotes are left out. A member may be called `default` or `const`: there it is a name.
    """
    for key, part in node.items():
        if by_name:
            yield key, part, False
        elif key not in _LITERALS:
            yield key, part, key in _BY_NAME


def schemas_of_root(root: Schema) -> Sequence[Schema]:
    """Return the schemas that hold for a whole document: `root`, what it refers to, and its `allOf`."""
    return _holding([root], root)


def schemas_of_member(schemas: Iterable[Schema], name: str, root: Schema) -> Sequence[Schema]:
    """Return the schemas that hold for the member `name` of an object for which `schemas` hold."""
    found: list[object] = []
    for schema in schemas:
        properties = schema.get("properties")
        if isinstance(properties, Mapping) and name in properties:
            found.append(properties[name])
        elif "patternProperties" not in schema:
            found.append(schema.get("additionalProperties"))
    return _holding(found, root)


def schemas_of_item(schemas: Iterable[Schema], index: int, root: Schema) -> Sequence[Schema]:
    """Return the schemas that hold for the item at `index` of an array for which `schemas` hold."""
    found: list[object] = []
    for schema in schemas:
        first = schema.get("prefixItems")
        count = len(first) if isinstance(first, list) else 0
        found.append(first[index] if isinstance(first, list) and index < count else schema.get("items"))
    return _holding(found, root)


def _holding(start: Iterable[object], root: Schema) -> list[Schema]:
    """Follow `$ref` and `allOf` from `start`; each schema once, so that one that refers to itself ends."""
    seen: dict[int, Schema] = {}
    waiting = list(start)
    while waiting and len(seen) < SCHEMAS_PER_PLACE:
        schema = waiting.pop(0)
        if not isinstance(schema, Mapping) or id(schema) in seen:
            continue
        seen[id(schema)] = schema
        reference, every = schema.get("$ref"), schema.get("allOf")
        if isinstance(reference, str):
            waiting.append(resolve_reference(reference, root))
        if isinstance(every, list):
            waiting.extend(every[:SCHEMAS_PER_PLACE])
    return list(seen.values())


def resolve_reference(reference: str, root: Schema) -> object:
    """Return what a JSON pointer (`#/$defs/order`) leads to, None where it leads nowhere or is an anchor."""
    if not reference.startswith("#"):
        return None
    at: object = root
    for part in unquote(reference[1:]).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(at, Mapping) and key in at:
            at = at[key]
        elif isinstance(at, list) and key.isdecimal() and int(key) < len(at):
            at = at[int(key)]
        else:
            return None
    return at if reference in ("#", "") or "/" in reference else None
