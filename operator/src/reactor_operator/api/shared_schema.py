"""A schema of inputs that a ConfigMap holds, as JSON or YAML.

In: text that anybody may have written. Out: a schema, or what is wrong with it. Never here: an exception, an alias (a
few of them make a document of any size), nesting that costs the stack.
"""

from collections.abc import Mapping
from typing import Any

import orjson
import yaml

from reactor_operator.api.problems import Problem, render_found
from reactor_operator.api.schemas import schema_problems

BASE = "spec.inputsSchemaFrom"
_BYTES = 1 << 20
_DEPTH = 100
_SHOWN = 300
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Parsed = tuple[Mapping[str, Any] | None, tuple[Problem, ...]]


class _Refused(Exception):
    """The text cannot be taken, whatever it means; the message says why."""


def parse_shared_schema(text: str) -> Parsed:
    """Return the schema in `text`, or what is wrong with it."""
    try:
        schema = _parse(text)
    except _Refused as refused:
        return None, (Problem(BASE, str(refused), "InvalidSchema"),)
    if not isinstance(schema, dict):
        return None, (Problem(BASE, f"found {render_found(schema)}, expected an object", "InvalidSchema"),)
    wrong = schema_problems(schema, BASE)
    return (None, tuple(wrong)) if wrong else (schema, ())


def _parse(text: str) -> object:
    if len(text) > _BYTES:
        raise _Refused(f"found {len(text)} characters, expected at most {_BYTES}")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # then it may be YAML, which takes a hundred times as long
        return _parse_yaml(text)


def _parse_yaml(text: str) -> object:
    try:
        _look_through(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a safe loader
    except (yaml.YAMLError, ValueError) as error:  # dates and numbers that are none are ValueErrors
        said = " ".join(str(error).split())[:_SHOWN]
        raise _Refused(f"found text that is neither JSON nor YAML: {said}") from error


def _look_through(text: str) -> None:
    """Refuse what would be dear to load. Raises _Refused, and YAMLError where it is no YAML."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(f"found the alias *{event.anchor} in line {line}, expected none: write it out, or use $ref")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise _Refused(f"found nesting of more than {_DEPTH} levels in line {line}, expected less")
