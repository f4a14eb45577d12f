"""Rules of placements: a pool has a name, and takes no containers.

In: the defaults of a reactor and its steps. Out: problems and warnings. Never here: whether the pool exists, and what
of a pool is settled when a task is launched (Secrets that it does not declare).
"""

from collections.abc import Iterator

from reactor_operator.api.graph import actions_of, bodies_of
from reactor_operator.api.problems import Problem, path_to
from reactor_operator.api.reactor import Defaults, Placement, Step


def placement_problems(step: Step, defaults: Defaults, path: str) -> Iterator[Problem]:
    """Yield what is wrong with where the tasks of a step at `path` run, and those of the steps inside it."""
    placement = step.placement or defaults.placement
    if placement is Placement.POOL:
        actions = list(actions_of(step))
        if actions and step.pool_ref is None and defaults.pool_ref is None:
            message = "found none, expected {name: …}, here or in defaults: placement pool needs a ReactorPool"
            yield Problem(f"{path}.poolRef", message, "Required")
        why = "" if step.placement is not None else ", because of defaults.placement"
        for field, action in actions:
            if action.container is not None:
                message = f"found a container on a pool{why}, expected python or http: say placement: pod, or job"
                yield Problem(f"{path_to(path, field)}.container", message, "InvalidValue")
    for keys, body in bodies_of(step):
        for place, inner in enumerate(body.steps or ()):
            yield from placement_problems(inner, defaults, f"{path_to(path, keys)}.steps[{place}]")


def placement_warnings(step: Step, defaults: Defaults, path: str) -> Iterator[Problem]:
    """Yield the pools that nothing is placed on."""
    placement = step.placement or defaults.placement or Placement.POD
    if step.pool_ref is not None and placement is not Placement.POOL:
        message = f"found it with placement {placement.value}, where it changes nothing: say placement: pool"
        yield Problem(f"{path}.poolRef", message, "NoPool")
    for keys, body in bodies_of(step):
        for place, inner in enumerate(body.steps or ()):
            yield from placement_warnings(inner, defaults, f"{path_to(path, keys)}.steps[{place}]")
