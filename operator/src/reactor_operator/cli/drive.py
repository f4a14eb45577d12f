"""The loop that drives one run to its end in this process: the operator's own reconcile over local tasks.

In: a run, a store, an epoch. Out: the run's last view. It sleeps until a task reports, a timer is due or somebody
presses Ctrl-C, and never polls. Never here: a rule of the saga.
"""

import asyncio
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.laptop import LaptopBoard, LaptopRun, Manifested, WallClock
from reactor_operator.cli.manifests import Manifests
from reactor_operator.cli.notified import count_pending, render_undelivered
from reactor_operator.cli.progress import Progress
from reactor_operator.cli.run_view import RunView
from reactor_operator.encryption import NO_KEYS, Keyring
from reactor_operator.engine.actions import StartTask
from reactor_operator.engine.draft import open_tasks
from reactor_operator.engine.events import CancelRequested
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import RunPhase
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.notifications.observers import Observers
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.notifications.teller import OutsideTeller
from reactor_operator.ports import RunRef
from reactor_operator.reconcile import Reconciler, ReconcileSettings
from reactor_operator.reconciling.meter import Meter
from reactor_operator.reconciling.places import Alone
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry, OldEpoch, Store
from reactor_operator.tasks.laptop.log_book import LogBook
from reactor_operator.tasks.local import LaptopSettings, LocalLauncher

SETTLE_MS = 10_000
"""How long processes that were told to stop, and endpoints that are still to be told, may take after a run's end."""
WAITS_MS = 60_000
"""How long a run that waits for signals alone is driven on because a timer of it will end the wait."""

FIRST = "cancelling: nothing new starts and nothing is undone; Ctrl-C again kills what still runs"


class Killed(Exception):
    """The user asked twice: whatever runs was killed and the run is left as it is."""

    def __init__(self, left: RunView) -> None:
        super().__init__("killed")
        self.left = left


class Interrupts:
    """Ctrl-C (and SIGTERM): once to cancel, twice to kill."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.first = FIRST
        self._say = say
        self._count = 0
        self._pressed = asyncio.Event()

    @property
    def cancelled(self) -> bool:
        """Whether the user wants no more."""
        return self._count > 0

    def press(self) -> None:
        """Take one."""
        self._count += 1
        self._pressed.set()
        if self._count == 1 and self.first:
            self._say(self.first)

    async def next(self) -> int:
        """Wait for the next one and return how many there were."""
        await self._pressed.wait()
        self._pressed.clear()
        return self._count


@asynccontextmanager
async def interrupts(say: Callable[[str], None]) -> AsyncIterator[Interrupts]:
    """Listen for Ctrl-C and SIGTERM meanwhile."""
    found = Interrupts(say)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, found.press)
    try:
        yield found
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def nobody_looks(_: RunView) -> None:
    """Show a run to nobody beside the command's own progress."""


