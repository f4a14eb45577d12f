"""Rules inside one step that no single model sees.

In: a sound `Step`. Out: problems and warnings. Never here: other steps.
"""

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache

from reactor_operator.api.actions import ActionSpec, EnvVar
from reactor_operator.api.effective import reference_variable, referenced_arguments
from reactor_operator.api.problems import Problem, nearest
from reactor_operator.api.reactor import Step
from reactor_operator.api.source_rules import expression_problems, source_problems
from reactor_operator.api.sources import Source
from reactor_operator.engine.failures import RETRYABLE_KINDS, RULES
from reactor_operator.engine.identity import Action

_RETRYABLE = ", ".join(kind.value for kind in RETRYABLE_KINDS)
RESERVED_ARGUMENTS = frozenset({"context", "result", "failure"})


def step_problems(step: Step, path: str) -> Iterator[Problem]:
    """Yield what is wrong with the step at `path`, its shape being right."""
    for name in step.arguments:
        if name in RESERVED_ARGUMENTS:
            message = f"found the argument {name}, expected another name: handlers get their own {name} by it"
            yield Problem(f"{path}.arguments.{name}", message, "ReservedName")
        yield from source_problems(step.arguments[name], f"{path}.arguments.{name}")
    if step.when is not None:
        yield from expression_problems(step.when, f"{path}.when")
    yield from _references(step, path)
    if step.env is not None:
        yield from environment_problems(step, step.env, f"{path}.env")
    for action in Action:
        spec = step.action(action)
        if spec is not None:
            yield from _action(step, spec, f"{path}.{action.value}")


def step_warnings(step: Step, path: str) -> Iterator[Problem]:
    """Yield what is legal and probably not meant."""
    if step.undo is not None and step.compensate is None:
        message = (
            "undo without compensate: if this step fails and may have acted (a timeout, a lost pod), undo runs with a"
            " null result; say in compensate how to clean up"
        )
        yield Problem(path, message, "NoCompensate")
    for name, source in step.arguments.items():
        yield from _nulls(source, f"{path}.arguments.{name}")
    for place, kind in enumerate(step.retry_on or ()):
        if not RULES[kind].retryable:
            message = f"{kind.value} is never retried, so listing it changes nothing; these are: {_RETRYABLE}"
            yield Problem(f"{path}.retryOn[{place}]", message, "NeverRetried")


def _nulls(source: Source, path: str) -> Iterator[Problem]:
    """`kubectl apply` drops nulls from what it sends, so a null that means something does not reach a cluster."""
    advice = 'apply it with --server-side, or say it as an expression: {expr: "null"}'
    if source.has_value and source.value is None:
        yield Problem(f"{path}.value", f"null, which kubectl apply drops: {advice}", "NullDropped")
    if source.has_default and source.default is None:
        yield Problem(f"{path}.default", "null, which kubectl apply drops: apply it with --server-side", "NullDropped")


def _references(step: Step, path: str) -> Iterator[Problem]:
    """Two arguments from Secrets may not share a variable."""
    taken: dict[str, str] = {}
    for name in referenced_arguments(step):
        other = taken.setdefault(reference_variable(name), name)
        if other != name:
            message = f"found {name} beside {other}: both would be ${reference_variable(name)}; rename one"
            yield Problem(f"{path}.arguments.{name}", message, "DuplicateName")


def _action(step: Step, action: ActionSpec, path: str) -> Iterator[Problem]:
    if action.python is not None and action.python.source is not None:
        fault = _script_fault(action.python.source)
        if fault is not None:
            yield Problem(f"{path}.python.source", fault, "InvalidSource")
    if action.container is not None and action.container.env is not None:
        yield from environment_problems(step, action.container.env, f"{path}.container.env")


@lru_cache(maxsize=256)
def _script_fault(source: str) -> str | None:
    """Return why `source` cannot be an inline script; None where its `main` can be called."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return f"not Python: {error.msg} in line {error.lineno}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"not Python: {error or type(error).__name__}"
    return None if any(_binds_main(node) for node in tree.body) else "found no function main, expected one: def main(…)"


def _binds_main(node: ast.stmt) -> bool:
    """Return whether a statement of a script gives the name `main` a meaning."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name == "main"
        case ast.Assign(targets=targets):
            return any(isinstance(target, ast.Name) and target.id == "main" for target in targets)
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return any((alias.asname or alias.name) == "main" for alias in names)
        case _:
            return False


def environment_problems(step: Step, env: Sequence[EnvVar], path: str) -> Iterator[Problem]:
    """Yield the arguments that `env` (of the step, its container, or the defaults) names and the step does not have."""
    for place, variable in enumerate(env):
        if variable.argument is not None and variable.argument not in step.arguments:
            near = nearest(variable.argument, step.arguments)
            hint = f"did you mean {near}?" if near is not None else f"add it to the arguments of step {step.name}"
            message = f"unknown argument {variable.argument} of step {step.name}: {hint}"
            yield Problem(f"{path}[{place}].argument", message, "UnknownReference")
