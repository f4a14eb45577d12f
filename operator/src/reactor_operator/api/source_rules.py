"""Rules of sources and expressions: paths that can be read, CEL that can be compiled and tells what it reads.

In: a sound `Source` or an expression. Out: problems. Never here: whether the steps it names exist (see `graph`).
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from reactor_operator.api.expressions import expression_references
from reactor_operator.api.library import load_cel
from reactor_operator.api.map_rules import NOWHERE, Inside, element_problems
from reactor_operator.api.paths import parse_path
from reactor_operator.api.problems import Problem
from reactor_operator.api.sources import Source

_SAID = 200
_SYNTAX_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


def source_problems(
    source: Source, path: str, *, arguments: bool = False, beside: tuple[str, ...] = (), inside: Inside = NOWHERE
) -> Iterator[Problem]:
    """Yield what is wrong with the source at `path`, its shape being right.

    `arguments`: it may read `args`; `beside` names what else; `inside`: the maps whose elements it may read.
    """
    for name, written in (("input", source.input), ("path", source.path)):
        if written is not None and (fault := path_fault(written)) is not None:
            yield Problem(f"{path}.{name}", fault, "InvalidPath")
    if source.expr is not None:
        read = (*beside, *inside.variables)
        yield from expression_problems(source.expr, f"{path}.expr", arguments=arguments, beside=read)
    if source.element is not None or source.index is not None:
        yield from element_problems(source, path, inside)
    if source.sensitive and source.has_value:
        message = "found it beside value, which anyone may read in the Reactor: take an input, or a secretKeyRef"
        yield Problem(f"{path}.sensitive", message, "InvalidValue")
    if source.by_reference:
        yield from _parts_of_references(source, path)


def _parts_of_references(source: Source, path: str) -> Iterator[Problem]:
    form = "secretKeyRef" if source.secret_key_ref is not None else "configMapKeyRef"
    for name in ("path", "default"):
        if name in source.model_fields_set:
            message = f"found it beside {form}, whose text is never read by the operator: take the whole key"
            yield Problem(f"{path}.{name}", message, "InvalidValue")


def returns_problems(source: Source, path: str) -> Iterator[Problem]:
    """Yield what is wrong with the source of the result of a run."""
    yield from source_problems(source, path)
    if source.by_reference:
        message = "found a key of a Secret or ConfigMap, expected another source: a result is stored and shown"
        yield Problem(path, message, "InvalidValue")


def expression_problems(
    expression: str, path: str, *, arguments: bool = False, beside: tuple[str, ...] = ()
) -> Iterator[Problem]:
    """Yield what is wrong with a CEL expression: its syntax, or else what it reads.

    `arguments`: it may read `args`; `beside` names what else.
    """
    if (fault := _syntax_fault(expression)) is not None:
        yield Problem(path, f"not a CEL expression: {fault}", "InvalidExpression")
        return
    for message in expression_references(expression, arguments=arguments, beside=beside).problems:
        yield Problem(path, message, "InvalidExpression")


@lru_cache(maxsize=4_096)
def path_fault(path: str) -> str | None:
    """Return why `path` cannot be read, None where it can."""
    try:
        parse_path(path)
    except ValueError as error:
        return str(error)
    return None


@lru_cache(maxsize=32_768)
def _syntax_fault(expression: str) -> str | None:
    """Return what the parser says, None where it is content. It bounds its depth, and the models the length."""
    try:
        load_cel().compile(expression)
    except ValueError as error:
        if "Recursion limit" in str(error):
            return "it is nested too deeply"
        found = _SYNTAX_ERROR.search(str(error))
        if found is None:
            return _short(str(error).splitlines()[0])
        line, column, said = found.groups()
        return f"{_short(said.partition(' expecting {')[0])} at line {line}, character {column}"
    return None


def _short(said: str) -> str:
    """Return what the parser says in one printable line; it quotes what it could not read, however much that is."""
    shown = said if len(said) <= _SAID else f"{said[: _SAID - 1]}…"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
