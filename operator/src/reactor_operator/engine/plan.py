"""What the engine needs to know of a reactor: the graph, the policies and the limits, and nothing it cannot decide on.

In: a checked `ReactorSpec` (see `api.planning`). Out: frozen values. Times are int milliseconds.
Never here: images, handlers, arguments, schemas; the engine moves references and never looks inside.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reactor_operator.engine.failures import FailureKind


class Backoff(StrEnum):
    """How the delay before the next attempt grows: not at all, by the base each time, or doubling."""

    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class OnFailure(StrEnum):
    """What happens to tasks in flight when the run fails or is cancelled: wait for them, or stop them."""

    DRAIN = "drain"
    TERMINATE = "terminate"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how soon an action is attempted again. `max_attempts` counts the first one."""

    max_attempts: int = 1
    backoff: Backoff = Backoff.FIXED
    base_delay_ms: int = 1_000
    max_delay_ms: int = 300_000
    jitter_percent: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPlan:
    """The policies of one action of a step. `retry_on` of None means every kind that is retryable.

    `checks_in`: the action begins only after its start was recorded (Python); where it does not (a container), a task
    that was never seen running may have acted all the same.
    """

    retries: RetryPolicy = RetryPolicy()
    timeout_ms: int | None = None
    retry_on: frozenset[FailureKind] | None = None
    checks_in: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """A node of the graph.

    `index` is its place in the manifest, `needs` the paths it waits for (sources, `waitFor`, references in
    expressions), `dependents` the paths that wait for it, `continues_on_error` whether `onError: Continue` was said.
    """

    path: str
    index: int
    needs: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()
    run: ActionPlan = ActionPlan()
    compensate: ActionPlan | None = None
    undo: ActionPlan | None = None
    continues_on_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A reactor as the engine sees it: steps by path in manifest order, and the limits of a run.

    Invariant: `needs` is acyclic and closed under `steps` (`api.check` refuses anything else).
    """

    steps: Mapping[str, StepPlan]
    parallelism: int = 100
    on_failure: OnFailure = OnFailure.DRAIN
    infrastructure_retries: int = 5
    timeout_ms: int | None = None
    rollback_deadline_ms: int = 86_400_000
    pending_timeout_ms: int = 600_000