class Driver:
    """Drives the runs of one command, one after the other, in one store."""

    def __init__(
        self,
        *,
        store: Store,
        epoch: int,
        manifests: Manifests,
        stops: Interrupts,
        verbose: bool,
        signing_keys: SigningKeys,
        observers: Observers,
        warm: subprocess.Popen[bytes] | None = None,
        keyring: Keyring = NO_KEYS,
        look: Callable[[RunView], None] = nobody_looks,
        traces: Meter | None = None,
    ) -> None:
        """`look` is shown each run as it changes, beside the progress of the command."""
        self.due: dict[str, int | None] = {}
        self._look = look
        self.logs = LogBook(store)
        self._store = store
        self._traces = traces
        self._keyring = keyring
        self._epoch = epoch
        self._manifests = manifests
        self._stops = stops
        self._verbose = verbose
        self._signing_keys = signing_keys
        self._observers = observers
        self._clock = WallClock()
        self._warm = warm

    async def drive(
        self, run: LaptopRun, progress: Progress, known: KnownRun | None = None, *, leaves: bool = False
    ) -> RunView:
        """Drive a run until it has ended and its processes are gone; `known` is what the store has of it.

        leaves: Ctrl-C does not cancel the run: what is in flight is let end, and the run is left as it is then.
        When a run that holds still has to be looked at again is in `due`, by its uid. Raises Killed and CommandError.
        """

        def look(view: RunView) -> None:
            progress.show(view)
            self._look(view)

        board = LaptopBoard(run, look)
        evaluator = ProcessEvaluator(workers=1)
        launcher = self._launcher(run, progress)
        teller = OutsideTeller(inbox=self._store, clock=self._clock, keys=self._signing_keys, observers=self._observers)
        reconciler = Reconciler(
            store=self._store,
            definitions=Manifested(run, self._manifests),
            launcher=launcher,
            board=board,
            evaluator=evaluator,
            siblings=Alone(),
            clock=self._clock,
            epoch=self._epoch,
            settings=ReconcileSettings(start_deadline_ms=0),
            teller=teller,
            keyring=self._keyring,
            meter=self._traces,
            traced=self._traces is not None,
        )
        try:
            if known is not None:
                await self._give_up_lost(known, launcher)
            await self._loop(run, reconciler, board, launcher, leaves=leaves)
            if undelivered := render_undelivered(board.last):
                progress.say(undelivered)
            await self._settle(launcher.finish() if leaves else launcher.settle())
        except OldEpoch:
            raise CommandError(
                f"another `reactor run` works on the same state file and took over run '{run.ref.name}'; this one stops"
            ) from None
        finally:
            await teller.close()
            await launcher.close()
            await evaluator.close()
        return board.last

    def _launcher(self, run: LaptopRun, progress: Progress) -> LocalLauncher:
        def show(task: Task, line: str) -> None:
            progress.say(
                f"{task.path}: {line}" if task.action is Action.RUN else f"{task.path} ({task.action}): {line}"
            )

        warm, self._warm = self._warm, None
        return LocalLauncher(
            inbox=self._store,
            clock=self._clock,
            settings=LaptopSettings(
                modules=run.sound.reactor.manifest.folder.absolute(),
                config=self._manifests.entries(run.written_namespace),
            ),
            on_output=show if self._verbose else None,
            warm=warm,
            keys=self._keyring,
            results=self._store,
            logs=self.logs,
        )

    async def _give_up_lost(self, known: KnownRun, launcher: LocalLauncher) -> None:
        """Tell of every task that an earlier process started and took with it when it ended."""
        run, blueprint = known.definition.run, known.blueprint
        if blueprint is None:
            return
        ordered = {order.task for order in known.outbox.values() if isinstance(order, StartTask)}
        for task in open_tasks(known.state):
            open_ = await self._store.open_task(run.uid, task.key)
            if open_ is not None and not open_.outcome and (open_.binding or task not in ordered):
                await launcher.report_lost(run, blueprint.step(task.path), task)

    async def _loop(
        self, run: LaptopRun, reconciler: Reconciler, board: LaptopBoard, launcher: LocalLauncher, *, leaves: bool
    ) -> None:
        """Reconcile until the run has ended, holds still because it is suspended or waits for a signal, or waits for
        another run to end; then wait a bounded time for what is still to be told."""
        rings = self._store.rings()
        ring = asyncio.ensure_future(anext(rings))
        stop = asyncio.ensure_future(self._stops.next())
        give_up_at: int | None = None
        try:
            while not (leaves and self._stops.cancelled):
                wake_at = self.due[run.ref.uid] = await reconciler.reconcile(run.ref)
                if board.last.waits_for_its_start:
                    return  # for another run with its key, which does not go on while this one is driven
                now = self._clock.now()
                soon = wake_at is not None and wake_at <= now + WAITS_MS  # a timer ends the wait in a moment
                holds = launcher.is_idle and (
                    board.last.phase == RunPhase.SUSPENDED or (board.last.phase == RunPhase.PAUSED and not soon)
                )
                if holds or board.last.ended:
                    give_up_at = give_up_at or now + SETTLE_MS
                    owed = count_pending(board.last) or (wake_at is not None and board.last.ended)
                    if not owed or now >= give_up_at:
                        return
                    wake_at = min(wake_at or give_up_at, give_up_at)
                seconds = None if wake_at is None else max(wake_at - now, 0) / 1000
                await asyncio.wait({ring, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                if ring.done():
                    ring = asyncio.ensure_future(anext(rings))
                if stop.done():
                    if stop.result() > 1:
                        raise Killed(board.last)
                    if leaves or holds or board.last.ended:
                        return
                    stop = asyncio.ensure_future(self._stops.next())
                    await self._cancel(run.ref)
        finally:
            ring.cancel()
            stop.cancel()

    async def _settle(self, settling: Coroutine[object, object, None]) -> None:
        """Let what was told to stop end by itself, as a pod may; Ctrl-C kills it."""
        settled = asyncio.ensure_future(settling)
        stop = asyncio.ensure_future(self._stops.next())
        try:
            await asyncio.wait({settled, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            settled.cancel()
            stop.cancel()

    async def _cancel(self, ref: RunRef) -> None:
        # An id of its own: the inbox takes a request that it has had for the same one, also in a later process.
        request = CancelRequested(id=f"ctrl-c-{secrets.token_hex(6)}", reason="interrupted with Ctrl-C", by="the user")
        await self._store.append(Entry(run=ref.uid, digest=request.id, body=encode_event(request)))
