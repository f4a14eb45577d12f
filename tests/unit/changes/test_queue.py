"""The queue of runs: nothing is lost, nothing runs twice at once, and one failing run stops no other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.ports import RunRef, Unavailable
from reactor_operator.running.clock import WallClock
from reactor_operator.store.port import OldEpoch

A, B = RunRef("shop", "a", "uid-a"), RunRef("shop", "b", "uid-b")


class Recorder:
    """Reconciles by a function, and tells how often each run was reconciled and how many at once."""

    def __init__(self, act: Callable[[RunRef, int], Awaitable[int | None]]) -> None:
        self.calls: list[RunRef] = []
        self.now: dict[RunRef, int] = {}
        self.most = 0
        self._act = act
        self._called = asyncio.Condition()

    async def reconcile(self, ref: RunRef) -> int | None:
        self.calls.append(ref)
        self.now[ref] = self.now.get(ref, 0) + 1
        self.most = max(self.most, self.now[ref])
        try:
            return await self._act(ref, self.calls.count(ref))
        finally:
            self.now[ref] -= 1
            async with self._called:
                self._called.notify_all()

    async def wait_for(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5), self._called:
            await self._called.wait_for(true)


@asynccontextmanager
async def running(recorder: Recorder, **options: int) -> AsyncIterator[ReconcileQueue[RunRef]]:
    queue = ReconcileQueue(recorder.reconcile, WallClock(), ChangeMetrics(CollectorRegistry()), **options)
    task = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def at_once(_: RunRef, __: int) -> None:
    return None


async def test_a_marked_run_is_reconciled() -> None:
    recorder = Recorder(at_once)
    async with running(recorder) as queue:
        queue.mark(A)
        queue.mark(A)
        queue.mark(B)
        await recorder.wait_for(lambda: len(recorder.calls) == 2)
    assert recorder.calls == [A, B]


async def test_a_run_marked_while_it_is_reconciled_is_reconciled_once_more_and_never_twice_at_once() -> None:
    go = asyncio.Event()

    async def wait(_: RunRef, __: int) -> None:
        await go.wait()

    recorder = Recorder(wait)
    async with running(recorder) as queue:
        queue.mark(A)
        while not recorder.calls:  # noqa: ASYNC110 - one turn of the loop
            await asyncio.sleep(0)
        for _ in range(5):
            queue.mark(A)
        go.set()
        await recorder.wait_for(lambda: len(recorder.calls) == 2 and not queue.is_busy)
    assert recorder.calls == [A, A]
    assert recorder.most == 1


async def test_runs_are_reconciled_side_by_side() -> None:
    both = asyncio.Barrier(2)

    async def meet(_: RunRef, __: int) -> None:
        await both.wait()

    recorder = Recorder(meet)
    async with running(recorder) as queue:
        queue.mark(A)
        queue.mark(B)
        await recorder.wait_for(lambda: len(recorder.calls) == 2)


async def test_a_run_comes_again_when_it_asked_to() -> None:
    async def again(_: RunRef, count: int) -> int | None:
        return WallClock().now() + 20 if count < 3 else None

    recorder = Recorder(again)
    async with running(recorder) as queue:
        queue.mark(A)
        await recorder.wait_for(lambda: len(recorder.calls) == 3)


async def test_the_earliest_time_counts() -> None:
    recorder = Recorder(at_once)
    async with running(recorder) as queue:
        now = WallClock().now()
        queue.mark_at(A, now + 60_000)
        queue.mark_at(A, now + 10)
        queue.mark_at(A, now + 70_000)
        await recorder.wait_for(lambda: len(recorder.calls) == 1)


@pytest.mark.parametrize("problem", [Unavailable("away"), RuntimeError("bug")])
async def test_a_failing_run_is_tried_again_and_stops_no_other(problem: Exception) -> None:
    async def fail(ref: RunRef, count: int) -> None:
        if ref == A and count == 1:
            raise problem

    recorder = Recorder(fail)
    async with running(recorder) as queue:
        queue.mark(A)
        queue.mark(B)
        await recorder.wait_for(lambda: recorder.calls.count(A) == 2)
    assert B in recorder.calls


async def test_an_operator_that_was_replaced_stops() -> None:
    async def replaced(_: RunRef, __: int) -> None:
        raise OldEpoch("2 is the epoch now")

    recorder = Recorder(replaced)
    queue = ReconcileQueue(recorder.reconcile, WallClock(), ChangeMetrics(CollectorRegistry()))
    queue.mark(A)
    async with asyncio.timeout(5):
        with pytest.raises(OldEpoch):
            await queue.run()


async def test_a_run_that_is_gone_is_forgotten() -> None:
    recorder = Recorder(at_once)
    async with running(recorder) as queue:
        queue.mark_at(A, WallClock().now() + 10)
        queue.forget(A)
        queue.mark_at(B, WallClock().now() + 30)
        await recorder.wait_for(lambda: B in recorder.calls)
    assert A not in recorder.calls


@pytest.mark.parametrize("problem", [None, Unavailable("away")])
async def test_a_run_that_goes_while_it_is_reconciled_is_not_reconciled_again(problem: Exception | None) -> None:
    async def act(ref: RunRef, count: int) -> int | None:
        if ref == A:
            queue.mark(A)
            queue.forget(A)
            if problem is not None:
                raise problem
            return WallClock().now() + 1
        return WallClock().now() + 50 if count == 1 else None

    recorder = Recorder(act)
    async with running(recorder) as queue:
        queue.mark(A)
        queue.mark(B)
        await recorder.wait_for(lambda: recorder.calls.count(B) == 2)
        assert not queue.is_busy
    assert recorder.calls.count(A) == 1


async def test_at_most_so_many_run_at_once() -> None:
    here = 0
    most = 0

    async def count(_: RunRef, __: int) -> None:
        nonlocal here, most
        here += 1
        most = max(most, here)
        await asyncio.sleep(0.001)
        here -= 1

    recorder = Recorder(count)
    async with running(recorder, at_once=3) as queue:
        for number in range(20):
            queue.mark(RunRef("shop", f"r{number}", str(number)))
        await recorder.wait_for(lambda: len(recorder.calls) == 20)
    assert most <= 3
