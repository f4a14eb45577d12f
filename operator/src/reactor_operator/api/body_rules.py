"""Rules of steps that have no task of their own: which policies they can have, and what a body may hold.

In: a sound `Step`. Out: problems. Never here: the steps inside (they are steps, see `steps`), names (see `graph`).
"""

from collections.abc import Iterator

from reactor_operator.api.bodies import Body
from reactor_operator.api.graph import bodies_of
from reactor_operator.api.map_rules import NOWHERE, Inside
from reactor_operator.api.maps import Map
from reactor_operator.api.problems import Problem, path_to
from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.api.source_rules import expression_problems, source_problems
from reactor_operator.api.sources import Source

MAX_DEPTH = 5
_TASK_POLICIES = (("undo", "undo"), ("compensate", "compensate"), ("retries", "retries"), ("timeout", "timeout"))


def body_problems(step: Step, path: str, depth: int, inside: Inside = NOWHERE) -> Iterator[Problem]:
    """Yield what is wrong with the step at `path`, which is `depth` bodies deep, as far as it has bodies.

    `inside`: the maps whose elements are seen in them.
    """
    if step.transform is not None:
        yield from _value_problems(step.transform, f"{path}.transform", inside)
        yield from _no_task(step, path)
    for keys, body in bodies_of(step):
        yield from _body(body, path_to(path, keys), depth, inside)
    if step.compose is not None and _has_steps(step.compose):
        yield from _compose_policies(step, path)
    if step.map is not None:
        yield from _map_policies(step, step.map, path)
    for place, case in enumerate(step.switch.cases if step.switch is not None else ()):
        where = f"{path}.switch.cases[{place}].when"
        yield from expression_problems(case.when, where, arguments=True, beside=inside.variables)
    if step.switch is not None and any(_has_steps(body) for _, body in bodies_of(step)):
        yield from _switch_policies(step, path)


def _no_task(step: Step, path: str) -> Iterator[Problem]:
    for name, field in _TASK_POLICIES:
        if getattr(step, field) is not None:
            message = "found it beside transform, expected it beside run: a value is never launched"
            yield Problem(f"{path}.{name}", message, "InvalidValue")


def _compose_policies(step: Step, path: str) -> Iterator[Problem]:
    if step.undo is not None:
        message = "found it beside compose, expected it on the steps inside: each is undone by itself"
        yield Problem(f"{path}.undo", message, "InvalidValue")
    if step.timeout is not None:
        message = "found it beside compose, expected it on the steps inside, or spec.timeout for the whole run"
        yield Problem(f"{path}.timeout", message, "InvalidValue")


def _map_policies(step: Step, mapped: Map, path: str) -> Iterator[Problem]:
    """What the elements of a map cannot have: a value nothing of a task, one with steps inside no undo of its own."""
    if mapped.transform is not None:
        yield from _no_task(step, path)
    if not _has_steps(mapped):
        return
    beside = "found it beside a map with steps inside, expected it on those steps"
    if step.undo is not None:
        yield Problem(f"{path}.undo", f"{beside}: each is undone by itself", "InvalidValue")
    if step.timeout is not None:
        yield Problem(f"{path}.timeout", f"{beside}, or map.timeout for the whole map", "InvalidValue")


def _switch_policies(step: Step, path: str) -> Iterator[Problem]:
    """What a switch with steps inside cannot have. A case that is one task can be a step there, with a policy."""
    beside = "found it beside a switch with steps inside, expected it on those steps"
    if step.undo is not None:
        yield Problem(f"{path}.undo", f"{beside}: each is undone by itself", "InvalidValue")
    if step.timeout is not None:
        yield Problem(f"{path}.timeout", f"{beside}, or spec.timeout for the whole run", "InvalidValue")


def _body(body: Body, path: str, depth: int, inside: Inside) -> Iterator[Problem]:
    if body.returns is not None:
        if body.steps is None:
            yield Problem(f"{path}.returns", "found it without steps, expected it beside steps", "InvalidValue")
        yield from _value_problems(body.returns, f"{path}.returns", inside)
    if body.inputs is not None and body.reactor_ref is None:
        yield Problem(f"{path}.inputs", "found it without reactorRef, expected it beside reactorRef", "InvalidValue")
    for name, source in (body.inputs or {}).items():
        yield from _value_problems(source, path_to(path, ["inputs", name]), inside)
    if body.transform is not None:
        yield from _value_problems(body.transform, f"{path}.transform", inside)
    if body.steps is not None and depth >= MAX_DEPTH:
        message = f"found steps nested {depth + 1} deep, expected at most {MAX_DEPTH}: put them into another Reactor"
        yield Problem(f"{path}.steps", message, "TooDeep")


def _value_problems(source: Source, path: str, inside: Inside) -> Iterator[Problem]:
    """A value that is read here, stored and shown: a Secret is none."""
    yield from source_problems(source, path, arguments=not path.endswith(".returns"), inside=inside)
    if source.by_reference:
        message = "found a key of a Secret or ConfigMap, expected another source: this value is stored and shown"
        yield Problem(path, message, "InvalidValue")


def _has_steps(body: Body) -> bool:
    return body.steps is not None or body.reactor_ref is not None


def final_problems(step: Step, path: str) -> Iterator[Problem]:
    """Yield what a step cannot be or have that runs at every end of a run."""
    for name in ("map", "compose", "switch", "interrupt"):
        if getattr(step, name) is not None:
            yield Problem(f"{path}.{name}", "found it in finally, expected run or transform", "InvalidValue")
    message = "found it in finally, expected none: such a step is never reversed, and its failure changes nothing"
    for name, field in (("undo", "undo"), ("compensate", "compensate"), ("onError", "on_error")):
        if getattr(step, field) is not None:
            yield Problem(f"{path}.{name}", message, "InvalidValue")


def unbounded_finals(spec: ReactorSpec) -> Iterator[Problem]:
    """Yield the finally steps that nothing would end but a person who cancels them.

    A request has a limit of its own where none is written.
    """
    for place, step in enumerate(spec.finally_):
        waits = step.run is not None and step.run.http is None
        if waits and step.timeout is None and spec.defaults.timeout is None:
            message = "no timeout: while it runs only a cancel ends its run; say how long it may take"
            yield Problem(f"spec.finally[{place}]", message, "NoTimeout")
