"""What a field takes, in words, told from its model: for messages about what was found there instead.

In: a kind of document, the place of a field in it, what was found. Out: what was expected, and how to write it.
Never here: whether something is wrong.
"""

from collections.abc import Iterable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from reactor_operator.api import actions, duration, model, reactor
from reactor_operator.api.problems import render_found
from reactor_operator.api.sources import Source

PATTERNS = {
    actions.HANDLER: "module:function, such as shop.inventory:reserve",
    actions.ENV_NAME: "a name of visible ASCII characters without '='",
    reactor.LABEL_KEY: "the key of a label, such as team or example.com/team",
    reactor.LABEL_VALUE: "the value of a label: letters, digits, '-', '_' and '.', a letter or digit at both ends",
    model.ARGUMENT: "a name of letters, digits and '_' that does not start with a digit",
    duration.PATTERN: "a duration such as 1h30m, 72h or 250ms",
    model.PRINTABLE: "printable text in one line, without control characters",
    model.DNS_LABEL: "a DNS label: lower-case letters, digits and '-', a letter or digit at both ends",
    model.DNS_SUBDOMAIN: "a DNS name: lower-case letters, digits, '-' and '.', a letter or digit at both ends",
}
TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "tuple_type": "a list",
    "list_type": "a list",
}
_SOURCES = ("{input: …}", "{result: …}", "{expr: …}")


def expected_at(kind: type[BaseModel], where: tuple[int | str, ...], reason: str, found: object) -> str:
    """Return what was expected in place of a value of another type, and where that helps how to write it."""
    if reason == "string_type":
        text = _text_at(kind, where)
        if isinstance(found, bool):
            return f"{text}: write it in quotes, YAML reads it as a boolean"
        plain = isinstance(found, int | float) and text in ("text", PATTERNS[model.PRINTABLE])
        return f"{text}: write it in quotes" if plain else text
    wanted = model_at(kind, where)
    if isinstance(found, str) and wanted is not None and reason.startswith("model"):
        if issubclass(wanted, Source):
            return f"a source: {{value: {render_found(found)}}} for this text itself, else {', '.join(_SOURCES)}"
        if set(wanted.model_fields) == {"name"}:
            return f"an object: write {{name: {render_found(found)}}}"
    return TYPES[reason]


def _text_at(kind: type[BaseModel], where: tuple[int | str, ...]) -> str:
    """Return which text a field takes, by its pattern."""
    owner = model_at(kind, where[:-1])
    for name, field in owner.model_fields.items() if owner is not None else ():
        if (field.alias or name) == where[-1]:
            found = (PATTERNS.get(pattern) for pattern in _patterns_in((field.annotation, *field.metadata)))
            return next((text for text in found if text is not None), "text")
    return "text"


def _patterns_in(parts: Iterable[Any]) -> Iterator[str]:
    """Yield the patterns among the parts of an annotation, at any depth."""
    for part in parts:
        if isinstance(pattern := getattr(part, "pattern", None), str):
            yield pattern
        yield from _patterns_in((*get_args(part), *getattr(part, "metadata", ())))


def model_at(kind: type[BaseModel], where: Iterable[int | str]) -> type[BaseModel] | None:
    """Return the model that stands at `where` under `kind`: the one whose fields an unknown one is compared with."""
    at: Any = kind
    for key in where:
        if isinstance(at, type) and issubclass(at, BaseModel):
            fields = {field.alias or name: field for name, field in at.model_fields.items()}
            field = fields.get(str(key))
            at = _bare(field.annotation) if field is not None else None
        elif get_origin(at) in (tuple, dict):
            at = _bare(get_args(at)[-1 if get_origin(at) is dict else 0])
        else:
            return None
    return at if isinstance(at, type) and issubclass(at, BaseModel) else None


def _bare(annotation: Any) -> Any:
    """Return X of `X | None` and of `Annotated[X, …]`."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not NoneType)
    return annotation
