"""Tasks on a laptop: Python and requests in worker processes, containers by docker or podman, and no gateway.

In: `TaskOrder`s. Out: entries in the inbox, the very ones the gateway would have recorded; lines of output.
Never here: a timer (the engine's timeouts come as `retire(stop=True)`), a task that outlives this process, an outcome
that is dropped because the store was away.
"""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.effective import effective
from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.encryption import NO_KEYS, Keyring
from reactor_operator.engine.events import TaskFailed
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.identity import Task, pod_name
from reactor_operator.outcomes.results import ResultsStore
from reactor_operator.ports import Clock, Launched, NotYet, Refused, RunRef, TaskOrder, Unavailable
from reactor_operator.store.port import Appended, Entry, Inbox
from reactor_operator.tasks.laptop.containers import Container, prepare
from reactor_operator.tasks.laptop.engine import Engine, find_engine
from reactor_operator.tasks.laptop.log_book import LogBook
from reactor_operator.tasks.laptop.messages import (
    container_entry,
    event_entry,
    lost_entry,
    masks_of_order,
    no_outcome_entry,
    outcome_entry,
    started_entry,
    worker_order,
)
from reactor_operator.tasks.laptop.results import LaptopResults
from reactor_operator.tasks.laptop.telling import Telling
from reactor_operator.tasks.laptop.variables import Config, agent_variables
from reactor_operator.tasks.laptop.worker import Worker, new_mark
from reactor_operator.tasks.laptop.workers import Workers
from reactor_operator.tasks.manifest_env import Unlaunchable

OnOutput = Callable[[Task, str], None]
_AGAIN_MS = 20
_ENGINE_TURN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaptopSettings:
    """What a laptop is.

    modules:       the folder of the manifest; its files are the modules of handlers.
    config:        keys of ConfigMaps and Secrets, by (kind, name, key).
    at_once:       at most this many tasks at once, over all runs.
    grace_seconds: between asking a task to end and ending it.
    """

    modules: Path
    config: Config = field(default_factory=dict)
    at_once: int = max(16, 4 * (os.cpu_count() or 1))
    grace_seconds: float = 5.0
    python: str = sys.executable


@dataclass(slots=True)
class _Running:
    """A task that runs: what is done for it, and how it is asked to stop.

    told:   its outcome is on its way to the inbox; what is left of it ends by itself.
    closed: it was retired, so nothing of it is remembered when it has ended.
    """

    job: asyncio.Task[None]
    worker: Worker | None = None
    container: Container | None = None
    stopping: asyncio.Task[None] | None = None
    told: bool = False
    closed: bool = False


