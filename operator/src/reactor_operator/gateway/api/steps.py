"""A step of a run as it is shown: where it is, its tasks, what it was given and what came of it.

In: a run in the store, and the path of a step. Out: a JSON object in the shape of `details`.
Never here: a sensitive value, or one that is large.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from starlette.requests import Request

from reactor_operator.engine.identity import pod_name
from reactor_operator.engine.state import DONE, MapState, StepPhase
from reactor_operator.engine.values import ValueRef
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.api.details import MOST_TASKS
from reactor_operator.gateway.api.histories import Launch, launches
from reactor_operator.gateway.api.queries import StepQuery, parse_names, parse_query
from reactor_operator.gateway.api.rendering import Rendered, answer_of
from reactor_operator.gateway.api.services import REACTOR, RUN
from reactor_operator.gateway.api.stored import Found, StoredRuns, is_in_job
from reactor_operator.gateway.api.viewers import Viewers
from reactor_operator.gateway.api.worker_logs import WorkerLogs
from reactor_operator.kube.moments import render_moment_ms
from reactor_operator.reconciling.pooled import is_queued
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.status.failures import render_failure
from reactor_operator.status.interrupts import render_interrupt
from reactor_operator.status.maps import render_map
from reactor_operator.status.steps import is_deep

SMALL = 16 * 1024
"""Bytes of a value that is shown with its step."""


@dataclass(frozen=True, slots=True)
class StepService:
    """Answers about steps. `on_workers`: what tasks print that workers do; None: there are no workers, and no pods."""

    viewers: Viewers
    runs: StoredRuns
    on_workers: WorkerLogs | None

    async def get(self, http: Request) -> Answer:
        """Return a step."""
        caller = await self.viewers.of(http)
        asked = parse_query(http, StepQuery)
        namespace, name = parse_names(http)
        await self.viewers.require(caller, "get", RUN, namespace)
        known = await self.runs.run(namespace, name)
        found = await self.runs.step(known, asked.path)
        told = await launches(self.runs.store, known.definition.run.uid, asked.path)
        answer = _of_step(found) | await self._values(known, found)
        logged = await self.runs.store.logged_tasks(known.definition.run.uid) if told else frozenset()
        answer["tasks"] = [await self._task(known, one, logged) for one in told[-MOST_TASKS:]]
        if found.step.phase is StepPhase.WAITING and found.step.interrupt is not None:
            readable = await self.viewers.where(caller, "get", REACTOR, {namespace})
            answer["interrupt"] = _interrupt(known, found, with_schema=namespace in readable)
        return answer_of(answer)

    async def _values(self, known: KnownRun, found: Found) -> Rendered:
        step = found.step
        refs = {"arguments": step.arguments, "result": step.result, "fallback": step.fallback}
        small = [ref for ref in refs.values() if ref is not None and ref.size <= SMALL]
        documents = await self.runs.documents(known.definition.run.uid, small)
        shown = {name: value_info(ref, documents) for name, ref in refs.items() if ref is not None}
        if step.phase in DONE and step.result is None and found.plan.kind.value != "map":
            shown["result"] = {"bytes": 4, "type": "null", "sensitive": False, "value": None}
        return dict(shown)

    async def _task(self, known: KnownRun, one: Launch, logged: frozenset[str]) -> Rendered:
        item, run = _of_launch(one), known.definition.run
        is_live = one.ended is None
        if self.on_workers is not None and is_queued(known.blueprint, known.plan, one.task):
            is_live = is_live and await self.on_workers.has(run.uid, one.task)
        elif self.on_workers is not None:
            item["job" if is_in_job(known, one.task) else "pod"] = pod_name(run.name, run.uid, one.task)
        item["logs"] = one.task.key in logged or is_live
        return item


def value_info(ref: ValueRef, documents: Mapping[str, bytes]) -> Rendered:
    """Return what there is to say of a document, with itself where it is at hand and small."""
    body = documents.get(ref.digest)
    info: Rendered = {"bytes": ref.size, "sensitive": ref.encrypted, "type": type_of(body)}
    if body is not None and len(body) <= SMALL and not is_deep(body):
        info["value"] = orjson.loads(body)
    return info


def type_of(body: bytes | None) -> str:
    """Return what a JSON document is, by how it begins."""
    begins = body.lstrip()[:1] if body else b""
    kinds = {b"{": "object", b"[": "array", b'"': "string", b"t": "boolean", b"f": "boolean", b"n": "null"}
    return kinds.get(begins, "number" if begins else "unknown")


def map_detail(found: MapState, counts: Mapping[str, object]) -> Rendered:
    """Return how far a map has come."""
    detail: Rendered = {
        "opened": found.opened,
        "inFlight": counts["running"],
        "succeeded": found.succeeded,
        "failed": found.failed,
        "skipped": found.skipped,
        "kept": found.kept,
        "undone": found.undone,
        "unreversed": found.unreversed,
    }
    return detail | ({"total": found.total} if found.total is not None else {})


def _of_step(found: Found) -> Rendered:
    plan, step = found.plan, found.step
    rendered: Rendered = {
        "path": plan.path,
        "phase": step.phase.value,
        "round": step.round,
        "attempt": step.attempt,
        "maxAttempts": _max_attempts(found),
        "reason": step.reason or None,
        "timer": step.timer.value if step.timer is not None else None,
        "failure": render_failure(step.failure) if step.failure is not None else None,
        "rollbackFailure": render_failure(step.cleanup_failure) if step.cleanup_failure is not None else None,
    }
    moments = {"startedAt": step.started_at, "finishedAt": step.finished_at, "dueAt": step.due_at}
    rendered |= {name: render_moment_ms(at) for name, at in moments.items() if at is not None}
    if step.map is not None:
        rendered["map"] = map_detail(step.map, render_map(found.saga.state, plan.path) or {"running": 0})
    return {name: told for name, told in rendered.items() if told is not None}


def _max_attempts(found: Found) -> int | None:
    plan, phase = found.plan, found.step.phase
    of = {StepPhase.COMPENSATING: plan.compensate, StepPhase.UNDOING: plan.undo}
    action = of.get(phase, plan.run)
    return action.retries.max_attempts if action is not None and plan.kind.value == "task" else None


def _of_launch(one: Launch) -> Rendered:
    task = one.task
    item: Rendered = {
        "task": task.key,
        "path": task.path,
        "action": task.action.value,
        "round": task.round,
        "attempt": task.attempt,
        "launch": task.launch,
        "phase": one.ended.outcome if one.ended is not None else "Running",
    }
    if one.launched is not None:
        item["startedAt"] = render_moment_ms(one.launched.at)
    if one.ended is not None:
        item["finishedAt"] = render_moment_ms(one.ended.at)
        if one.ended.text:
            item["message"] = one.ended.text
    return item


def _interrupt(known: KnownRun, found: Found, *, with_schema: bool) -> Rendered:
    run = known.definition.run
    item: Rendered = {
        "namespace": run.namespace,
        "run": run.name,
        "runUid": run.uid,
        "reactor": known.definition.reactor_name,
        "approvers": False,
    }
    item |= render_interrupt(found.plan.path, found.plan, found.step)
    if with_schema and known.blueprint is not None:
        waits = known.blueprint.at(found.plan.path).node.step.interrupt
        if waits is not None and waits.payload_schema is not None:
            item["payloadSchema"] = waits.payload_schema
    return item
