"""Performing what the outbox orders, once or again, and telling what came of it.

In: a known run with orders in its outbox. Out: `Performed`: what is done, what happened at once, when to come back.
Never here: a decision, a commit. An order that cannot be performed now stays in the outbox.
"""

import asyncio
from dataclasses import dataclass, replace

from reactor_operator.encryption import CannotDecrypt
from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce, Effect, Notify, RetireTask, StartTask
from reactor_operator.engine.elements import step_at
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.identity import Action, Task, digest_of, idempotency_key
from reactor_operator.engine.state import REASON_LIMIT, Stage
from reactor_operator.ports import Board, Launched, Launcher, NotYet, Refused, TaskOrder, Unavailable
from reactor_operator.reconciling.definition import transaction_of
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.failures import read_failure
from reactor_operator.reconciling.meter import Meter, Unmetered
from reactor_operator.reconciling.pooled import shares_pod
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.port import StoreUnavailable
from reactor_operator.tracing.identity import traceparent

_AGAIN_MS = 1_000
_LONGEST_AGAIN_MS = 30_000
_STILL_RUNS_MS = 5_000
_WITHOUT_KEY_MS = 15_000
_ROOM_MS = 100
"""A task that ends rings the bell. One that was stopped does not, and leaves room all the same."""
_AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """What came of one order. `event` is for the next fold; `again_ms` says when to try what is not done."""

    done: bool
    event: ev.TaskEvent | None = None
    again_ms: int | None = None


_NO_ROOM = Performed(done=False, again_ms=_ROOM_MS)


class Effects:
    """Performs orders against the launcher and the board."""

    def __init__(
        self, launcher: Launcher, board: Board, *, pools: bool = False, meter: Meter | None = None, traced: bool = False
    ) -> None:
        """`pools`: there are workers who take tasks from queues here. `traced`: tasks are told their place in a
        trace."""
        self._launcher = launcher
        self._pools = pools
        self._traced = traced
        self._meter: Meter = meter if meter is not None else Unmetered()
        self._board = board
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._failures: dict[str, int] = {}

    async def perform(self, known: KnownRun, orders: dict[str, Effect], documents: Documents) -> dict[str, Performed]:
        """Perform `orders` side by side and return what came of each, by id."""
        uid = known.definition.run.uid
        results: dict[str, Performed | None] = {}
        problems: list[Exception] = []
        waiting = iter(orders.items())

        async def take_turns() -> None:
            for name, order in waiting:  # each order is taken by one of those who go over them
                if isinstance(order, StartTask) and not self._launcher.has_room:
                    results[name] = _NO_ROOM  # a map may have a thousand that wait: nothing is made of them yet
                    continue
                try:
                    results[name] = await self._one(known, order, documents)
                except Exception as problem:
                    problems.append(problem)

        await asyncio.gather(*(take_turns() for _ in range(min(len(orders), _AT_ONCE))))
        if problems:
            raise problems[0]  # only now that no other is under way: the caller may come back at once
        if None in results.values():
            failures = self._failures[uid] = self._failures.get(uid, 0) + 1
        else:
            failures = self._failures.pop(uid, 0)
        later = Performed(done=False, again_ms=_pause_ms(uid, failures))
        return {name: results[name] or later for name in orders}

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a run that is gone."""
        self._failures.pop(uid, None)

    async def _one(self, known: KnownRun, order: Effect, documents: Documents) -> Performed | None:
        """Perform one order; None where the world did not answer."""
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
                    case Notify():
                        return Performed(done=False)  # the teller has it, and reports what became of it
            except (Unavailable, StoreUnavailable):
                return None

    async def _start(self, known: KnownRun, order: StartTask, documents: Documents) -> Performed:
        task = order.task
        if step_at(known.plan, known.state, task.path).task != task:
            return Performed(done=True)
        if known.state.header.stage is Stage.RECOVERING:
            return Performed(done=False)  # the order may be an old one, carried out and reported in what was lost
        try:
            asked = await _task_order(
                known, order, documents, chunk=self._is_of_a_chunk(known, task), traced=self._traced
            )
        except CannotDecrypt as problem:
            waits = _waits(known, task, render_message(f"KeyMissing: {problem}"))
            return Performed(done=False, event=waits, again_ms=_WITHOUT_KEY_MS)
        match await self._launcher.start(asked):
            case Launched():
                self._meter.launched(known.definition.run)
                return Performed(done=True, event=_waits(known, task, ""))
            case NotYet(again_ms=again_ms, reason=reason):
                return Performed(done=False, event=_waits(known, task, reason), again_ms=again_ms)
            case Refused(failure=failure):
                return Performed(done=True, event=ev.TaskFailed(task=task, failure=failure))

    async def _retire(self, known: KnownRun, order: RetireTask) -> Performed:
        assert known.blueprint is not None
        node = known.blueprint.at(order.task.path).node
        gone = await self._launcher.retire(
            known.definition.run,
            node.scope.reactor,
            node.step,
            order.task,
            stop=order.stop,
            failed=order.failed,
            chunk=self._is_of_a_chunk(known, order.task),
            sensitive=bool(known.blueprint.sensitive.of_task(order.task.path, order.task.action)),
        )
        return Performed(done=gone, again_ms=None if gone else _STILL_RUNS_MS)

    def _is_of_a_chunk(self, known: KnownRun, task: Task) -> bool:
        return self._pools and shares_pod(known.blueprint, known.plan, task)


def _waits(known: KnownRun, task: Task, reason: str) -> ev.TaskWaiting | None:
    """Return that the task waits for another reason than is stored, as far as reasons are stored."""
    changed = reason[:REASON_LIMIT] != step_at(known.plan, known.state, task.path).reason
    return ev.TaskWaiting(task=task, reason=reason) if changed else None


def _pause_ms(uid: str, failures: int) -> int:
    """Return a pause that grows, and differs from run to run, so that a world in trouble is not met by all at once."""
    pause = min(_AGAIN_MS << min(max(failures - 1, 0), 16), _LONGEST_AGAIN_MS)
    return pause + int(digest_of("again", uid, failures)[:8], 16) * pause // 2**33


async def _task_order(
    known: KnownRun, order: StartTask, documents: Documents, *, chunk: bool, traced: bool
) -> TaskOrder:
    assert known.blueprint is not None
    task = order.task
    if chunk:  # the gateway tells the worker the documents of its tasks
        order = replace(order, arguments=None, result=None, failure=None, request=None)
    run = known.definition.run
    transaction = transaction_of(known.definition)
    node = known.blueprint.at(task.path).node
    return TaskOrder(
        run=run,
        reactor=known.definition.reactor_name,
        spec=node.scope.reactor,
        step=node.step,
        task=task,
        arguments=await documents.one(order.arguments) if order.arguments is not None else b"{}",
        result=await documents.one(order.result) if task.action is Action.UNDO else None,
        failure=await read_failure(order.failure, documents) if task.action is Action.COMPENSATE else None,
        request=await documents.one(order.request) if order.request is not None else None,
        uncertain=order.uncertain,
        idempotency_key=idempotency_key(transaction, task.path, task.action, task.round),
        forward_key=idempotency_key(transaction, task.path, Action.RUN, task.round),
        after=order.after,
        sensitive=known.blueprint.sensitive.of_task(task.path, task.action),
        chunk=chunk,
        traceparent=traceparent(run.uid, task.key) if traced and not chunk else "",
    )
