"""JSON Schema 2020-12 as reactors carry it: is it one, does it stay inside itself, and what it says of a place.

In: a schema. Out: problems; the subschemas that hold for a value, its members and its items. Never here: the network
(`$ref` stays inside the document), and a value that is judged (see `inputs`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import orjson

from reactor_operator.api.document import document_problems
from reactor_operator.api.problems import Problem, path_to, render_found

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMAS_PER_PLACE = 100
_MASK = "\N{REPLACEMENT CHARACTER}"
_SAID = 300
_REPEATED = ("const", "enum", "not", "pattern")
_REFERENCES = ("$ref", "$dynamicRef")
_LITERALS = frozenset({"const", "enum", "default", "examples"})

Schema = Mapping[str, object]


def schema_problems(schema: object, base: str) -> list[Problem]:
    """Return everything that makes `schema` no JSON Schema 2020-12 that stands alone."""
    if unreadable := document_problems(schema, base):
        return unreadable
    import jsonschema_rs

    problems = [*_dialect(schema, base), *_references(schema, base)]

    meta = jsonschema_rs.Draft202012Validator({"$ref": DIALECT}, offline=True, validate_formats=True, mask=_MASK)
    wrong = [
        Problem(path_to(base, error.instance_path), message_of(error), "InvalidSchema")
        for error in meta.iter_errors(schema)
    ]
    if wrong or problems:
        return list(dict.fromkeys(problems + wrong))
    try:
        compile_schema(schema)
    except jsonschema_rs.ValidationError as error:
        return [Problem(path_to(base, error.instance_path), message_of(error), "InvalidSchema")]
    except ValueError as error:
        return [Problem(base, f"not a JSON Schema: {_first_line(error)}", "InvalidSchema")]
    return []


def compile_schema(schema: Any) -> Any:
    """Return a validator. It fetches nothing and bounds the work of patterns. Raises ValueError for a bad schema."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(
        schema,
        offline=True,
        validate_formats=True,
        mask=_MASK,
        pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000),
    )


def message_of(error: Any) -> str:
    """Return what a validator said, with the value it speaks of in short; a schema may be long, too."""
    said = str(error.message)
    said = said if len(said) <= _SAID else f"{said[: _SAID - 1]}…"
    return said.replace(_MASK, render_found(error.instance))


def longest_said(schema: object) -> int:
    """Return the size in bytes of the largest part of `schema` that an error repeats."""
    longest = 0
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            repeated = [node[key] for key in _REPEATED if key in node]
            longest = max(longest, *(len(orjson.dumps(part)) for part in repeated), 0)
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return longest


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _dialect(schema: object, base: str) -> Iterator[Problem]:
    if isinstance(schema, Mapping) and schema.get("$schema", DIALECT) not in (DIALECT, DIALECT + "#"):
        path = path_to(base, ["$schema"])
        yield Problem(path, f"found {render_found(schema['$schema'])}, expected {DIALECT}", "InvalidSchema")


def _references(schema: object, base: str) -> Iterator[Problem]:
    """Yield references that leave the document; a level at a time, so that depth costs no stack."""
    level: list[tuple[str, object]] = [(base, schema)]
    while level:
        below: list[tuple[str, object]] = []
        for path, node in level:
            if isinstance(node, Mapping):
                for key in _REFERENCES:
                    target = node.get(key)
                    if isinstance(target, str) and not target.startswith("#"):
                        message = f"found {render_found(target)}, expected a reference inside the schema: #/$defs/NAME"
                        yield Problem(path_to(path, [key]), message, "InvalidSchema")
                below += [(path_to(path, [key]), child) for key, child in node.items() if key not in _LITERALS]
            elif isinstance(node, list):
                below += [(path_to(path, [index]), child) for index, child in enumerate(node)]
        level = below


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
            waiting.append(_resolve(reference, root))
        if isinstance(every, list):
            waiting.extend(every)
    return list(seen.values())


def _resolve(reference: str, root: Schema) -> object:
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
