"""A worker of a pool as its pod runs it: the real `python -m reactor pool`, and a run whose tasks wait for it."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import reactor
from reactor_operator.engine.events import Event, Outcome, TaskFailed, TaskLost
from reactor_operator.engine.identity import Action, Task, parse_task_key
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.record import OpenRecord, encode_record
from reactor_operator.gateway.tokens import pool_fence, task_token
from reactor_operator.store.codec import decode_event
from reactor_operator.store.port import Commit
from tests.contract.gateway_server import KEY, RUN, ServedStore

POOL = "shop/workers"
_PLAIN = OpenRecord()
DEADLINE_SECONDS = 40.0
T = TypeVar("T")


@dataclass
class PooledRun:
    """A run in the store; what is queued here, workers of the pool do."""

    store: ServedStore
    handler: str = "work:work"
    step_document: dict[str, object] = field(default_factory=dict)
    run: str = RUN

    def document(self) -> bytes:
        variables = {"REACTOR_HANDLER": self.handler}
        return json.dumps(
            {"run": "order-1", "transaction": "t-1", "variables": variables, **self.step_document}
        ).encode()

    async def queue(
        self,
        *chunks: Sequence[Mapping[str, object]],
        action: Action = Action.RUN,
        path: str = "rows[{}]",
        record: OpenRecord = _PLAIN,
        first: int = 0,
        pool: str = POOL,
    ) -> list[Task]:
        """Queue chunks of tasks with these arguments; return the tasks."""
        numbers = itertools.count(first)
        values = {reference_to(self.document()).digest: self.document()}
        opens: dict[str, bytes] = {}
        keys: list[list[str]] = []
        for chunk in chunks:
            keys.append([])
            for arguments in chunk:
                task = Task(path.format(next(numbers)), action, 1, 1, 1)
                body = json.dumps(arguments).encode()
                ref = reference_to(body, f"{task.key} arguments")
                if ref.inline is None:
                    values[ref.digest] = body
                opens[task.key] = encode_record(replace(record, arguments=ref, pool=reference_to(self.document())))
                keys[-1].append(task.key)
        found = await self.store.load(self.run)
        await self.store.commit(
            Commit(
                run=self.run,
                revision=found.revision if found else 0,
                epoch=1,
                values=values,
                opens=opens,
                queued={pool: tuple(map(tuple, keys))},
            )
        )
        return [found for found in map(parse_task_key, opens) if found is not None]

    async def close(self, *tasks: Task) -> None:
        """Close tasks, as the engine would whose timeout or cancellation came; what the inbox holds is read."""
        found = await self.store.load(self.run)
        assert found is not None
        position = found.inbox[-1][0] if found.inbox else 0
        await self.store.commit(
            Commit(
                run=self.run,
                revision=found.revision,
                epoch=1,
                inbox_position=position,
                closes=frozenset(task.key for task in tasks),
            )
        )

    async def events(self) -> list[Event]:
        found = await self.store.load(self.run)
        return [decode_event(body) for _, body in found.inbox] if found else []

    async def wait_for(self, count: int) -> dict[str, Event]:
        """Wait until so many outcomes are in the inbox; return them by the path of their task."""

        async def enough() -> list[Outcome]:
            found = [one for one in await self.events() if isinstance(one, Outcome)]
            return found if len(found) >= count else []

        return {one.task.path: one for one in await until(enough)}


@dataclass
class PoolWorker:
    """One worker. A module named `work` is its handlers."""

    folder: Path
    port: int
    source: str = ""
    concurrency: int = 2
    variables: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "PoolWorker":
        modules = self.folder / "modules"
        modules.mkdir(exist_ok=True)
        (modules / "work.py").write_text(self.source)
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(reactor.__file__).parents[1]),
            "REACTOR_GATEWAY": f"http://127.0.0.1:{self.port}",
            "REACTOR_POOL": POOL,
            "REACTOR_POOL_TOKEN": task_token(KEY, pool_fence(POOL)),
            "REACTOR_POOL_CONCURRENCY": str(self.concurrency),
            "REACTOR_MODULES": str(modules),
            "FOLDER": str(self.folder),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "reactor", "pool"],
                env=variables | self.variables,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def tell(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for the end; return the exit code."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, DEADLINE_SECONDS)

    async def wait_for_file(self, name: str) -> Path:
        """Wait for a handler to have made a file in `folder`."""

        async def there() -> bool:
            return (self.folder / name).exists()

        assert await until(there), self.log.read_text()
        return self.folder / name

    async def wait_for_words(self, words: str) -> None:
        """Wait for something to be said in the log."""

        async def said() -> bool:
            return words in self.log.read_text()

        assert await until(said), self.log.read_text()


async def until(ask: Callable[[], Awaitable[T]], seconds: float = DEADLINE_SECONDS) -> T:
    """Ask until the answer is something, and return it; the last one when the time is over."""
    end = time.monotonic() + seconds
    while not (found := await ask()) and time.monotonic() < end:  # noqa: ASYNC110 - processes tell nobody
        await asyncio.sleep(0.02)
    return found


def kinds(outcomes: Mapping[str, Event]) -> dict[str, str]:
    """Return what became of tasks, in a word each."""
    return {path: _kind(event) for path, event in outcomes.items()}


def _kind(event: Event) -> str:
    if isinstance(event, TaskFailed):
        return event.failure.kind.value
    if isinstance(event, TaskLost):
        return "lost" if event.may_have_started else "never started"
    return event.type
