"""The steps that a map is made of: itself, one for each element, and the tasks that fetch pages and collect results.

In: a step with a map. Out: steps, as if each were written by itself. Never here: where they are (see `blueprint`).
"""

from collections.abc import Collection, Mapping

from reactor_operator.api.actions import EnvVars
from reactor_operator.api.bodies import Body
from reactor_operator.api.maps import CURSOR, LIMIT, RESULTS, Map, MapTask
from reactor_operator.api.model import Boolean
from reactor_operator.api.reactor import Defaults, Step
from reactor_operator.api.sources import Source

_OF_ELEMENTS = ("arguments", "retries", "retry_on", "timeout", "compensate", "undo")
"""What a step with a map says of its elements."""
_OF_THE_MAP = ("when", "wait_for", "on_error")


def map_itself(step: Step) -> Step:
    """Return what is left of a step with a map when its elements are taken away: `when`, `onError` and the map."""
    return step.model_copy(update={name: _unset(name) for name in _OF_ELEMENTS})


def step_of_body(step: Step, body: Body) -> Step:
    """Return a step that does what a body of `step` says, under the policies of `step`.

    It waits for nothing, unless the body is that of a compose, which is the step itself.
    """
    inside = body if body.run is None and body.transform is None else None
    update: dict[str, object] = {"run": body.run, "transform": body.transform, "compose": inside}
    if step.compose is None:
        update |= {"switch": None, "map": None, "when": None, "wait_for": ()}
    if step.map is not None:
        update["on_error"] = None
    return step.model_copy(update=update)


def page_step(step: Step, mapped: Map, defaults: Defaults) -> Step:
    """Return the step that fetches a page. Its arguments are those that are written; cursor and limit come beside."""
    pages = mapped.pages
    assert pages is not None
    known = {*pages.arguments, CURSOR, LIMIT}
    return _own_task(step, pages.run, pages.arguments, _env(step, defaults, known), pages.sensitive)


def collect_step(step: Step, mapped: Map, defaults: Defaults) -> Step:
    """Return the step that makes one result of the results of a map, which are its only argument."""
    assert mapped.collect is not None
    assert mapped.collect.run is not None
    arguments = {RESULTS: Source.model_validate({"result": step.name})}
    return _own_task(step, mapped.collect.run, arguments, _env(step, defaults, arguments), step.sensitive)


def _own_task(
    step: Step, task: MapTask, arguments: Mapping[str, Source], env: EnvVars | None, sensitive: Boolean | None
) -> Step:
    """Return a step that is a task of the map itself: it has the settings of the step, and policies of its own."""
    update: dict[str, object] = {name: _unset(name) for name in (*_OF_ELEMENTS, *_OF_THE_MAP)}
    update |= {
        "map": None,
        "run": task,
        "arguments": dict(arguments),
        "retries": task.retries,
        "retry_on": task.retry_on,
        "timeout": task.timeout,
        "env": env,
        "sensitive": sensitive,
    }
    return step.model_copy(update=update)


def _env(step: Step, defaults: Defaults, known: Collection[str]) -> EnvVars | None:
    """Return the `env` of a task of the map itself: what passes an argument of elements is left out."""
    env = step.env if step.env is not None else defaults.env
    kept = tuple(one for one in env or () if one.argument is None or one.argument in known)
    return step.env if env is None or len(kept) == len(env) else kept


def _unset(name: str) -> object:
    return Step.model_fields[name].get_default(call_default_factory=True)
