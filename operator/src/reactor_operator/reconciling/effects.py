"""Performing what the outbox orders, once or again, and telling what came of it.

In: a known run with orders in its outbox. Out: `Performed`: what is done, what happened at once, when to come back.
Never here: a decision, a commit. An order that cannot be performed now stays in the outbox.
"""

import asyncio
from dataclasses import dataclass

import orjson

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce, Effect, RetireTask, StartTask
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.identity import Action, idempotency_key
from reactor_operator.engine.state import Stage
from reactor_operator.ports import Board, Launched, Launcher, NotYet, Refused, TaskOrder, Unavailable
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.records import KnownRun, failure_document
from reactor_operator.store.port import StoreUnavailable

_AGAIN_MS = 1_000
_STILL_RUNS_MS = 5_000
_AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """What came of one order. `event` is for the next fold; `again_ms` says when to try what is not done."""

    done: bool
    event: ev.TaskEvent | None = None
    again_ms: int | None = None


class Effects:
    """Performs orders against the launcher and the board."""

    def __init__(self, launcher: Launcher, board: Board) -> None:
        self._launcher = launcher
        self._board = board
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def perform(self, known: KnownRun, orders: dict[str, Effect], documents: Documents) -> dict[str, Performed]:
        """Perform `orders` side by side and return what came of each, by id."""
        results = await asyncio.gather(*(self._one(known, order, documents) for order in orders.values()))
        return dict(zip(orders, results, strict=True))

    async def _one(self, known: KnownRun, order: Effect, documents: Documents) -> Performed:
        async with self._slots:
            try:
                match order:
                    case StartTask():
                        return await self._start(known, order, documents)
                    case RetireTask():
                        return await self._retire(known, order)
                    case Announce():
                        await self._board.announce(known.definition.run, order)
                        return Performed(done=True)
            except (Unavailable, StoreUnavailable):
                return Performed(done=False, again_ms=_AGAIN_MS)

    async def _start(self, known: KnownRun, order: StartTask, documents: Documents) -> Performed:
        task = order.task
        if known.state.step(task.path).task != task:
            return Performed(done=True)
        if known.state.header.stage is Stage.RECOVERING:
            return Performed(done=False)  # the order may be an old one, carried out and reported in what was lost
        answer = await self._launcher.start(await _task_order(known, order, documents))
        match answer:
            case Launched():
                event = ev.TaskWaiting(task=task, reason="") if known.state.step(task.path).reason else None
                return Performed(done=True, event=event)
            case NotYet(again_ms=again_ms, reason=reason):
                changed = reason != known.state.step(task.path).reason
                event = ev.TaskWaiting(task=task, reason=reason) if changed else None
                return Performed(done=False, event=event, again_ms=again_ms)
            case Refused(failure=failure):
                return Performed(done=True, event=ev.TaskFailed(task=task, failure=failure))

    async def _retire(self, known: KnownRun, order: RetireTask) -> Performed:
        assert known.spec is not None
        step = known.spec.step(order.task.path)
        gone = await self._launcher.retire(
            known.definition.run, known.spec, step, order.task, stop=order.stop, failed=order.failed
        )
        return Performed(done=gone, again_ms=None if gone else _STILL_RUNS_MS)


async def _task_order(known: KnownRun, order: StartTask, documents: Documents) -> TaskOrder:
    assert known.spec is not None
    task = order.task
    run = known.definition.run
    return TaskOrder(
        run=run,
        reactor=known.definition.reactor_name,
        spec=known.spec,
        step=known.spec.step(task.path),
        task=task,
        arguments=await documents.one(order.arguments) if order.arguments is not None else b"{}",
        result=await documents.one(order.result) if task.action is Action.UNDO else None,
        failure=await _failure(order.failure, documents) if task.action is Action.COMPENSATE else None,
        uncertain=order.uncertain,
        idempotency_key=idempotency_key(run.uid, task.path, task.action, task.round),
        forward_key=idempotency_key(run.uid, task.path, Action.RUN, task.round),
        after=order.after,
    )


async def _failure(failure: Failure | None, documents: Documents) -> bytes:
    detail = orjson.loads(await documents.one(failure.detail)) if failure is not None and failure.detail else None
    return failure_document(failure, detail)
