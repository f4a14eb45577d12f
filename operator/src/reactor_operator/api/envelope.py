"""From a document to a model: the right kind, and what pydantic finds, said in our words.

In: a parsed document. Out: a model, or every problem with its path, what was found and what was expected.
Never here: rules of one kind.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reactor_operator.api import model
from reactor_operator.api.document import document_problems
from reactor_operator.api.expected import PATTERNS, TYPES, expected_at, model_at
from reactor_operator.api.problems import Problem, nearest, path_to, render_found

API_VERSION = "reactor.run/v1alpha1"
UNKNOWN_FIELD = "UnknownField"

M = TypeVar("M", bound=BaseModel)

_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")


def check_envelope(document: object, *, kind: str) -> list[Problem]:
    """Return what is wrong around the spec: apiVersion, kind, the name, unknown fields, and what is not JSON."""
    if not isinstance(document, Mapping):
        return [Problem("", f"found {render_found(document)}, expected a {kind}: an object", "InvalidValue")]
    problems = document_problems({key: value for key, value in document.items() if key != "status"})
    for field, expected in (("apiVersion", API_VERSION), ("kind", kind)):
        found = document.get(field)
        if found != expected:
            problems.append(Problem(field, f"found {render_found(found)}, expected {expected}", "InvalidValue"))
    problems += [unknown_field("", key, _FIELDS) for key in document if isinstance(key, str) and key not in _FIELDS]
    if "spec" not in document:
        problems.append(Problem("spec", "found none, expected an object", "Required"))
    return problems + _check_name(document.get("metadata"))


def _check_name(metadata: object) -> list[Problem]:
    if not isinstance(metadata, Mapping):
        return [Problem("metadata", f"found {render_found(metadata)}, expected an object with a name", "InvalidValue")]
    name = metadata.get("name")
    if isinstance(name, str) and len(name) <= 253 and re.match(model.DNS_SUBDOMAIN.replace("$", r"\Z"), name):
        return []
    expected = f"{PATTERNS[model.DNS_SUBDOMAIN]}, at most 253 characters"
    return [Problem("metadata.name", f"found {render_found(name)}, expected {expected}", "InvalidValue")]


def check_model(kind: type[M], value: object, *, base: str) -> tuple[M | None, list[Problem]]:
    """Make a `kind` of `value`, or return every problem with it under the path `base`."""
    try:
        return kind.model_validate(value), []
    except ValidationError as error:
        return None, list(_translate(kind, error, base))


def unknown_field(path: str, name: str, known: Iterable[str]) -> Problem:
    """Return the problem of a field that does not exist, naming the one that was probably meant."""
    known = tuple(sorted(known))
    near = _nearest_field(name, known)
    hint = f"did you mean {near}?" if near is not None else f"expected one of {', '.join(known)}"
    return Problem(path_to(path, [name]), f"unknown field {render_found(name)}: {hint}", UNKNOWN_FIELD)


@lru_cache(maxsize=1_024)
def _nearest_field(name: str, known: tuple[str, ...]) -> str | None:
    return nearest(name, known)


def _translate(kind: type[BaseModel], error: ValidationError, base: str) -> Iterable[Problem]:
    for part in error.errors(include_url=False):
        if (problem := _problem(kind, part, base)) is not None:
            yield problem


def _problem(kind: type[BaseModel], part: ErrorDetails, base: str) -> Problem | None:
    """Return one problem in our words; None where another problem already says it."""
    where, found, context = part["loc"], part["input"], part.get("ctx", {})
    if part["type"] == "invalid_key" or (where and where[-1] == "[key]" and not isinstance(found, str)):
        return None  # the check of the document as JSON has named it
    if part["type"] == "too_short" and found:
        return None  # its items are wrong, and named each
    path = path_to(base, (key for key in where if key != "[key]"))
    match part["type"]:
        case "extra_forbidden":
            owner = model_at(kind, where[:-1])
            known = (field.alias or name for name, field in owner.model_fields.items()) if owner is not None else ()
            return unknown_field(path_to(base, where[:-1]), str(where[-1]), known)
        case "missing":
            return Problem(path, "found none, expected a value: the field is required", "Required")
        case "string_pattern_mismatch":
            expected = PATTERNS.get(context["pattern"], f"text that matches {context['pattern']}")
            return Problem(path, f"found {render_found(found)}, expected {expected}", "InvalidValue")
        case "string_too_long":
            size = f"found {len(str(found))} characters, expected at most {context['max_length']}"
            return Problem(path, f"{size}: {render_found(found)}", "TooLong")
        case "string_too_short":
            return Problem(path, "found empty text, expected at least one character", "InvalidValue")
        case "too_long":
            size = f"found {_length(found, context)}, expected at most {context['max_length']}"
            return Problem(path, size, "TooMany")
        case "too_short":
            return Problem(path, f"found none, expected at least {context['min_length']}", "Required")
        case "enum" | "literal_error":
            expected = f"one of {context['expected']}"
            return Problem(
                path, f"found {render_found(found)}, expected {expected}{_near(found, context)}", "InvalidValue"
            )
        case "greater_than_equal":
            return Problem(path, f"found {render_found(found)}, expected at least {context['ge']}", "InvalidValue")
        case "less_than_equal":
            return Problem(path, f"found {render_found(found)}, expected at most {context['le']}", "InvalidValue")
        case reason if reason in TYPES:
            expected = expected_at(kind, where, reason, found)
            return Problem(path, f"found {render_found(found)}, expected {expected}", "InvalidValue")
        case reason if reason[0].isupper():  # one of ours
            return Problem(path, part["msg"], reason)
        case _:
            return Problem(path, f"found {render_found(found)}: {part['msg']}", "InvalidValue")


def _length(found: object, context: Mapping[str, Any]) -> object:
    return len(found) if isinstance(found, list | tuple | dict) else context.get("actual_length")


def _near(found: object, context: Mapping[str, Any]) -> str:
    near = nearest(found, re.findall(r"'([^']*)'", context["expected"])) if isinstance(found, str) else None
    return f": did you mean {near}?" if near is not None else ""
