"""Rules inside one step that no single model sees.

In: a sound `Step`. Out: problems and warnings. Never here: other steps but those inside it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from reactor_operator.api.action_rules import action_problems
from reactor_operator.api.actions import ActionSpec, EnvVar
from reactor_operator.api.body_rules import MAX_DEPTH, body_problems
from reactor_operator.api.effective import reference_variable
from reactor_operator.api.expressions import COLLECTED
from reactor_operator.api.graph import bodies_of, map_tasks, request_sources, sources_of_map
from reactor_operator.api.interrupts import interrupt_problems
from reactor_operator.api.map_rules import NOWHERE, Inside, bounds_problems
from reactor_operator.api.maps import CURSOR, LIMIT, RESULTS, Map, MapTask
from reactor_operator.api.problems import Problem, nearest, path_to
from reactor_operator.api.reactor import Step
from reactor_operator.api.source_rules import expression_problems, source_problems
from reactor_operator.api.sources import Source
from reactor_operator.engine.failures import RETRYABLE_KINDS, RULES, FailureKind
from reactor_operator.engine.identity import Action

_RETRYABLE = ", ".join(kind.value for kind in RETRYABLE_KINDS)
RESERVED_ARGUMENTS = frozenset({"context", "result", "failure"})


def step_problems(step: Step, path: str, depth: int = 0, inside: Inside = NOWHERE) -> Iterator[Problem]:
    """Yield what is wrong with the step at `path`, its shape being right, and with those inside it.

    `inside`: the maps around it.
    """
    within = inside.of(step)
    yield from _arguments(step.arguments, f"{path}.arguments", within)
    if step.when is not None:
        yield from expression_problems(step.when, f"{path}.when", beside=inside.variables)
    if step.env is not None:
        yield from environment_problems(step.name, step.arguments, step.env, f"{path}.env")
    for action in Action:
        spec = step.action(action)
        if spec is not None:
            yield from action_problems(spec, action, f"{path}.{action.value}", within)
            yield from _own_environment(step, spec, f"{path}.{action.value}")
    yield from body_problems(step, path, depth, within)
    if step.map is not None:
        yield from _map_problems(step, step.map, f"{path}.map", inside)
    if step.interrupt is not None:
        yield from interrupt_problems(step, step.interrupt, path)
        if step.interrupt.correlation_id is not None:
            where = f"{path}.interrupt.correlationId"
            yield from expression_problems(
                step.interrupt.correlation_id, where, arguments=True, beside=within.variables
            )
    for keys, body in bodies_of(step):
        field = path_to(path, keys)
        if body.run is not None:
            yield from action_problems(body.run, Action.RUN, f"{field}.run", within)
            yield from _own_environment(step, body.run, f"{field}.run")
        for place, inner in enumerate(body.steps or () if depth < MAX_DEPTH else ()):
            yield from step_problems(inner, f"{field}.steps[{place}]", depth + 1, within)


def _arguments(arguments: Mapping[str, Source], path: str, inside: Inside) -> Iterator[Problem]:
    for name, source in arguments.items():
        if name in RESERVED_ARGUMENTS:
            message = f"found the argument {name}, expected another name: handlers get their own {name} by it"
            yield Problem(f"{path}.{name}", message, "ReservedName")
        yield from source_problems(source, f"{path}.{name}", inside=inside)
    yield from _references(arguments, path)


def _map_problems(step: Step, mapped: Map, path: str, inside: Inside) -> Iterator[Problem]:
    """What is wrong with a map beside its body. What it does itself does not see its elements."""
    yield from bounds_problems(step, mapped, path)
    if mapped.source is not None:
        yield from source_problems(mapped.source, f"{path}.source", inside=inside)
    if mapped.pages is not None:
        written = mapped.pages.arguments
        yield from _arguments(written, f"{path}.pages.arguments", inside)
        for name in (CURSOR, LIMIT):
            if name in written:
                message = f"found the argument {name}, expected another name: each page is called with its own {name}"
                yield Problem(f"{path}.pages.arguments.{name}", message, "ReservedName")
        known = {**written, CURSOR: None, LIMIT: None}
        yield from _own_task(step, mapped.pages.run, known, f"{path}.pages.run", inside)
    if mapped.collect is not None and mapped.collect.expr is not None:
        read = (*COLLECTED, *inside.variables)
        yield from expression_problems(mapped.collect.expr, f"{path}.collect.expr", beside=read)
    if mapped.collect is not None and mapped.collect.run is not None:
        yield from _own_task(step, mapped.collect.run, {RESULTS: None}, f"{path}.collect.run", inside)


def _own_task(
    step: Step, task: MapTask, arguments: Mapping[str, object], path: str, inside: Inside
) -> Iterator[Problem]:
    yield from action_problems(task, Action.RUN, path, inside)
    if task.container is not None and task.container.env is not None:
        yield from environment_problems(step.name, arguments, task.container.env, f"{path}.container.env")


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
    if step.map is not None:
        yield from _map_warnings(step.map, path)
    yield from _never_retried(step.retry_on, path)
    for action, cleanup in (("compensate", step.compensate), ("undo", step.undo)):
        if cleanup is not None:
            yield from _never_retried(cleanup.retry_on, f"{path}.{action}")


def _map_warnings(mapped: Map, path: str) -> Iterator[Problem]:
    for keys, source in sources_of_map(mapped):
        yield from _nulls(source, path_to(path, keys))
    for keys, task in map_tasks(mapped):
        yield from _never_retried(task.retry_on, path_to(path, keys))


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


def _references(arguments: Mapping[str, Source], path: str) -> Iterator[Problem]:
    """Two arguments from Secrets may not share a variable."""
    taken: dict[str, str] = {}
    for name in (name for name, source in arguments.items() if source.by_reference):
        other = taken.setdefault(reference_variable(name), name)
        if other != name:
            message = f"found {name} beside {other}: both would be ${reference_variable(name)}; rename one"
            yield Problem(f"{path}.{name}", message, "DuplicateName")


def environment_problems(
    step: str, arguments: Mapping[str, object], env: Sequence[EnvVar], path: str
) -> Iterator[Problem]:
    """Yield the arguments that `env` (of a step or its container) names and a task of the step does not have."""
    for place, variable in enumerate(env):
        if variable.argument is not None and variable.argument not in arguments:
            yield _unknown_argument(step, arguments, variable.argument, f"{path}[{place}].argument")


def _own_environment(step: Step, spec: ActionSpec, path: str) -> Iterator[Problem]:
    """Yield the problems of the `env` that the container of an action has itself."""
    if spec.container is not None and spec.container.env is not None:
        yield from environment_problems(step.name, step.arguments, spec.container.env, f"{path}.container.env")


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
            step = lacking[variable.argument]
            yield _unknown_argument(step.name, step.arguments, variable.argument, f"{path}[{place}].argument")


def _takes_defaults(step: Step) -> bool:
    """Return whether a task of the step gets its `env` from the defaults."""
    if step.env is not None:
        return False
    actions = [*(step.action(action) for action in Action), *(body.run for _, body in bodies_of(step))]
    return any(one is not None and (one.container is None or one.container.env is None) for one in actions)


def _unknown_argument(step: str, arguments: Mapping[str, object], argument: str, path: str) -> Problem:
    near = nearest(argument, arguments)
    hint = f"did you mean {near}?" if near is not None else f"add it to the arguments of step {step}"
    return Problem(path, f"unknown argument {argument} of step {step}: {hint}", "UnknownReference")
