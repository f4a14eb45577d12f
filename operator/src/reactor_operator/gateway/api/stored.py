"""Runs as the store has them, for whoever shows them: where each step is, also in elements, and their documents.

In: runs and paths. Out: what is stored of them. What was read of a run is remembered by its revision.
Never here: a right to see it, a sensitive document opened: an encrypted one is not even read.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from reactor_operator.api.effective import effective
from reactor_operator.api.reactor import Placement
from reactor_operator.engine.elements import index_of, owner_of, plan_at
from reactor_operator.engine.identity import Task
from reactor_operator.engine.plan import Plan, StepPlan
from reactor_operator.engine.state import (
    PAGE,
    ElementOutcome,
    ElementPhase,
    OutcomePage,
    RunState,
    StepPhase,
    StepState,
)
from reactor_operator.engine.values import ValueRef
from reactor_operator.gateway.api.ports import Objects
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.reconciling.records import KnownRun, read_run
from reactor_operator.store.outcome_pages import decode_outcomes, outcome_page_name
from reactor_operator.store.port import Histories, Inbox, Logs, Pages, RunStore, Values

_REMEMBERED = 8
_REMEMBERED_SECONDS = 30.0
_AT_ONCE = 2
_ANY_TIMEOUT = 600_000
"""Nothing that is shown depends on it."""
_ENDS = {
    ElementPhase.SUCCEEDED: StepPhase.SUCCEEDED,
    ElementPhase.SKIPPED: StepPhase.SKIPPED,
    ElementPhase.FAILED: StepPhase.FAILED,
    ElementPhase.STOPPED: StepPhase.CANCELLED,
    ElementPhase.UNDONE: StepPhase.UNDONE,
}


class ShownStore(RunStore, Inbox, Values, Pages, Histories, Logs, Protocol):
    """What is shown of the store."""


@dataclass(frozen=True, slots=True)
class Saga:
    """The run, or an element of a map, that a path is in: its plan, and where it is. `root`: its path."""

    plan: Plan
    state: RunState
    root: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A step: what is planned, where it is, and the saga that it is in."""

    plan: StepPlan
    step: StepState
    saga: Saga


def is_in_job(known: KnownRun, task: Task) -> bool:
    """Tell whether a task has a Job, which names its pod. Its step is one of the run."""
    assert known.blueprint is not None
    node = known.blueprint.at(task.path).node
    return effective(node.scope.reactor, node.step, node.step.action(task.action)).placement is Placement.JOB


class StoredRuns:
    """Reads runs, few at once: tasks of others are answered by the same process."""

    def __init__(self, store: ShownStore, live: Objects) -> None:
        self.store = store
        self._live = live
        self._known: OrderedDict[str, tuple[KnownRun, float]] = OrderedDict()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def uid_of(self, namespace: str, name: str) -> str:
        """Return the uid of a run that is there. Raises Refusal (404), Unavailable."""
        return text_at(await self._live.run(namespace, name), "metadata", "uid")

    async def run(self, namespace: str, name: str) -> KnownRun:
        """Return a run. Raises Refusal (404), StoreUnavailable, Unavailable."""
        return await self.of(await self._live.run(namespace, name))

    async def of(self, run: JsonObject) -> KnownRun:
        """Return what is stored of a run. Raises Refusal (404), StoreUnavailable."""
        uid = text_at(run, "metadata", "uid")
        async with self._turns:
            known, read_at = self._known.get(uid, (None, 0.0))
            if time.monotonic() - read_at > _REMEMBERED_SECONDS:
                known = None  # an older copy of a store comes to the same revision by another way
            snapshot = await self.store.load(uid, known.revision if known is not None else 0)
            if snapshot is None:
                self._known.pop(uid, None)
                raise Refusal(404, f"the store has nothing of run {text_at(run, 'metadata', 'name')!r}")
            if snapshot.records is not None:
                read_at = time.monotonic()
                known = await asyncio.to_thread(
                    read_run, snapshot.records, {}, snapshot.revision, pending_timeout_ms=_ANY_TIMEOUT
                )
            assert known is not None
            self._known[uid] = known, read_at
            self._known.move_to_end(uid)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return known

    async def step(self, known: KnownRun, path: str) -> Found:
        """Return a step, also of an element that is in flight or of which it is known. Raises Refusal (404)."""
        saga = await self.saga(known, path)
        plan = saga.plan.steps.get(path)
        if plan is None:
            raise Refusal(404, f"run {known.definition.run.name!r} has no step {path!r}")
        return Found(plan, saga.state.step(path), saga)

    async def saga(self, known: KnownRun, path: str) -> Saga:
        """Return the saga that a path leads into. Of an element that has ended it is made of what is kept.

        Raises Refusal (404) where nothing is known of the element, StoreUnavailable.
        """
        saga, uid = Saga(known.plan, known.state), known.definition.run.uid
        while "[" in path and (owner := owner_of(saga.plan, path)) is not None:
            of, key = owner
            map_plan = saga.plan.steps[of].map
            assert map_plan is not None
            inner = saga.state.elements.get(of, {}).get(key)
            index = index_of(of, key)
            if inner is None and index is not None:
                inner = _kept(await self.page(uid, saga.state, of, index // PAGE), of, key, index, inside=path != key)
            if inner is None:
                raise Refusal(404, f"nothing is known of {path}: it was never begun, or what is inside it is not kept")
            try:
                plan = plan_at(map_plan, of, key)
            except AssertionError:
                raise Refusal(404, f"run {known.definition.run.name!r} has no step {path!r}") from None
            saga = Saga(plan, inner, key)
        return saga

    async def page(self, uid: str, state: RunState, of: str, number: int) -> OutcomePage:
        """Return what became of those elements of a map that have ended, of one page. Raises StoreUnavailable."""
        return (await self.pages(uid, state, of, [number])).get(number, {})

    async def pages(self, uid: str, state: RunState, of: str, numbers: list[int]) -> dict[int, OutcomePage]:
        """Return pages by their number. Raises StoreUnavailable."""
        hot = state.pages.get(of, {})
        names = {outcome_page_name(of, state.step(of).round, number): number for number in numbers if number not in hot}
        found = {number: hot[number] for number in numbers if number in hot}
        for name, body in (await self.store.get_pages(uid, frozenset(names))).items():
            found[names[name]] = decode_outcomes(of, names[name], uid, body)
        return found

    async def documents(self, uid: str, refs: list[ValueRef]) -> dict[str, bytes]:
        """Return documents by digest, those that are not sensitive and are there. Raises StoreUnavailable."""
        plain = [ref for ref in refs if not ref.encrypted]
        found = {ref.digest: ref.inline for ref in plain if ref.inline is not None}
        return found | dict(
            await self.store.get_values(uid, frozenset(ref.digest for ref in plain if ref.inline is None))
        )


def _kept(page: OutcomePage, of: str, key: str, index: int, *, inside: bool) -> RunState | None:
    """Return what is known of an element that has ended: its saga where that is kept, else its outermost step."""
    outcome = page.get(index)
    if outcome is None or outcome.kept is not None or inside:
        return outcome.kept if outcome is not None else None
    return RunState(steps={key: ended_as(outcome)})


def ended_as(outcome: ElementOutcome) -> StepState:
    """Return the outermost step of an element as its outcome tells it."""
    return StepState(phase=_ENDS[outcome.phase], result=outcome.result, failure=outcome.failure)
