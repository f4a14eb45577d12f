"""Rules inside one action that no single model sees: what exit codes may mean where, and whether a script is one.

In: a sound `ActionSpec` and what it does for its step. Out: problems. Never here: its arguments (see `steps`).
"""

import ast
import warnings
from collections.abc import Iterator
from functools import lru_cache

from reactor_operator.api.actions import ActionSpec, ExitCodes
from reactor_operator.api.http_rules import http_problems
from reactor_operator.api.map_rules import NOWHERE, Inside
from reactor_operator.api.problems import Problem
from reactor_operator.engine.identity import Action

_ELSEWHERE = {
    "continue": (frozenset({Action.RUN, Action.UNDO}), "compensate"),
    "halt": (frozenset({Action.COMPENSATE, Action.UNDO}), "run"),
}
"""Meanings that an action cannot have, and the one that can."""


def action_problems(spec: ActionSpec, action: Action, path: str, inside: Inside = NOWHERE) -> Iterator[Problem]:
    """Yield what is wrong with the action at `path`, its shape being right."""
    if spec.exit_codes is not None:
        if spec.container is None:
            other = "python, expected it beside container: a handler raises instead"
            if spec.http is not None:
                other = "http, expected it beside container: see successCodes"
            message = f"found it beside {other}"
            yield Problem(f"{path}.exitCodes", message, "InvalidValue")
        yield from _exit_codes(spec.exit_codes, action, f"{path}.exitCodes")
    if spec.python is not None and spec.python.source is not None:
        fault = _script_fault(spec.python.source)
        if fault is not None:
            yield Problem(f"{path}.python.source", fault, "InvalidSource")
    if spec.http is not None:
        yield from http_problems(spec.http, action, f"{path}.http", inside)


def _exit_codes(codes: ExitCodes, action: Action, path: str) -> Iterator[Problem]:
    """Yield meanings that say nothing in this action, and codes that have two."""
    listed = {"fatal": codes.fatal, "skip": codes.skip, "halt": codes.halt, "continue": codes.continue_}
    for meaning, (forbidden, allowed) in _ELSEWHERE.items():
        if listed[meaning] and action in forbidden:
            message = f"found it in {action.value}, expected it in {allowed} only"
            yield Problem(f"{path}.{meaning}", message, "InvalidValue")
    seen: dict[int, str] = {}
    for meaning, of_meaning in listed.items():
        for place, code in enumerate(of_meaning):
            other = seen.setdefault(code, meaning)
            if other != meaning:
                message = f"found exit code {code}, which is in {other} too: expected one meaning for each code"
                yield Problem(f"{path}.{meaning}[{place}]", message, "InvalidValue")


@lru_cache(maxsize=256)
def _script_fault(source: str) -> str | None:
    """Return why `source` cannot be an inline script; None where its `main` can be called."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are for the author's own Python, which says them when it runs
            tree = ast.parse(source)
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno is not None else ""
        return f"not Python: {error.msg}{where}"
    except (RecursionError, MemoryError):
        return "not Python that can be read: it is nested too deeply"
    except ValueError as error:
        return f"not Python: {error}"
    return None if _binds_main(tree.body) else "found no function main, expected one: def main(…)"


def _binds_main(body: list[ast.stmt]) -> bool:
    """Return whether the statements of a script, or of its branches, give the name `main` a meaning.

    A star import may: nobody can tell without the module.
    """
    waiting: list[ast.stmt] = list(body)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef(name="main") | ast.AsyncFunctionDef(name="main") | ast.ClassDef(name="main"):
                return True
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                if any((alias.asname or alias.name) in ("main", "*") for alias in names):
                    return True
            case ast.Assign() | ast.AnnAssign():
                if any(_is_main(target) for target in _targets(node)):
                    return True
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                waiting += _branches(node)
            case _:
                pass
    return False


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    if isinstance(node, ast.AnnAssign):
        return [node.target] if node.value is not None else []
    return [part for target in node.targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]


def _is_main(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "main"


def _branches(node: ast.If | ast.Try | ast.With | ast.For | ast.While) -> list[ast.stmt]:
    handlers = [one for handler in getattr(node, "handlers", []) for one in handler.body]
    return [*node.body, *getattr(node, "orelse", []), *handlers, *getattr(node, "finalbody", [])]
