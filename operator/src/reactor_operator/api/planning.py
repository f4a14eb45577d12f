"""From a sound reactor to the plan that the engine decides on: the graph, and policies in milliseconds.

In: a checked `ReactorSpec`. Out: `engine.plan.Plan`. Never here: a spec with problems (see `check`).
"""

from collections.abc import Sequence
from functools import lru_cache

from reactor_operator.api.actions import CleanupSpec, Retries
from reactor_operator.api.building import building
from reactor_operator.api.duration import parse_duration
from reactor_operator.api.graph import graph_of
from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import ActionPlan, Backoff, Plan, RetryPolicy, StepPlan


@building()
def plan_of(spec: ReactorSpec, *, pending_timeout_ms: int) -> Plan:
    """Return the plan of `spec`, steps in manifest order. Raises ValueError where `check` finds its graph wrong."""
    names = [step.name for step in spec.steps]
    graph = graph_of(names, dict(enumerate(spec.steps)), spec.returns)
    if graph.problems:
        raise ValueError(f"the graph of this reactor is not sound: {graph.problems[0]}")
    dependents: list[list[str]] = [[] for _ in names]
    for place, needed in graph.needs.items():
        for other in needed:
            dependents[other].append(names[place])
    policies = _Policies(spec)
    return Plan(
        steps={
            step.name: StepPlan(
                path=step.name,
                index=place,
                needs=tuple(names[other] for other in graph.needs[place]),
                dependents=tuple(dependents[place]),
                run=policies.of_run(step),
                compensate=policies.of_cleanup(step.compensate),
                undo=policies.of_cleanup(step.undo),
                continues_on_error=step.on_error is not None,
            )
            for place, step in enumerate(spec.steps)
        },
        parallelism=spec.parallelism,
        on_failure=spec.on_failure,
        infrastructure_retries=spec.infrastructure_retries,
        timeout_ms=_milliseconds(spec.timeout),
        rollback_deadline_ms=parse_duration(spec.rollback.deadline),
        pending_timeout_ms=pending_timeout_ms,
    )


class _Policies:
    """The policies of a reactor's actions. Steps that say the same share one: most of 10,000 do."""

    def __init__(self, spec: ReactorSpec) -> None:
        self._timeout_ms = _milliseconds(spec.defaults.timeout)
        self._retries = _policy(spec.defaults.retries) if spec.defaults.retries is not None else RetryPolicy()
        self._rollback = _policy(spec.rollback.retries)

    def of_run(self, step: Step) -> ActionPlan:
        return _action_plan(
            _policy(step.retries) if step.retries is not None else self._retries,
            _milliseconds(step.timeout) if step.timeout is not None else self._timeout_ms,
            _kinds(step.retry_on),
            step.run.python is not None,
        )

    def of_cleanup(self, action: CleanupSpec | None) -> ActionPlan | None:
        if action is None:
            return None
        return _action_plan(
            _policy(action.retries) if action.retries is not None else self._rollback,
            _milliseconds(action.timeout) if action.timeout is not None else self._timeout_ms,
            _kinds(action.retry_on),
            action.python is not None,
        )


def _kinds(listed: Sequence[FailureKind] | None) -> frozenset[FailureKind] | None:
    return frozenset(listed) if listed is not None else None


def _policy(retries: Retries) -> RetryPolicy:
    return _retry_policy(
        retries.max_attempts, retries.backoff, retries.base_delay, retries.max_delay, retries.jitter_percent
    )


@lru_cache(maxsize=1_024)
def _retry_policy(
    max_attempts: int, backoff: Backoff, base_delay: str, max_delay: str, jitter_percent: int
) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=max_attempts,
        backoff=backoff,
        base_delay_ms=parse_duration(base_delay),
        max_delay_ms=parse_duration(max_delay),
        jitter_percent=jitter_percent,
    )


@lru_cache(maxsize=1_024)
def _action_plan(
    retries: RetryPolicy,
    timeout_ms: int | None,
    retry_on: frozenset[FailureKind] | None,
    checks_in: bool,
) -> ActionPlan:
    return ActionPlan(retries=retries, timeout_ms=timeout_ms, retry_on=retry_on, checks_in=checks_in)


def _milliseconds(text: str | None) -> int | None:
    return parse_duration(text) if text is not None else None
