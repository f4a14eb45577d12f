"""Volumes below /tmp that no Python task would ever see: in the runtime image /tmp is memory of the container.

In: the settings of a step and of the defaults, or of a pool. Out: warnings. Never here: what is mounted at /tmp itself,
which takes the place of the link, and images of the author's.
"""

from collections.abc import Iterator, Mapping
from posixpath import normpath

from reactor_operator.api.graph import actions_of, bodies_of
from reactor_operator.api.problems import Problem, path_to
from reactor_operator.api.reactor import PodTemplate, ReactorSpec, Step

_TMP = "/tmp"  # noqa: S108 - a path in a pod
_ADVICE = (
    "in the runtime image /tmp is memory of the container, which hides it: mount it elsewhere, such as in /var/tmp"
)


def hidden_mounts(spec: ReactorSpec) -> Iterator[Problem]:
    """Yield the volumes of steps, and of the defaults that hold for one, that are mounted below /tmp."""
    steps = [
        found
        for listed, outermost in (("steps", spec.steps), ("finally", spec.finally_))
        for place, outer in enumerate(outermost)
        for found in _in_runtime_image(outer, spec, f"spec.{listed}[{place}]")
    ]
    for step, path in steps:
        yield from _hidden(step.volume_mounts, f"{path}.volumeMounts")
        yield from hidden_in_pod(step.pod, f"{path}.pod")
    if any(step.volume_mounts is None for step, _ in steps):
        yield from _hidden(spec.defaults.volume_mounts, "spec.defaults.volumeMounts")
    if any(step.pod is None for step, _ in steps):
        yield from hidden_in_pod(spec.defaults.pod, "spec.defaults.pod")


def hidden_in_pod(template: PodTemplate | None, path: str) -> Iterator[Problem]:
    """Yield the volumes that a container of a pod mounts below /tmp, unless it has an image of its own."""
    containers = (template.spec or {}).get("containers") if template is not None else None
    for place, container in enumerate(containers if isinstance(containers, list) else ()):
        if isinstance(container, dict) and not container.get("image"):
            yield from _hidden(container.get("volumeMounts"), f"{path}.spec.containers[{place}].volumeMounts")


def _in_runtime_image(step: Step, spec: ReactorSpec, path: str) -> Iterator[tuple[Step, str]]:
    """Yield the step and those inside it of which a task is in the runtime image, each with where it is written."""
    if (step.image or spec.defaults.image) is None and any(action.by_agent for _, action in actions_of(step)):
        yield step, path
    for keys, body in bodies_of(step):
        for place, inner in enumerate(body.steps or ()):
            yield from _in_runtime_image(inner, spec, f"{path_to(path, keys)}.steps[{place}]")


def _hidden(mounts: object, path: str) -> Iterator[Problem]:
    listed = mounts if isinstance(mounts, list | tuple) else ()
    places = [one.get("mountPath") if isinstance(one, Mapping) else None for one in listed]
    paths = [normpath(place) if isinstance(place, str) and place else "" for place in places]
    if _TMP in paths:
        return
    for place, where in enumerate(paths):
        if where.startswith(f"{_TMP}/"):
            yield Problem(f"{path}[{place}].mountPath", f"found {where}: {_ADVICE}", "HiddenVolume")
