"""A pool as a user writes it, and what is wrong with it.

In: `spec` of a `ReactorPool`. Out: `CheckedPool`. Never here: the Deployment that is made of it, the queue of the pool.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from reactor_operator.api.actions import EnvName, Objects
from reactor_operator.api.document import TOO_DEEP, document_problems
from reactor_operator.api.envelope import check_model
from reactor_operator.api.hidden_mounts import hidden_in_pod
from reactor_operator.api.model import Image, Integer, LongText, Model, Object, OneOf, Optional
from reactor_operator.api.problems import Problem
from reactor_operator.api.reactor import Modules, PodTemplate
from reactor_operator.api.sources import KeyRef

MAX_REPLICAS = 10_000
MAX_REFERENCES = 256
DEFAULT_REPLICAS = 1
Replicas = Annotated[Integer, Field(ge=0, le=MAX_REPLICAS)]
References = Annotated[tuple[KeyRef, ...], Field(max_length=MAX_REFERENCES)]


class WorkerEnvVar(OneOf):
    """One environment variable of the workers: a literal, or what Kubernetes reads for the pod."""

    forms = ("value", "valueFrom")
    forms_optional = True

    name: EnvName = Field(description="Name of the variable.")
    value: Optional[LongText] = Field(default=None, description="A literal.")
    value_from: Optional[Object] = Field(
        default=None, description="As in a pod: secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef."
    )


class PoolSpec(Model):
    """Warm workers: pods that stay, and take the tasks of Python and HTTP steps that name the pool."""

    image: Optional[Image] = Field(
        default=None, description="Image of the workers, which carries reactor-runtime. Unset: that of the operator."
    )
    replicas: Replicas = Field(
        default=DEFAULT_REPLICAS,
        description="How many workers there are, unless minReplicas and maxReplicas are both set. 1 when unset.",
    )
    min_replicas: Optional[Replicas] = Field(
        default=None, description="With maxReplicas: the operator scales by the queue, never below this. May be 0."
    )
    max_replicas: Optional[Annotated[Integer, Field(ge=1, le=MAX_REPLICAS)]] = Field(
        default=None, description="With minReplicas: the operator scales by the queue, never above this."
    )
    concurrency: Annotated[Integer, Field(ge=1, le=64)] = Field(
        default=2, description="How many tasks one worker does at once, each in a process of its own. 2 when unset."
    )
    modules: Optional[Modules] = Field(default=None, description="Python modules for the handlers.")
    env: Annotated[tuple[WorkerEnvVar, ...], Field(max_length=1000)] = Field(
        default=(), description="Environment variables of the workers."
    )
    env_from: Objects = Field(default=(), description="As in a pod, for the workers.")
    resources: Optional[Object] = Field(default=None, description="As in a pod, for the container of a worker.")
    pod: Optional[PodTemplate] = Field(
        default=None, description="What is merged under the pod of a worker. Its container is named worker."
    )
    secrets: References = Field(
        default=(),
        description="Keys of Secrets that tasks may ask for. A task that asks for any other is refused.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name", "key"]},
    )
    config_maps: References = Field(
        default=(),
        description="Keys of ConfigMaps that tasks may ask for, as of secrets.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name", "key"]},
    )

    @property
    def scales_itself(self) -> bool:
        """Whether the operator scales the pool; else `replicas` says it all, which an autoscaler may write."""
        return self.min_replicas is not None and self.max_replicas is not None


@dataclass(frozen=True, slots=True)
class CheckedPool:
    """What came of a check: the spec where nothing is wrong with it, else every problem; and what deserves a look."""

    spec: PoolSpec | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()


def check_pool_spec(spec: object) -> CheckedPool:
    """Check the spec of a ReactorPool (the API server has seen to the rest)."""
    wrong = document_problems(spec, "spec")
    if any(problem.reason == TOO_DEEP for problem in wrong):
        return CheckedPool(None, tuple(wrong))
    checked, problems = check_model(PoolSpec, spec, base="spec")
    if checked is not None:
        problems = [*problems, *_repeated("secrets", checked.secrets), *_repeated("configMaps", checked.config_maps)]
        if (checked.min_replicas or 0) > (checked.max_replicas or MAX_REPLICAS):
            found = f"found {checked.min_replicas}, expected at most maxReplicas ({checked.max_replicas})"
            problems.append(Problem("spec.minReplicas", found, "InvalidValue"))
    problems = [*wrong, *problems]
    hidden = hidden_in_pod(checked.pod, "spec.pod") if checked is not None and checked.image is None else ()
    return CheckedPool(None if problems else checked, tuple(problems), tuple(hidden))


def _repeated(field: str, references: tuple[KeyRef, ...]) -> list[Problem]:
    first: dict[tuple[str, str], int] = {}
    problems = []
    for place, reference in enumerate(references):
        before = first.setdefault((reference.name, reference.key), place)
        if before != place:
            message = f"found {reference.name}/{reference.key} again, expected it once"
            problems.append(Problem(f"spec.{field}[{place}]", message, "DuplicateName"))
    return problems
