"""From a sound reactor to the plan that the engine decides on: the graph, and policies in milliseconds.

In: a `Blueprint`. Out: `engine.plan.Plan`. Never here: what is inside what (see `blueprint`).
"""

from collections.abc import Sequence
from functools import lru_cache

from reactor_operator.api.actions import ActionSpec, CleanupSpec, Retries
from reactor_operator.api.blueprint import Blueprint
from reactor_operator.api.building import building
from reactor_operator.api.duration import parse_duration
from reactor_operator.api.interrupts import Interrupt, InterruptMode, InterruptStrategy, OnTimeoutAction
from reactor_operator.api.maps import DEFAULT_PAGE, Map, Strategy
from reactor_operator.api.nodes import Node
from reactor_operator.api.notifications import Notification
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.api.templates import ANY, COLLECT, PAGE
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import (
    ROOT,
    ActionPlan,
    Backoff,
    Endpoint,
    InterruptPlan,
    MapPlan,
    NotificationPlan,
    Plan,
    RetryPolicy,
    StepKind,
    StepPlan,
)


@building()
def plan_of(blueprint: Blueprint, *, pending_timeout_ms: int, observed: bool = False, chunks: bool = True) -> Plan:
    """Return the plan of a blueprint, steps in manifest order, a scope before the steps inside it.

    `observed`: somebody beside the notifications of the reactor wants to know what happens. `chunks`: whoever does a
    task may take several elements. What is inside a map is in the plans of that map, in templates of paths.
    """
    spec = blueprint.spec
    planning = _Planning(blueprint, pending_timeout_ms, chunks)
    return planning.plan(
        planning.outside_maps,
        timeout_ms=_milliseconds(spec.timeout),
        notifications=tuple(map(_notification, spec.notifications)),
        observed=observed,
    )


class _Planning:
    """Plans the steps of a run, and those of the elements of its maps."""

    def __init__(self, blueprint: Blueprint, pending_timeout_ms: int, chunks: bool) -> None:
        self._blueprint = blueprint
        self._chunks = chunks
        self._pending_timeout_ms = pending_timeout_ms
        self._policies: dict[int, _Policies] = {}
        self._dependents: dict[str, list[str]] = {}
        self._children: dict[str, list[str]] = {}
        self._scopes: dict[str, str] = {}
        self._in_maps: dict[str, list[Node]] = {"": []}
        for path, node in blueprint.nodes.items():
            for need in node.needs:
                self._dependents.setdefault(need, []).append(path)
            if node.kind is StepKind.MAP:
                self._scopes |= dict.fromkeys((path + ANY, path + PAGE, path + COLLECT), ROOT)
            self._children.setdefault(self._scope(node), []).append(path)
            for _, body in node.bodies:
                self._scopes[body] = path
            self._in_maps.setdefault(node.scope.map_path, []).append(node)

    @property
    def outside_maps(self) -> Sequence[Node]:
        """The steps that are inside of no map."""
        return self._in_maps[""]

    def plan(
        self,
        nodes: Sequence[Node],
        *,
        timeout_ms: int | None = None,
        notifications: tuple[NotificationPlan, ...] = (),
        observed: bool = False,
    ) -> Plan:
        """Return the plan of these steps. Limits that are not of the run as a whole hold for elements too."""
        spec = self._blueprint.spec
        return Plan(
            steps={node.path: self._step(node, index) for index, node in enumerate(nodes)},
            parallelism=spec.parallelism,
            on_failure=spec.on_failure,
            infrastructure_retries=spec.infrastructure_retries,
            timeout_ms=timeout_ms,
            rollback_deadline_ms=parse_duration(spec.rollback.deadline),
            pending_timeout_ms=self._pending_timeout_ms,
            notifications=notifications,
            observed=observed,
        )

    def _scope(self, node: Node) -> str:
        return self._scopes.get(node.path, node.scope.path)

    def _step(self, node: Node, index: int) -> StepPlan:
        path, step, held = node.path, node.step, self._policies_of(node)
        planned = self._map(node, step.map) if node.kind is StepKind.MAP and step.map is not None else None
        return StepPlan(
            path=path,
            index=index,
            kind=node.kind,
            scope=self._scope(node),
            needs=node.needs,
            dependents=tuple(self._dependents.get(path, ())),
            children=tuple(self._children.get(path, ())),
            reads=tuple(node.reads().values()) if planned is None else self._reads_of_map(node, planned),
            run=held.of_run(node) if planned is None else ActionPlan(),
            compensate=held.of_cleanup(node, step.compensate),
            undo=held.of_cleanup(node, step.undo),
            continues_on_error=step.on_error is not None,
            contains_failures=_contains_failures(node),
            map=planned,
            interrupt=_interrupt(step.interrupt) if step.interrupt is not None else None,
        )

    def _policies_of(self, node: Node) -> "_Policies":
        reactor = node.scope.reactor
        held = self._policies.get(id(reactor))
        if held is None:
            held = self._policies[id(reactor)] = _Policies(reactor)
        return held

    def _map(self, node: Node, mapped: Map) -> MapPlan:
        """Return how a map goes over its elements."""
        own = {node.path + PAGE, node.path + COLLECT}
        inside = self._in_maps[node.path]
        tasks = {one.path: self.plan([one]) for one in inside if one.path in own}
        element = self.plan([one for one in inside if one.path not in own])
        return MapPlan(
            element=element,
            page=tasks.get(node.path + PAGE),
            collect=tasks.get(node.path + COLLECT),
            page_size=mapped.pages.page_size if mapped.pages is not None else DEFAULT_PAGE,
            batch_size=mapped.batch_size,
            barrier=mapped.strategy is Strategy.BATCH,
            fail_fast=mapped.fail_fast,
            max_failures=mapped.max_failures,
            max_failures_percent=mapped.max_failures_percent,
            chunk=mapped.elements_per_task if self._chunks else 1,
            undo_window=mapped.undo_window,
            timeout_ms=_milliseconds(mapped.timeout),
            reverses=any(map(_reverses, element.steps.values())),
        )

    def _reads_of_map(self, node: Node, planned: MapPlan) -> tuple[str, ...]:
        """Return the steps whose results a map reads, itself or inside it, without those that are inside it."""
        found = dict.fromkeys(node.reads().values())
        for plan in (planned.element, planned.page, planned.collect):
            for step in plan.steps.values() if plan is not None else ():
                found |= dict.fromkeys(step.reads)
                scope = self._blueprint.scopes.get(step.path)
                if scope is not None and scope.returns is not None:
                    found |= dict.fromkeys(scope.results_of([scope.returns]).values())
        return tuple(path for path in found if path != node.path and not path.startswith(f"{node.path}["))


def _interrupt(written: Interrupt) -> InterruptPlan:
    return InterruptPlan(
        timeout_ms=_milliseconds(written.timeout),
        active=written.strategy is InterruptStrategy.ACTIVE,
        continues=written.on_timeout.action is OnTimeoutAction.CONTINUE,
        judged=written.payload_schema is not None,
        strict=written.mode is InterruptMode.STRICT,
        max_attempts=written.max_attempts,
        approvers=written.approvers,
    )


def _reverses(step: StepPlan) -> bool:
    within = step.map is not None and step.map.reverses
    return step.compensate is not None or step.undo is not None or within


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
    """Tell whether what fails inside a compose is its own affair; an element of a map always keeps it to itself."""
    step = node.step
    declared = step.retries is not None or step.compensate is not None or step.on_error is not None
    return node.kind is StepKind.COMPOSE and (declared or node.path == node.scope.map_path + ANY)


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
