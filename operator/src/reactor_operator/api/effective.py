"""The settings that hold for a step: its own where it has them, else those of `defaults`; whole objects replace.

In: a `ReactorSpec`, one of its steps and, for the settings of a container, the action. Out: `Effective`.
Never here: settings of the operator (the runtime image), and how a pod is made of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from reactor_operator.api.actions import ActionSpec, EnvVar
from reactor_operator.api.model import Json
from reactor_operator.api.reactor import Modules, Placement, PodRetention, PodTemplate, ReactorSpec, Step
from reactor_operator.api.sources import Source

T = TypeVar("T")
SECRET_PREFIX = "REACTOR_SECRET_"  # noqa: S105 - a prefix of variable names


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What holds for a task.

    `image` is None where nothing names one, and for a request: then it is the operator's runtime image. `pool` is the
    name of the pool, where the placement is one.
    """

    image: str | None
    modules: Modules | None
    placement: Placement
    pool: str | None
    env: tuple[EnvVar, ...]
    env_from: tuple[Mapping[str, Json], ...]
    volume_mounts: tuple[Mapping[str, Json], ...]
    resources: Mapping[str, Json] | None
    pod: PodTemplate | None
    pod_retention: PodRetention


def effective(spec: ReactorSpec, step: Step, action: ActionSpec | None = None) -> Effective:
    """Return the settings of a task of `step`; where `action` is a container, what it says of itself comes first."""
    defaults, container = spec.defaults, action.container if action is not None else None
    is_python = action is None or action.python is not None
    own = (container, step, defaults) if container is not None else (step, defaults)
    return Effective(
        image=container.image if container is not None else _first(step.image, defaults.image) if is_python else None,
        modules=_first(step.modules, defaults.modules) if is_python else None,
        placement=_placement(spec, step),
        pool=effective_pool(spec, step),
        env=_first(*(one.env for one in own)) or (),
        env_from=_first(*(one.env_from for one in own)) or (),
        volume_mounts=_first(*(one.volume_mounts for one in own)) or (),
        resources=_first(*(one.resources for one in own)),
        pod=_first(step.pod, defaults.pod),
        pod_retention=_first(step.pod_retention, defaults.pod_retention) or PodRetention.FAILED,
    )


def effective_pool(spec: ReactorSpec, step: Step) -> str | None:
    """Return the name of the pool where tasks of `step` are, where the placement is one."""
    pool = _first(step.pool_ref, spec.defaults.pool_ref)
    return pool.name if pool is not None and _placement(spec, step) is Placement.POOL else None


def _placement(spec: ReactorSpec, step: Step) -> Placement:
    return _first(step.placement, spec.defaults.placement) or Placement.POD


def _first(*choices: T | None) -> T | None:
    """Return the first choice that was made; an empty one is a choice."""
    return next((choice for choice in choices if choice is not None), None)


def referenced_arguments(step: Step) -> dict[str, Source]:
    """Return the arguments that reach the task as references in its pod (a Secret's or ConfigMap's key), by name."""
    return {name: source for name, source in step.arguments.items() if source.by_reference}


def reference_variable(argument: str) -> str:
    """Return the environment variable through which a referenced argument reaches its task."""
    return SECRET_PREFIX + argument.upper()
