"""A reactor as a user writes it: the spec, its steps and their defaults, as frozen models.

In: `spec` of a manifest. Out: `ReactorSpec`. Never here: rules that look at more than one object (see `check`) and the
settings that hold for a step (see `effective`).
"""

from enum import StrEnum
from functools import cached_property
from typing import Annotated

from pydantic import Field

from reactor_operator.api.actions import ActionSpec, CleanupSpec, EnvVars, Objects, OnError, Retries, RetryOn
from reactor_operator.api.bodies import MAX_STEPS, Body, Case, NameRef, Switch
from reactor_operator.api.interrupts import Interrupt
from reactor_operator.api.maps import Map
from reactor_operator.api.model import (
    DNS_SUBDOMAIN,
    ArgumentName,
    Boolean,
    Duration,
    Expression,
    Image,
    Integer,
    Model,
    Object,
    OneOf,
    Optional,
    StepName,
    Text,
    Timeout,
)
from reactor_operator.api.notifications import MAX_NOTIFICATIONS, Notification
from reactor_operator.api.sources import KeyRef, Source
from reactor_operator.api.webhooks import MAX_WEBHOOKS, Webhook
from reactor_operator.engine.identity import Action
from reactor_operator.engine.plan import OnFailure

MAX_ARGUMENTS = 64
MAX_FINALS = 100

LABEL_KEY = f"^({DNS_SUBDOMAIN.strip('^$')}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"
LABEL_VALUE = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
LabelKey = Annotated[str, Field(strict=True, max_length=317, pattern=LABEL_KEY)]
LabelValue = Annotated[str, Field(strict=True, max_length=63, pattern=LABEL_VALUE)]
AnnotationValue = Annotated[str, Field(strict=True, max_length=131_072)]


class Placement(StrEnum):
    """Where a task runs."""

    POD = "pod"
    JOB = "job"
    POOL = "pool"


class PodRetention(StrEnum):
    """Which finished pods are kept."""

    FAILED = "failed"
    ALL = "all"
    NONE = "none"


class Modules(Model):
    """Python modules that are put beside the handlers of an image."""

    config_map_ref: NameRef = Field(description="A ConfigMap whose key shop.inventory.py is the module shop.inventory.")


class PodMetadata(Model):
    """Labels and annotations added to the pods of tasks."""

    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=64)] = Field(
        default_factory=dict, description="Labels. Those of reactor.run stay ours."
    )
    annotations: Annotated[dict[LabelKey, AnnotationValue], Field(max_length=64)] = Field(
        default_factory=dict, description="Annotations. Those of reactor.run stay ours."
    )


class PodTemplate(Model):
    """What is merged under the pod of a task."""

    metadata: Optional[PodMetadata] = Field(default=None, description="Labels and annotations of the pod.")
    spec: Optional[Object] = Field(
        default=None, description="A PodSpec: nodeSelector, tolerations, serviceAccountName, volumes …"
    )


class Settings(Model):
    """What may be said once for all steps in `defaults`, and by a step for itself. Whole objects replace."""

    image: Optional[Image] = Field(
        default=None, description="Image of Python tasks. Unset: the runtime image of the operator."
    )
    modules: Optional[Modules] = Field(default=None, description="Python modules for the handlers.")
    placement: Optional[Placement] = Field(
        default=None, description="pod (default), job, or pool: a worker of poolRef takes the task."
    )
    pool_ref: Optional[NameRef] = Field(
        default=None, description="With placement pool: the ReactorPool whose workers take the tasks."
    )
    retries: Optional[Retries] = Field(default=None, description="How often run is attempted. Unset: once.")
    timeout: Optional[Timeout] = Field(default=None, description="Longest time of one attempt. Unset: no limit.")
    env: Optional[EnvVars] = Field(
        default=None, description="Environment variables of the task's container, Python too."
    )
    env_from: Optional[Objects] = Field(default=None, description="As in a pod, for the task's container.")
    volume_mounts: Optional[Objects] = Field(default=None, description="As in a pod, for the task's container.")
    resources: Optional[Object] = Field(default=None, description="As in a pod, for the task's container.")
    pod: Optional[PodTemplate] = Field(default=None, description="What is merged under the pod of a task.")
    pod_retention: Optional[PodRetention] = Field(
        default=None, description="Which finished pods are kept: failed (default), all or none."
    )


class Defaults(Settings):
    """Settings of every step that does not say otherwise."""


class Step(OneOf, Settings):
    """One step: what is done, with which arguments, after which steps, and how it is taken back."""

    forms = ("run", "transform", "map", "compose", "switch", "interrupt")

    name: StepName = Field(description="A DNS label, unique in the reactor.")
    arguments: Annotated[dict[ArgumentName, Source], Field(max_length=MAX_ARGUMENTS)] = Field(
        default_factory=dict,
        description="Arguments by name, each from a source. Steps named in sources are waited for.",
    )
    run: Optional[ActionSpec] = Field(default=None, description="One task.")
    transform: Optional[Source] = Field(default=None, description="A value; nothing is launched.")
    map: Optional[Map] = Field(
        default=None,
        description="A body for each element of a collection. arguments, retries, timeout, compensate and undo of this"
        " step are for each element; when, waitFor and onError for the map.",
    )
    compose: Optional[Body] = Field(
        default=None,
        description="Steps inside this one, or another Reactor. What fails inside fails the run, unless this step has"
        " retries, compensate or onError: then what is inside is undone first.",
    )
    switch: Optional[Switch] = Field(default=None, description="The first case whose condition is true.")
    interrupt: Optional[Interrupt] = Field(
        default=None, description="A wait for a payload from outside, which is the result. Nothing runs meanwhile."
    )
    compensate: Optional[CleanupSpec] = Field(
        default=None, description="Cleans up after a failure of this step itself, before other steps are undone."
    )
    undo: Optional[CleanupSpec] = Field(
        default=None, description="Reverses the success of this step because a later step failed. Newest first."
    )
    retry_on: Optional[RetryOn] = Field(
        default=None,
        description="Kinds of failure after which run is attempted again. Unset: every kind that is retryable.",
    )
    when: Optional[Expression] = Field(
        default=None, description="A CEL condition. Where it is false the step is Skipped, its result is null."
    )
    wait_for: Annotated[tuple[StepName, ...], Field(max_length=MAX_STEPS)] = Field(
        default=(), description="Steps that must end well before this one starts, beside those its sources name."
    )
    on_error: Optional[OnError] = Field(default=None, description="Makes the step optional.")
    sensitive: Optional[Boolean] = Field(default=None, description="true: its result is encrypted, shown as ***.")

    def action(self, action: Action) -> ActionSpec | None:
        """Return what this step does for `action`, None where it has no such action."""
        match action:
            case Action.RUN:
                return self.run
            case Action.COMPENSATE:
                return self.compensate
            case Action.UNDO:
                return self.undo


