"""Rules inside one step that no single model sees.

In: a sound `Step`. Out: problems and warnings. Never here: other steps but those inside it.
"""

from collections.abc import Iterable, Iterator, Sequence

from reactor_operator.api.action_rules import action_problems
from reactor_operator.api.actions import ActionSpec, EnvVar
from reactor_operator.api.body_rules import MAX_DEPTH, body_problems
from reactor_operator.api.effective import reference_variable, referenced_arguments
from reactor_operator.api.graph import bodies_of, request_sources
from reactor_operator.api.problems import Problem, nearest, path_to
from reactor_operator.api.reactor import Step
from reactor_operator.api.source_rules import expression_problems, source_problems
from reactor_operator.api.sources import Source
from reactor_operator.engine.failures import RETRYABLE_KINDS, RULES, FailureKind
from reactor_operator.engine.identity import Action

_RETRYABLE = ", ".join(kind.value for kind in RETRYABLE_KINDS)
RESERVED_ARGUMENTS = frozenset({"context", "result", "failure"})


def step_problems(step: Step, path: str, depth: int = 0) -> Iterator[Problem]:
    """Yield what is wrong with the step at `path`, its shape being right, and with those inside it."""
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
            yield from action_problems(spec, action, f"{path}.{action.value}")
            yield from _own_environment(step, spec, f"{path}.{action.value}")
    yield from body_problems(step, path, depth)
    for keys, body in bodies_of(step):
        field = path_to(path, keys)
        if body.run is not None:
            yield from action_problems(body.run, Action.RUN, f"{field}.run")
            yield from _own_environment(step, body.run, f"{field}.run")
        for place, inner in enumerate(body.steps or () if depth < MAX_DEPTH else ()):
            yield from step_problems(inner, f"{field}.steps[{place}]", depth + 1)


def steps_inside(step: Step) -> Iterator[Step]:
    """Yield a step and all that are written inside it."""
    yield step
    for _, body in bodies_of(step):
        for inner in body.steps or ():
            yield from steps_inside(inner)


def step_warnings(step: Step, path: str) -> Iterator[Problem]:
    """Yield what is legal and probably not meant, also in the steps inside."""
    for keys, body in bodies_of(step):
        for place, inner in enumerate(body.steps or ()):
            yield from step_warnings(inner, f"{path_to(path, keys)}.steps[{place}]")
    if step.undo is not None and step.compensate is None:
        message = (
            "undo without compensate: if this step fails and may have acted (a timeout, a lost pod), undo runs with a"
            " null result; say in compensate how to clean up"
        )
        yield Problem(path, message, "NoCompensate")
    for name, source in step.arguments.items():
        yield from _nulls(source, f"{path}.arguments.{name}")
    for keys, source in request_sources(step):
        yield from _nulls(source, path_to(path, keys))
    yield from _never_retried(step.retry_on, path)
    for action, cleanup in (("compensate", step.compensate), ("undo", step.undo)):
        if cleanup is not None:
            yield from _never_retried(cleanup.retry_on, f"{path}.{action}")


def _never_retried(listed: Sequence[FailureKind] | None, path: str) -> Iterator[Problem]:
    for place, kind in enumerate(listed or ()):
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


def environment_problems(step: Step, env: Sequence[EnvVar], path: str) -> Iterator[Problem]:
    """Yield the arguments that `env` (of the step or its container) names and the step does not have."""
    for place, variable in enumerate(env):
        if variable.argument is not None and variable.argument not in step.arguments:
            yield _unknown_argument(step, variable.argument, f"{path}[{place}].argument")


def _own_environment(step: Step, spec: ActionSpec, path: str) -> Iterator[Problem]:
    """Yield the problems of the `env` that the container of an action has itself."""
    if spec.container is not None and spec.container.env is not None:
        yield from environment_problems(step, spec.container.env, f"{path}.container.env")


def default_environment_problems(env: Sequence[EnvVar], steps: Iterable[Step], path: str) -> Iterator[Problem]:
    """Yield the arguments that `env` of the defaults names and a step that takes it does not have: each argument once.

    Linear: an argument is looked for in one step after the other until one lacks it.
    """
    wanted = {variable.argument for variable in env if variable.argument is not None}
    lacking: dict[str, Step] = {}
    for step in (inner for outer in steps for inner in steps_inside(outer)):
        if wanted and _takes_defaults(step):
            missing = wanted - step.arguments.keys()
            lacking |= dict.fromkeys(missing, step)
            wanted -= missing
    for place, variable in enumerate(env):
        if variable.argument in lacking:
            yield _unknown_argument(lacking[variable.argument], variable.argument, f"{path}[{place}].argument")


def _takes_defaults(step: Step) -> bool:
    """Return whether a task of the step gets its `env` from the defaults."""
    if step.env is not None:
        return False
    actions = [*(step.action(action) for action in Action), *(body.run for _, body in bodies_of(step))]
    return any(one is not None and (one.container is None or one.container.env is None) for one in actions)


def _unknown_argument(step: Step, argument: str, path: str) -> Problem:
    near = nearest(argument, step.arguments)
    hint = f"did you mean {near}?" if near is not None else f"add it to the arguments of step {step.name}"
    return Problem(path, f"unknown argument {argument} of step {step.name}: {hint}", "UnknownReference")
