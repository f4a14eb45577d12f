"""From a sound reactor to the plan that the engine decides on: the graph, and policies in milliseconds.

In: a `Blueprint`. Out: `engine.plan.Plan`. Never here: what is inside what (see `blueprint`).
"""

from collections.abc import Sequence
from functools import lru_cache

from reactor_operator.api.actions import ActionSpec, CleanupSpec, Retries
from reactor_operator.api.blueprint import Blueprint, Node
from reactor_operator.api.building import building
from reactor_operator.api.duration import parse_duration
from reactor_operator.api.notifications import Notification
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import (
    ActionPlan,
    Backoff,
    Endpoint,
    NotificationPlan,
    Plan,
    RetryPolicy,
    StepKind,
    StepPlan,
)


@building()
def plan_of(blueprint: Blueprint, *, pending_timeout_ms: int, observed: bool = False) -> Plan:
    """Return the plan of a blueprint, steps in manifest order, a scope before the steps inside it.

    `observed`: somebody beside the notifications of the reactor wants to know what happens.
    """
    spec = blueprint.spec
    dependents: dict[str, list[str]] = {}
    children: dict[str, list[str]] = {}
    scopes: dict[str, str] = {}
    for path, node in blueprint.nodes.items():
        for need in node.needs:
            dependents.setdefault(need, []).append(path)
        around = scopes.get(path, node.scope.path)
        children.setdefault(around, []).append(path)
        for _, body in node.bodies:
            scopes[body] = path
    policies: dict[int, _Policies] = {}
    steps: dict[str, StepPlan] = {}
    for index, (path, node) in enumerate(blueprint.nodes.items()):
        reactor = node.scope.reactor
        held = policies.get(id(reactor))
        if held is None:
            held = policies[id(reactor)] = _Policies(reactor)
        steps[path] = StepPlan(
            path=path,
            index=index,
            kind=node.kind,
            scope=scopes.get(path, node.scope.path),
            needs=node.needs,
            dependents=tuple(dependents.get(path, ())),
            children=tuple(children.get(path, ())),
            reads=tuple(node.reads().values()),
            run=held.of_run(node),
            compensate=held.of_cleanup(node, node.step.compensate),
            undo=held.of_cleanup(node, node.step.undo),
            continues_on_error=node.step.on_error is not None,
            contains_failures=_contains_failures(node),
        )
    return Plan(
        steps=steps,
        parallelism=spec.parallelism,
        on_failure=spec.on_failure,
        infrastructure_retries=spec.infrastructure_retries,
        timeout_ms=_milliseconds(spec.timeout),
        rollback_deadline_ms=parse_duration(spec.rollback.deadline),
        pending_timeout_ms=pending_timeout_ms,
        notifications=tuple(map(_notification, spec.notifications)),
        observed=observed,
    )


def _notification(one: Notification) -> NotificationPlan:
    http = one.http
    endpoint = Endpoint(
        url=http.url,
        key=http.signing_key or "",
        timeout_ms=parse_duration(http.timeout),
        retries=_policy(http.retries),
    )
    return NotificationPlan(name=one.name, kinds=one.kinds, endpoint=endpoint)


def _contains_failures(node: Node) -> bool:
    step = node.step
    declared = step.retries is not None or step.compensate is not None or step.on_error is not None
    return node.kind is StepKind.COMPOSE and declared


class _Policies:
    """The policies of a reactor's actions. Steps that say the same share one: most of 10,000 do."""

    def __init__(self, spec: ReactorSpec) -> None:
        self._timeout_ms = _milliseconds(spec.defaults.timeout)
        self._retries = _policy(spec.defaults.retries) if spec.defaults.retries is not None else RetryPolicy()
        self._rollback = _policy(spec.rollback.retries)

    def of_run(self, node: Node) -> ActionPlan:
        step = node.step
        if node.kind is not StepKind.TASK:  # the defaults are for tasks
            retries = _policy(step.retries) if step.retries is not None else RetryPolicy()
            return _action_plan(retries, None, _kinds(step.retry_on), False, False)
        return _planned(
            _policy(step.retries) if step.retries is not None else self._retries,
            _milliseconds(step.timeout) if step.timeout is not None else self._timeout_ms,
            _kinds(step.retry_on),
            step.run,
        )

    def of_cleanup(self, node: Node, action: CleanupSpec | None) -> ActionPlan | None:
        if action is None or node.kind is StepKind.SWITCH:  # its bodies have them
            return None
        return _planned(
            _policy(action.retries) if action.retries is not None else self._rollback,
            _milliseconds(action.timeout) if action.timeout is not None else self._timeout_ms,
            _kinds(action.retry_on),
            action,
        )


def _planned(
    retries: RetryPolicy, timeout_ms: int | None, retry_on: frozenset[FailureKind] | None, action: ActionSpec | None
) -> ActionPlan:
    by_agent, is_request = (action.by_agent, action.http is not None) if action is not None else (False, False)
    return _action_plan(retries, timeout_ms, retry_on, by_agent, is_request)


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
    has_request: bool,
) -> ActionPlan:
    return ActionPlan(
        retries=retries, timeout_ms=timeout_ms, retry_on=retry_on, checks_in=checks_in, has_request=has_request
    )


def _milliseconds(text: str | None) -> int | None:
    return parse_duration(text) if text is not None else None