for _recursive in (Body, Case, Switch, Map, Step):
    _recursive.model_rebuild()


class InputsSchemaFrom(Model):
    """Where a shared schema of inputs is kept."""

    config_map_key_ref: KeyRef = Field(description="A key of a ConfigMap that holds a JSON Schema, as JSON or YAML.")


class Rollback(Model):
    """How long and how often undoing is tried."""

    deadline: Timeout = Field(default="24h", description="After this time nothing further is undone. 24h when unset.")
    retries: Retries = Field(
        default_factory=lambda: Retries.model_validate({"maxAttempts": 5, "backoff": "exponential", "baseDelay": "1s"}),
        description="Retries of compensate and undo. Unset: 5 attempts, exponential from 1s.",
    )


class OnLimit(StrEnum):
    """What becomes of a run beyond `maxActiveRuns`."""

    QUEUE = "Queue"
    REJECT = "Reject"


KeptRuns = Annotated[Integer, Field(ge=0, le=100_000)]


class History(Model):
    """How many finished runs are kept."""

    succeeded: KeptRuns = Field(
        default=100, description="Runs kept that are Succeeded or Halted, the newest ones. 100 when unset."
    )
    failed: KeptRuns = Field(
        default=100, description="Runs kept that are Failed, Cancelled or Undone, the newest ones. 100 when unset."
    )


class ReactorSpec(Model):
    """A saga: steps in the order their data needs, and how to take them back."""

    description: Optional[Text] = Field(default=None, description="What this reactor does, for people.")
    inputs_schema: Optional[Object] = Field(
        default=None,
        description="JSON Schema 2020-12 of the inputs. Its defaults are applied first; $ref stays inside.",
    )
    inputs_schema_from: Optional[InputsSchemaFrom] = Field(
        default=None, description="A shared schema of the inputs, instead of inputsSchema."
    )
    defaults: Defaults = Field(default_factory=Defaults, description="Settings of all steps; a step may override each.")
    timeout: Optional[Timeout] = Field(default=None, description="Longest time of a whole run; then it is rolled back.")
    parallelism: Annotated[Integer, Field(ge=1, le=10_000)] = Field(
        default=100, description="At most this many tasks of one run at once. 100 when unset."
    )
    on_failure: OnFailure = Field(
        default=OnFailure.DRAIN,
        description="What happens to tasks in flight when a step fails: drain (default) or terminate.",
    )
    infrastructure_retries: Annotated[Integer, Field(ge=0, le=1000)] = Field(
        default=5, description="How often a lost pod is replaced. 0: never. 5 when unset."
    )
    rollback: Rollback = Field(default_factory=Rollback, description="How long and how often undoing is tried.")
    ttl_after_finished: Optional[Duration] = Field(
        default=None,
        description="Finished runs are deleted after this time. A run may say otherwise. Unset: as the operator is set"
        " (never, unless it is told).",
    )
    history: History = Field(
        default_factory=History,
        description="How many finished runs are kept; the oldest beyond that are deleted. 100 of each when unset.",
    )
    max_active_runs: Optional[Annotated[Integer, Field(ge=1, le=1_000_000)]] = Field(
        default=None, description="At most this many runs are active (started and not ended) at once. Unset: no limit."
    )
    on_limit: OnLimit = Field(
        default=OnLimit.QUEUE,
        description="What becomes of a run beyond maxActiveRuns: Queue (default; it waits its turn, oldest first) or"
        " Reject (it fails at once).",
    )
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=MAX_STEPS)] = Field(
        description="The steps. Their order here is for people; arguments, when and waitFor say what waits for what."
    )
    returns: Optional[Source] = Field(
        default=None, description="The result of a run. Unset: the result of the step written last."
    )
    finally_: Annotated[
        tuple[Annotated[Step, Field(json_schema_extra={"x-brief": True})], ...], Field(max_length=MAX_FINALS)
    ] = Field(
        default=(),
        alias="finally",
        description="Steps that run at every end of a run, as steps do, without undo. Their failure changes nothing.",
    )
    notifications: Annotated[tuple[Notification, ...], Field(max_length=MAX_NOTIFICATIONS)] = Field(
        default=(), description="Events of runs that are told to endpoints outside. They never change how a run goes."
    )

    webhooks: Annotated[tuple[Webhook, ...], Field(max_length=MAX_WEBHOOKS)] = Field(
        default=(), description="Deliveries from outside that resume interrupts of this reactor, each at its address."
    )

    @cached_property
    def _by_name(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}

    def step(self, name: str) -> Step:
        """Return the step of this name. Raises KeyError where there is none."""
        return self._by_name[name]
