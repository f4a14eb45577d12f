"""What a step does: call Python, run a container or make a request; and what its exit codes mean.

In: one object of a manifest. Out: frozen actions. Never here: pods, and policies of the step (`reactor.Step`).
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from reactor_operator.api.http import HttpAction
from reactor_operator.api.model import (
    ArgumentName,
    Duration,
    FilePath,
    Image,
    Integer,
    Json,
    LongText,
    Model,
    Object,
    OneOf,
    Optional,
    Text,
    Timeout,
)
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import Backoff

HANDLER = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"
ENV_NAME = "^[ -<>-~]+$"
Handler = Annotated[str, Field(strict=True, max_length=512, pattern=HANDLER)]
ExitCode = Annotated[Integer, Field(ge=0, le=255)]
EnvName = Annotated[str, Field(strict=True, min_length=1, max_length=253, pattern=ENV_NAME)]


class Retries(Model):
    """How often and how soon an action is attempted again."""

    max_attempts: Annotated[Integer, Field(ge=1, le=1_000_000)] = Field(
        default=1, description="Attempts in all, the first one included. 1 when unset."
    )
    backoff: Backoff = Field(
        default=Backoff.FIXED,
        description="fixed (default): baseDelay each time; linear: grows by baseDelay; exponential: doubles.",
    )
    base_delay: Duration = Field(default="1s", description="Delay before the second attempt. 1s when unset.")
    max_delay: Duration = Field(default="5m", description="Longest delay. 5m when unset.")
    jitter_percent: Annotated[Integer, Field(ge=0, le=100)] = Field(
        default=10, description="How far a delay is varied, in percent of it. 10 when unset."
    )


class EnvVar(OneOf):
    """One environment variable: a literal, an argument of the step, or what Kubernetes reads for the pod."""

    forms = ("value", "argument", "valueFrom")
    forms_optional = True

    name: EnvName = Field(description="Name of the variable.")
    value: Optional[LongText] = Field(default=None, description="A literal.")
    argument: Optional[ArgumentName] = Field(
        default=None, description="Name of an argument of the step. A string arrives as it is, anything else as JSON."
    )
    value_from: Optional[Object] = Field(
        default=None, description="As in a pod: secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef."
    )


EnvVars = Annotated[tuple[EnvVar, ...], Field(max_length=1000)]
Objects = Annotated[tuple[Object, ...], Field(max_length=100)]


class PythonAction(OneOf):
    """A Python function: a handler that the image or the modules carry, or an inline script."""

    forms = ("handler", "source")

    handler: Optional[Handler] = Field(
        default=None,
        description="module:function, such as shop.inventory:reserve. Called with the step's arguments by name.",
    )
    source: Optional[LongText] = Field(
        default=None, description="An inline script whose function main is called with the step's arguments by name."
    )


class OutputFormat(StrEnum):
    """What an output must be."""

    JSON = "json"


class Output(Model):
    """Where a container leaves its result."""

    path: Optional[FilePath] = Field(
        default=None, description="A file that is uploaded as the result, up to 32 MiB. Unset: the termination message."
    )
    format: Optional[OutputFormat] = Field(
        default=None, description="json: anything else fails the step. Unset: JSON if it parses, else one string."
    )


class PullPolicy(StrEnum):
    """When the image is pulled."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class ContainerAction(Model):
    """A container of any image. It writes its result to $REACTOR_RESULT_PATH."""

    image: Image = Field(description="The image. The image in defaults is for Python steps only.")
    image_pull_policy: Optional[PullPolicy] = Field(default=None, description="As in a pod.")
    command: Annotated[tuple[Text, ...], Field(max_length=1000)] = Field(
        default=(), description="The entry point. Unset: that of the image."
    )
    args: Annotated[tuple[LongText, ...], Field(max_length=1000)] = Field(
        default=(), description="Arguments of the entry point. $(VAR) is replaced as in a pod."
    )
    working_dir: Optional[FilePath] = Field(default=None, description="Working directory. Unset: that of the image.")
    env: Optional[EnvVars] = Field(
        default=None, description="Environment variables. Replaces env of the step and of defaults."
    )
    env_from: Optional[Objects] = Field(
        default=None, description="As in a pod. Replaces envFrom of the step and of defaults."
    )
    volume_mounts: Optional[Objects] = Field(
        default=None, description="As in a pod. Replaces volumeMounts of the step and of defaults."
    )
    resources: Optional[Object] = Field(
        default=None, description="As in a pod. Replaces resources of the step and of defaults."
    )
    security_context: Optional[Object] = Field(default=None, description="As in a pod.")
    output: Optional[Output] = Field(default=None, description="Where the result is, and what it must be.")


ExitCodeList = Annotated[tuple[ExitCode, ...], Field(max_length=256)]


class ExitCodes(Model):
    """What exit codes of a container mean. 0 is success and any other a failure unless it is listed here."""

    fatal: ExitCodeList = Field(default=(), description="A failure that is not retried.")
    skip: ExitCodeList = Field(default=(), description="There was nothing to do: the step is Skipped and never undone.")
    halt: ExitCodeList = Field(default=(), description="The run ends here on purpose; nothing is undone.")
    continue_: ExitCodeList = Field(
        default=(), alias="continue", description="In compensate only: the step was repaired and counts as succeeded."
    )


class ActionSpec(OneOf):
    """What is done: exactly one of python, container and http."""

    forms = ("python", "container", "http")

    python: Optional[PythonAction] = Field(default=None, description="Call a Python function.")
    container: Optional[ContainerAction] = Field(default=None, description="Run a container.")
    http: Optional[HttpAction] = Field(default=None, description="Make one HTTP request.")
    exit_codes: Optional[ExitCodes] = Field(default=None, description="What exit codes of the container mean.")

    @property
    def by_agent(self) -> bool:
        """Whether the runtime does it: a task that checks in before it acts and reports its outcome itself."""
        return self.container is None


RetryOn = Annotated[tuple[FailureKind, ...], Field(max_length=32)]


class CleanupSpec(ActionSpec):
    """What compensates or undoes a step, with policies of its own."""

    http: Optional[HttpAction] = Field(
        default=None, description="Make one HTTP request, as http of run.", json_schema_extra={"x-brief": True}
    )

    retries: Optional[Retries] = Field(default=None, description="Unset: rollback.retries.")
    timeout: Optional[Timeout] = Field(
        default=None, description="Longest time of one attempt. Unset: defaults.timeout."
    )
    retry_on: Optional[RetryOn] = Field(
        default=None, description="Kinds of failure after which it is attempted again. Unset: all that are retryable."
    )


class OnErrorAction(StrEnum):
    """What is done when an optional step fails."""

    CONTINUE = "Continue"


class OnError(Model):
    """Makes the step optional: when it has finally failed it is compensated and the run goes on."""

    action: OnErrorAction = Field(description="Continue: the step is Ignored and nothing is rolled back.")
    value: Json = Field(default=None, description="The result that other steps see instead. Unset: null.")
