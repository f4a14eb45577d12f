"""JSON Schema 2020-12 as reactors carry it: is it one, and does it stay inside itself.

In: a schema. Out: problems, or a validator. Never here: the network (`$ref` stays inside the document), and a value
that is judged (see `inputs`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from reactor_operator.api.document import document_problems
from reactor_operator.api.problems import Problem, path_to, render_found
from reactor_operator.api.schema_work import MAX_VISITS, SchemaWork, TooMuchWork
from reactor_operator.api.subschemas import parts_of_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MASK = "\N{REPLACEMENT CHARACTER}"
_SAID = 300
_REPEATED = ("const", "enum", "not", "pattern")
_REFERENCES = ("$ref", "$dynamicRef")


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
    return _work(schema, base)


def _work(schema: object, base: str) -> list[Problem]:
    try:
        SchemaWork(schema if isinstance(schema, Mapping) else {}).visits(0, MAX_VISITS)
    except TooMuchWork:
        message = (
            f"found parts that judge one value more than {MAX_VISITS} times, expected fewer: combine and refer to less"
        )
        return [Problem(base, message, "InvalidSchema")]
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
    level: list[tuple[str, object, bool]] = [(base, schema, False)]
    while level:
        below: list[tuple[str, object, bool]] = []
        for path, node, by_name in level:
            if isinstance(node, Mapping):
                if not by_name:
                    yield from _keywords(node, path, outermost=node is schema)
                parts = parts_of_schema(node, by_name=by_name)
                below += [(path_to(path, [key]), part, names) for key, part, names in parts]
            elif isinstance(node, list):
                below += [(path_to(path, [index]), part, False) for index, part in enumerate(node)]
        level = below


def _keywords(node: Mapping[str, object], path: str, *, outermost: bool) -> Iterator[Problem]:
    """Yield what one schema says that no schema of ours may."""
    for key in _REFERENCES:
        target = node.get(key)
        if isinstance(target, str) and not target.startswith("#"):
            message = f"found {render_found(target)}, expected a reference inside the schema: #/$defs/NAME"
            yield Problem(path_to(path, [key]), message, "InvalidSchema")
    if not isinstance(node.get("sensitive", False), bool | Mapping):  # an object: a member of a keyword nobody knows
        message = f"found {render_found(node['sensitive'])}, expected true or false"
        yield Problem(path_to(path, ["sensitive"]), message, "InvalidSchema")
    if isinstance(node.get("$id"), str) and not outermost:
        message = "found a schema inside that has an $id, expected none: references could not be followed"
        yield Problem(path_to(path, ["$id"]), message, "InvalidSchema")
