"""Runs that go on because somebody asked something of them in the dashboard, or because a timer of theirs is due.

In: the bell of the store. Out: runs driven in this process, several at once, each as `reactor resume --state` would.
Never here: a run that nobody asked anything of, a decision, or a run that the command itself drives meanwhile.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from reactor_operator.cli.drive import Driver, Killed
from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.laptop import LaptopRun, WallClock
from reactor_operator.cli.progress import Silence
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.stored import delete_undone, load_known
from reactor_operator.engine.state import ENDED, RunPhase
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.port import Store, StoreUnavailable

_HELD = frozenset({RunPhase.PAUSED, RunPhase.SUSPENDED})


class Drivable(Protocol):
    """Whoever knows what a run needs to be driven."""

    async def laptop_run(self, uid: str) -> LaptopRun | None:
        """Return the run with what it needs, None where that is not here."""

    def forgotten(self, ref: RunRef) -> None:
        """Take note that a run was deleted."""


class Keeper:
    """Drives runs on. `say` is told which."""

    def __init__(self, store: Store, driver: Driver, runs: Drivable, say: Callable[[str], None]) -> None:
        self.last: dict[str, RunView] = {}
        self._store = store
        self._driver = driver
        self._runs = runs
        self._say = say
        self._kept: dict[str, asyncio.Task[None]] = {}
        self._rung: dict[str, asyncio.Event] = {}
        self._driving: set[str] = set()
        self._closing = False
        self._clock = WallClock()

    async def listen(self) -> None:
        """Drive on each run that is rung for, until cancelled."""
        async for uid in self._store.rings():
            self.wake(uid)

    def wake(self, uid: str) -> None:
        """Look at a run: there is something in its inbox, or a timer of it to wait for."""
        self._rung.setdefault(uid, asyncio.Event()).set()
        if uid not in self._kept and uid not in self._driving and not self._closing:
            self._kept[uid] = asyncio.create_task(self._keep(uid), name=f"keeping {uid}")

    @contextmanager
    def leaving(self, uid: str) -> Iterator[None]:
        """Leave a run to the command, until the block ends; then it is kept."""
        self._driving.add(uid)
        try:
            yield
        finally:
            self._driving.discard(uid)
        self.wake(uid)

    @property
    def is_busy(self) -> bool:
        """Whether anything is driven now."""
        return bool(self._driving)

    async def close(self, *, at_once: bool = False) -> None:
        """End: runs that hold still are left at once, others when what is in flight has ended (`at_once`: at once).

        Whoever pressed Ctrl-C has told the driver so.
        """
        self._closing = True
        for uid, task in self._kept.items():
            if at_once or uid not in self._driving:
                task.cancel()
        await asyncio.gather(*self._kept.values(), return_exceptions=True)

    async def _keep(self, uid: str) -> None:
        """Drive a run whenever it is rung for or a timer of it is due, until it has ended."""
        rung = self._rung[uid]
        try:
            while True:
                rung.clear()
                if not await self._drive_on(uid):
                    return
                due = self._driver.due.get(uid)
                await _rung_or_due(rung, None if due is None else max(due - self._clock.now(), 0) / 1000)
        except (CommandError, StoreUnavailable) as problem:
            self._say(f"error: {problem}")
        except Killed:
            return
        except Exception as problem:
            said = {"message": f"run {uid} cannot be driven on", "exception": problem}
            asyncio.get_running_loop().call_exception_handler(said)
        finally:
            del self._kept[uid]
            if rung.is_set():
                self.wake(uid)

    async def _drive_on(self, uid: str) -> bool:
        """Drive a run where there is anything to do for it; tell whether there may be again."""
        run = await self._runs.laptop_run(uid)
        snapshot = await self._store.load(uid)
        if run is None or snapshot is None or self._closing:
            return False
        known = await load_known(self._store, run.ref)
        if known is None:
            return False
        before = known.state.header.phase
        if not snapshot.inbox and (before in ENDED or self._holds(uid, before)):
            return before not in ENDED
        view = await self._drive(run, known)
        if view.phase != before:
            self._say(f"{run.ref.name} went on: {view.phase}")
        if await delete_undone(self._store, run.ref):
            self._runs.forgotten(run.ref)
            self._say(f"{run.ref.name} is undone and deleted")
            return False
        return not view.ended

    def _holds(self, uid: str, phase: RunPhase) -> bool:
        """Tell whether a run, of which nothing waits to be read, was looked at and only waits for its time."""
        due = self._driver.due.get(uid, 0)
        return phase in _HELD and (due is None or due > self._clock.now())

    async def _drive(self, run: LaptopRun, known: KnownRun) -> RunView:
        uid = run.ref.uid
        self._driving.add(uid)
        try:
            view = self.last[uid] = await self._driver.drive(run, Silence(), known, leaves=True)
        finally:
            self._driving.discard(uid)
        return view


async def _rung_or_due(rung: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await rung.wait()
    except TimeoutError:
        return
