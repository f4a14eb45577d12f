"""One operator process of the simulation: which runs it knows to be dirty from when on, and what it is doing.

In: news of runs, and the clock. Out: coroutines that stop at checkpoints. Never here: which of them goes on, or faults.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field

from reactor_operator.changes.requests import Requests
from reactor_operator.ports import RunRef, Unavailable
from reactor_operator.reconcile import Reconciler
from reactor_operator.store.port import OldEpoch, StoreUnavailable
from tests.simulation.connection import Connection
from tests.simulation.faulty_store import FaultyStore

AGAIN_MS = 500
ASK_AGAIN_MS = 2_000
RELIST_MS = 15_000
Work = tuple[str, str]
"""What is done (`reconcile`, `look`, `take up`), and for which run."""


@dataclass
class Operator:
    """`dirty` says from when on each kind of work is due; `late` holds news that are still on their way.

    `skew_ms` is how far its clock is ahead.
    """

    name: str
    epoch: int
    store: FaultyStore
    connection: Connection
    reconciler: Reconciler
    skew_ms: int = 0
    requests: Requests = field(init=False)
    dirty: dict[Work, int] = field(default_factory=dict)
    late: list[tuple[int, str]] = field(default_factory=list)
    busy: dict[Work, asyncio.Task[int | None]] = field(default_factory=dict)
    relist_at: int = 0
    alive: bool = True

    def __post_init__(self) -> None:
        """Requests are taken up by the operator's own code."""
        self.requests = Requests(
            inbox=self.store,
            board=self.connection,
            remove=self.connection.take_away,
            mark=lambda ref: self._mark(("reconcile", ref.uid), 0),
            outlived=self.reconciler.outlived,
            standing=self.reconciler.standing,
        )

    def mark(self, run: str, at: int = 0) -> None:
        """Look at the run, its pods and what is asked of it from `at` on, or earlier where that was going to be."""
        for kind in ("look", "reconcile"):
            self._mark((kind, run), at)
        if self.connection.is_asked(run):
            self._mark(("take up", run), at)

    def begin(self, runs: dict[str, RunRef], now: int) -> bool:
        """Begin what is due, of each kind at most one at once for a run; False where nothing is."""
        begun = False
        for work, at in list(self.dirty.items()):
            kind, uid = work
            if uid not in runs:
                del self.dirty[work]
            elif self.alive and at <= now and work not in self.busy:
                del self.dirty[work]
                self.busy[work] = asyncio.ensure_future(self._do(kind, runs[uid]))
                begun = True
        return begun

    def collect(self, now: int) -> None:
        """Take the results of what has ended; what failed for want of an answer is done again."""
        for work, task in [(work, task) for work, task in self.busy.items() if task.done()]:
            del self.busy[work]
            if task.cancelled():
                continue
            problem = task.exception()
            if problem is None:
                wake_at = task.result()
                if wake_at is not None:
                    self._mark(work, wake_at - self.skew_ms if work[0] == "reconcile" else wake_at)
            elif isinstance(problem, OldEpoch):
                self.alive = False
            elif isinstance(problem, Unavailable | StoreUnavailable):
                self._mark(work, now + AGAIN_MS)
            else:
                raise problem

    def take_late(self, now: int) -> list[str]:
        """Take the news that arrive only now."""
        arrived = [run for at, run in self.late if at <= now]
        self.late = [(at, run) for at, run in self.late if at > now]
        return arrived

    def next_time(self) -> list[int]:
        """Return the times at which something will be due."""
        return [*self.dirty.values(), *(at for at, _ in self.late), self.relist_at] if self.alive else []

    def notice_another_store(self, runs: Iterable[str]) -> None:
        """The store is not the one it was: what was told to it is told again, and every run is looked at."""
        self.connection.forget_what_was_told()
        self.reconciler.distrust()
        for run in runs:
            self.mark(run)

    async def stop(self) -> None:
        """SIGKILL: nothing more of it runs, wherever it was."""
        self.alive = False
        for task in self.busy.values():
            task.cancel()
        await asyncio.gather(*self.busy.values(), return_exceptions=True)
        self.busy.clear()

    def _mark(self, work: Work, at: int) -> None:
        self.dirty[work] = min(at, self.dirty.get(work, at))

    def _do(self, kind: str, ref: RunRef) -> Coroutine[None, None, int | None]:
        match kind:
            case "look":
                return self._look(ref)
            case "take up":
                return self._take_up(ref)
            case _:
                return self.reconciler.reconcile(ref)

    async def _take_up(self, ref: RunRef) -> int | None:
        run = self.connection.told_run(ref)
        if run is None or await self.requests.take_up(run):
            return None
        return self.connection.now() + ASK_AGAIN_MS

    def _look(self, ref: RunRef) -> Coroutine[None, None, None]:
        launched = [task for known, task in self.reconciler.launched() if known.definition.run == ref]
        return self.connection.look(ref, launched)
