"""Windows of maps that are wider than what a run may have in flight.

In: a sound spec. Out: warnings. Never here: problems, and maps of the reactors that this one composes.
"""

from collections.abc import Iterator

from reactor_operator.api.graph import bodies_of
from reactor_operator.api.maps import Map
from reactor_operator.api.problems import Problem, path_to
from reactor_operator.api.reactor import ReactorSpec, Step


def narrowed_windows(spec: ReactorSpec) -> Iterator[Problem]:
    """Yield the maps whose `batchSize` was written and can never be reached, for `parallelism` is smaller.

    A map whose elements launch nothing may have all of them in flight.
    """
    for listed, steps in (("steps", spec.steps), ("finally", spec.finally_)):
        for place, step in enumerate(steps):
            yield from _in_step(step, spec, f"spec.{listed}[{place}]")


def _in_step(step: Step, spec: ReactorSpec, path: str) -> Iterator[Problem]:
    mapped, most = step.map, spec.parallelism
    if mapped is not None and _is_written(mapped) and mapped.batch_size > most:
        unset = "" if "parallelism" in spec.model_fields_set else " where it is unset"
        message = (
            f"found {mapped.batch_size}, but parallelism of the reactor, {most}{unset}, lets no more tasks run: "
            f"say parallelism: {mapped.batch_size}"
        )
        yield Problem(f"{path}.map.batchSize", message, "NarrowedWindow")
    for keys, body in bodies_of(step):
        for place, inner in enumerate(body.steps or ()):
            yield from _in_step(inner, spec, f"{path_to(path, keys)}.steps[{place}]")


def _is_written(mapped: Map) -> bool:
    return "batch_size" in mapped.model_fields_set and mapped.transform is None
