"""Steps as status shows them, and which ones where there is no room for all.

In: the plan and the state of a run. Out: JSON objects in the order of the manifest.
Never here: more bytes than allowed.
"""

from collections.abc import Iterator, Mapping

import orjson

from reactor_operator.api.sensitivity import MASK
from reactor_operator.engine.identity import pod_name
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import UNTOUCHED, RunState, StepPhase, StepState
from reactor_operator.engine.values import ValueRef
from reactor_operator.kube.fields import JsonObject
from reactor_operator.kube.moments import render_moment
from reactor_operator.ports import RunRef
from reactor_operator.status.failures import render_failure
from reactor_operator.status.maps import reason_of, render_map

STEP_VALUE_LIMIT = 2 * 1024
VALUES_LIMIT = 48 * 1024
STEPS_SHOWN = 1_000
DEPTH_LIMIT = 64
_BAD = frozenset({StepPhase.FAILED, StepPhase.ROLLBACK_FAILED, StepPhase.IGNORED})
_MOVING = frozenset({StepPhase.RUNNING, StepPhase.COMPENSATING, StepPhase.UNDOING})
_WAITING = frozenset({StepPhase.RETRYING, StepPhase.WAITING})


def kept_steps(plan: Plan, state: RunState) -> list[str]:
    """Return at most STEPS_SHOWN paths, in this order: failed, running, waiting, newest finished, not yet begun."""
    touched = sorted(state.steps, key=lambda path: _rank(plan, path, state.steps[path]))[:STEPS_SHOWN]
    if len(touched) == STEPS_SHOWN:
        return touched
    untouched = (path for path in plan.steps if path not in state.steps)
    return [*touched, *(path for path, _ in zip(untouched, range(STEPS_SHOWN - len(touched)), strict=False))]


def _rank(plan: Plan, path: str, step: StepState) -> tuple[int, int, int]:
    if step.phase in _BAD:
        group = 0
    elif step.phase in _MOVING:
        group = 1
    elif step.phase in _WAITING:
        group = 2
    else:
        group = 3
    index = plan.steps[path].index if path in plan.steps else 0
    return group, -(step.finished_at or 0), index


def shown_values(plan: Plan, state: RunState) -> Iterator[ValueRef]:
    """Yield the results of steps that are small enough to be shown in place, while there is room."""
    room = VALUES_LIMIT
    for path in kept_steps(plan, state):
        result = state.step(path).result
        if result is not None and not result.encrypted and result.size <= min(STEP_VALUE_LIMIT, room):
            room -= result.size
            yield result


def render_steps(
    run: RunRef, plan: Plan, state: RunState, values: Mapping[str, bytes], room: int
) -> tuple[list[JsonObject], int]:
    """Return the steps that fit into `room` bytes, in the order of the manifest, and how many do not."""
    shown = {ref.digest for ref in shown_values(plan, state)}
    fitting: dict[str, JsonObject] = {}
    for path in kept_steps(plan, state):
        rendered = _render_step(run, path, state.steps.get(path, UNTOUCHED), values, shown)
        if (mapped := render_map(state, path)) is not None:
            rendered["map"] = mapped
            if reason := reason_of(state, path):
                rendered["reason"] = reason
        room -= len(orjson.dumps(rendered)) + 1
        if room < 0:
            break
        fitting[path] = rendered
    ordered = sorted(fitting, key=lambda path: plan.steps[path].index if path in plan.steps else 0)
    return [fitting[path] for path in ordered], len(plan.steps.keys() | state.steps.keys()) - len(fitting)


def _render_step(
    run: RunRef, path: str, step: StepState, values: Mapping[str, bytes], shown: set[str]
) -> dict[str, object]:
    task = step.task or step.previous
    rendered: dict[str, object] = {"name": path, "phase": step.phase.value}
    optional: dict[str, object] = {
        "reason": step.reason or None,
        "round": step.round if step is not UNTOUCHED else None,
        "attempts": step.run_attempts or None,
        "completion": step.completion or None,
        "startedAt": None if step.started_at is None else render_moment(step.started_at),
        "finishedAt": None if step.finished_at is None else render_moment(step.finished_at),
        "podName": None if task is None else pod_name(run.name, run.uid, task),
        "failure": None if step.failure is None else render_failure(step.failure),
        "rollbackFailure": None if step.cleanup_failure is None else render_failure(step.cleanup_failure),
    }
    rendered |= {name: value for name, value in optional.items() if value is not None}
    return rendered | render_result(step.result, values, shown)


def render_result(ref: ValueRef | None, values: Mapping[str, bytes], shown: set[str]) -> dict[str, object]:
    """Return `result` where the document is at hand, meant to be shown and not deep, else `resultRef`; or nothing.

    A sensitive one is masked; its document is not looked at.
    """
    if ref is None:
        return {}
    if ref.encrypted:
        return {"result": MASK}
    document = values.get(ref.digest) if ref.digest in shown else None
    if document is None or is_deep(document):
        return {"resultRef": {"digest": ref.digest, "size": ref.size}}
    return {"result": orjson.loads(document)}


def is_deep(document: bytes) -> bool:
    """Return whether a JSON document is nested deeper than a status may be. Brackets in strings count as well."""
    depth = deepest = 0
    for byte in document:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest > DEPTH_LIMIT