class LocalLauncher:
    """Implements `ports.Launcher` with local processes. Needs a running event loop; `close` ends everything."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        clock: Clock,
        settings: LaptopSettings,
        on_output: OnOutput | None = None,
        warm: subprocess.Popen[bytes] | None = None,
        keys: Keyring = NO_KEYS,
        results: ResultsStore | None = None,
        logs: LogBook | None = None,
    ) -> None:
        self._telling = Telling(inbox)
        self._clock = clock
        self._settings = settings
        self._keys = keys
        self._results = LaptopResults(results, keys)
        self._logs = logs
        self._on_output = on_output or (lambda _task, _line: None)
        self._workers = Workers(settings.python, warm)
        self._binding = f"laptop {secrets.token_hex(16)}"
        self._running: dict[tuple[str, str], _Running] = {}
        self._ended: set[tuple[str, str]] = set()
        self._engine: asyncio.Future[Engine | str] | None = None
        self._closing = False

    def warm(self) -> None:
        """Start a worker now, so that it is there when the first task comes."""
        self._workers.warm()

    def holds(self, run: RunRef, task: Task) -> bool:
        """Return whether this process runs the task, or ran it and has told its outcome."""
        key = (run.uid, task.key)
        return key in self._running or key in self._ended

    async def report_lost(self, run: RunRef, step: Step, task: Task) -> None:
        """Tell that an open task, started by a process that is no more, went with it.

        Its container, if it was one, may still run: it is removed first.
        """
        action = step.action(task.action)
        if action is not None and action.container is not None:
            await self._remove_leftover(run, task)
        await self._telling.append(lost_entry(run, task))

    @property
    def has_room(self) -> bool:
        """Whether fewer tasks run than may."""
        return len(self._running) < self._settings.at_once and not self._closing

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        """Launch the task unless it runs, or ran, here already."""
        key = (order.run.uid, order.task.key)
        if key in self._running or key in self._ended:
            return Launched()
        if order.after is not None and (order.run.uid, order.after.key) in self._running:
            return NotYet(again_ms=_AGAIN_MS)
        if not self.has_room:
            return NotYet(again_ms=_AGAIN_MS)
        action = order.step.action(order.task.action)
        if action is None:
            raise AssertionError(f"step {order.step.name!r} has no {order.task.action}")
        try:
            if action.by_agent:
                self._start_in_worker(order, action)
                return Launched()
            return await self._start_container(order, action)
        except Unlaunchable as problem:
            return Refused(problem.failure)
        except OSError as problem:
            raise Unavailable(f"step {order.task.path!r}: its process cannot be started now: {problem}") from problem

    async def retire(
        self,
        run: RunRef,
        spec: ReactorSpec,
        step: Step,
        task: Task,
        *,
        stop: bool,
        failed: bool,
        chunk: bool = False,
        sensitive: bool = False,
    ) -> bool:
        """Forget a closed task; `stop` ends it where it still runs (and `start` waits for its death by `after`)."""
        key = (run.uid, task.key)
        running = self._running.get(key)
        if running is None:
            self._ended.discard(key)
            return True
        if not stop and not running.told:
            return False
        running.closed = True
        if not running.told and running.stopping is None:
            if running.worker is not None:
                running.worker.retire()  # now: a turn later the job may have given it back, and another task have it
            running.stopping = asyncio.create_task(self._stop(running))
        return True

    @property
    def is_idle(self) -> bool:
        """Whether no task runs."""
        return not self._running

    async def settle(self) -> None:
        """Wait until every task that was told to stop has ended, by itself or at the end of its grace."""
        await asyncio.gather(*(one.stopping for one in self._running.values() if one.stopping is not None))

    async def finish(self) -> None:
        """Wait until every task has ended by itself, and its outcome is told."""
        while self._running:
            await asyncio.wait([one.job for one in self._running.values()])

    async def close(self) -> None:
        """End every task and worker, without telling their outcomes, and wait until they are gone. Idempotent."""
        self._closing = True
        left = list(self._running.values())
        jobs = [job for one in left for job in (one.job, one.stopping) if job is not None]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await self._telling.close()
        if self._engine is not None:
            self._engine.cancel()
            await asyncio.wait((self._engine,))
        for one in left:
            if one.container is not None:  # a job that was cancelled before it began has removed nothing
                await one.container.remove()
        await self._workers.close()

    def _start_in_worker(self, order: TaskOrder, action: ActionSpec) -> None:
        chosen = effective(order.spec, order.step, action)
        variables = agent_variables(order, action, chosen, self._settings.modules, self._settings.config)
        worker = self._workers.take()
        self._launch(order, lambda: self._do_in_worker(order, variables, worker), worker=worker)

    async def _start_container(self, order: TaskOrder, action: ActionSpec) -> Launched | NotYet | Refused:
        if self._engine is None:
            self._engine = asyncio.ensure_future(find_engine())
        looked_for = self._engine
        await asyncio.wait((looked_for,), timeout=_ENGINE_TURN_SECONDS)
        if not looked_for.done() or self._closing:
            return NotYet(again_ms=_AGAIN_MS)  # whoever drives the run looks around meanwhile: it may be killed
        engine = looked_for.result()
        if isinstance(engine, str):
            self._engine = None  # it may be started meanwhile; the next container asks again
            words = f"step {order.task.path!r}: a container needs docker or podman on a laptop: {engine}"
            return Refused(Failure(kind=FailureKind.CANNOT_START, message=render_message(words)))
        key = (order.run.uid, order.task.key)
        if key not in self._running:  # another call may have launched it while the engine was looked for
            container = prepare(order, action, engine, self._settings.config)
            self._launch(order, lambda: self._do_container(container), container=container)
        return Launched()

    def _launch(
        self,
        order: TaskOrder,
        work: Callable[[], Coroutine[object, object, None]],
        worker: Worker | None = None,
        container: Container | None = None,
    ) -> None:
        key = (order.run.uid, order.task.key)
        job = asyncio.create_task(self._guard(order, work), name=f"task {order.task.key}")
        running = self._running[key] = _Running(job=job, worker=worker, container=container)

        def ended(_: asyncio.Task[None]) -> None:
            del self._running[key]
            if self._logs is not None:
                self._logs.drop(order)
            if not running.closed:
                self._ended.add(key)

        job.add_done_callback(ended)

    async def _guard(self, order: TaskOrder, work: Callable[[], Coroutine[object, object, None]]) -> None:
        """Do the work; where we fail at it, people see it and the run does not wait for ever."""
        try:
            await work()
        except Exception as problem:
            said = {"message": f"task {order.task.key} of run {order.run.name}", "exception": problem}
            asyncio.get_running_loop().call_exception_handler(said)
            words = f"the laptop's launcher failed: {type(problem).__name__}: {problem}"
            failure = Failure(kind=FailureKind.NO_OUTCOME, message=render_message(words))
            event = TaskFailed(task=order.task, failure=failure)
            await self._tell(order, event_entry(order.run, order.task, event))

    async def _do_in_worker(self, order: TaskOrder, variables: Mapping[str, str], worker: Worker) -> None:
        try:
            if not await self._tell_started(order):
                return
            mark = new_mark()
            document = await worker.perform(
                worker_order(order, variables, mark),
                mark,
                self._output_of(order),
                lambda question: self._results.answer(order.run.uid, question),
            )
            if document is None:
                code = await worker.process.wait()
                await self._tell(order, no_outcome_entry(order, code))
                await self._keep_log(order)
                return
            await self._tell(order, outcome_entry(order, document, self._binding, self._keys))
            await self._keep_log(order)
        finally:
            self._workers.give_back(worker)

    async def _do_container(self, container: Container) -> None:
        order = container.order
        try:
            failure = await container.create()
            if failure is not None:
                await self._tell(
                    order, event_entry(order.run, order.task, TaskFailed(task=order.task, failure=failure))
                )
            elif await self._tell_started(order):
                event, values = await container.run(self._output_of(order))
                await self._tell(order, container_entry(order, event, values, self._keys))
                await self._keep_log(order)
        finally:
            await container.remove()

    async def _stop(self, running: _Running) -> None:
        if running.container is not None:
            await running.container.stop(self._settings.grace_seconds)
        elif running.worker is not None and not running.job.done():  # else its worker is given back, or ended
            running.worker.process.terminate()
            await asyncio.wait((running.job,), timeout=self._settings.grace_seconds)
            running.worker.process.kill()
            await running.worker.process.wait()

    async def _remove_leftover(self, run: RunRef, task: Task) -> None:
        engine = await find_engine()
        if isinstance(engine, Engine):
            await engine.run("rm", "--force", pod_name(run.name, run.uid, task))

    async def _tell_started(self, order: TaskOrder) -> bool:
        """Check in, as the gateway would; False where the task may not be begun.

        Where another process checked in before, that one ended in the middle of it (there is one at a time).
        """
        answer = await self._telling.append(started_entry(order, self._clock.now(), self._binding))
        if answer is Appended.CONFLICT:
            await self._tell(order, lost_entry(order.run, order.task))
        return answer in (Appended.RECORDED, Appended.REPEATED)

    async def _keep_log(self, order: TaskOrder) -> None:
        """Keep what a task printed, now that its outcome is told: the run does not wait for it."""
        if self._logs is not None:
            await self._logs.end(order)

    async def _tell(self, order: TaskOrder, outcome: Entry) -> None:
        """Record an outcome."""
        running = self._running[order.run.uid, order.task.key]
        running.told = True
        await self._telling.append(outcome)

    def _output_of(self, order: TaskOrder) -> Callable[[str], None]:
        masks = masks_of_order(order)
        note: Callable[[str], None] = self._logs.begin(order) if self._logs is not None else lambda line: None

        def take(line: str) -> None:
            shown = masks.text(line) if masks else line
            note(shown)
            self._on_output(order.task, shown)

        return take
