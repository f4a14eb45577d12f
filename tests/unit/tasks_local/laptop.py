"""A laptop for tests: the real launcher over a memory store, and orders for steps written as manifests are."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.api.sensitivity import HARMLESS, Sensitive
from reactor_operator.engine.events import Event, Outcome, TaskFailed, TaskStarted
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.ports import Launched, Refused, RunRef, TaskOrder
from reactor_operator.store.codec import decode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit
from reactor_operator.tasks.local import LaptopSettings, LocalLauncher

DEADLINE_SECONDS = 30
WAIT = "import time\ndef main():\n    print('begun')\n    time.sleep(60)"
RUN = RunRef("default", "order-1", "uid-1")


class Clock:
    def now(self) -> int:
        return 1_700_000_000_000


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def spec_of(step: Mapping[str, Any], **more: Any) -> ReactorSpec:
    return ReactorSpec.model_validate({"steps": [{"name": "store", **step}], **more})


def python_spec(source: str, **step: Any) -> ReactorSpec:
    return spec_of({"run": {"python": {"source": source}}, **step})


def task_of(action: Action = Action.RUN, attempt: int = 1) -> Task:
    return Task("store", action, 1, attempt, 1)


@dataclass
class Laptop:
    store: MemoryStore
    launcher: LocalLauncher
    output: list[tuple[str, str]]
    opened: set[str] = field(default_factory=set)
    revision: int = 0

    async def open(self, *tasks: Task) -> None:
        """Open tasks in the store, as the commit that ordered them does."""
        opens = {task.key: b"{}" for task in tasks if task.key not in self.opened}
        self.opened |= set(opens)
        self.revision = await self.store.commit(Commit(run=RUN.uid, revision=self.revision, epoch=1, opens=opens))

    async def start(self, order: TaskOrder) -> None:
        await self.open(order.task)
        assert await self.launcher.start(order) == Launched()

    async def begin(self, order: TaskOrder) -> None:
        """Launch a task, and wait until it prints a line."""
        await self.start(order)
        await self.wait_until(self.lines, "the task to begin")

    async def refusal(self, order: TaskOrder) -> Failure:
        """Launch a task that cannot start, and return why."""
        await self.open(order.task)
        answer = await self.launcher.start(order)
        assert isinstance(answer, Refused)
        assert answer.failure.kind is FailureKind.CANNOT_START
        return answer.failure

    async def run(self, order: TaskOrder) -> Outcome:
        """Launch a task and return its outcome."""
        await self.start(order)
        return await self.outcome_of(order.task)

    async def outcome_of(self, task: Task) -> Outcome:
        def found() -> Outcome | None:
            told = [event for event in self.events(task) if not isinstance(event, TaskStarted)]
            return told[0] if told else None  # type: ignore[return-value]

        await self.wait_until(lambda: found() is not None, f"outcome of {task.key}")
        outcome = found()
        assert outcome is not None
        return outcome

    def events(self, task: Task) -> list[Event]:
        inbox = self.store._runs[RUN.uid].inbox.values()
        events = [decode_event(body) for body in inbox]
        return [event for event in events if getattr(event, "task", None) == task]

    def value(self, outcome: Outcome) -> Any:
        assert not isinstance(outcome, TaskFailed), outcome.failure
        ref = getattr(outcome, "result", None)
        return None if ref is None else orjson.loads(self.store._values[RUN.uid][ref.digest])

    def detail(self, failure: Failure) -> Any:
        return None if failure.detail is None else orjson.loads(self.store._values[RUN.uid][failure.detail.digest])

    def lines(self, key: str = "") -> list[str]:
        return [line for task, line in self.output if not key or task == key]

    async def wait_until(self, condition: Any, what: str) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():  # noqa: ASYNC110 - processes tell nobody that they have gone
                await asyncio.sleep(0.002)

    async def retire(self, order: TaskOrder, *, stop: bool) -> bool:
        return await self.launcher.retire(RUN, order.spec, order.step, order.task, stop=stop, failed=stop)


@asynccontextmanager
async def laptop(modules: Path, **settings: Any) -> AsyncIterator[Laptop]:
    store = MemoryStore()
    output: list[tuple[str, str]] = []
    launcher = LocalLauncher(
        inbox=store,
        clock=Clock(),
        settings=LaptopSettings(modules=modules, **settings),
        on_output=lambda task, line: output.append((task.key, line)),
        results=store,
    )
    try:
        yield Laptop(store, launcher, output)
    finally:
        await launcher.close()
        await store.close()


def order_for(
    spec: ReactorSpec,
    task: Task | None = None,
    arguments: Mapping[str, Any] | None = None,
    result: Any = None,
    failure: Any = None,
    uncertain: bool = False,
    after: Task | None = None,
    sensitive: Sensitive = HARMLESS,
) -> TaskOrder:
    task = task or task_of()
    return TaskOrder(
        run=RUN,
        reactor="orders",
        spec=spec,
        step=spec.step("store"),
        task=task,
        arguments=orjson.dumps(arguments or {}),
        result=orjson.dumps(result) if task.action is Action.UNDO else None,
        failure=orjson.dumps(failure) if task.action is Action.COMPENSATE else None,
        uncertain=uncertain,
        idempotency_key="key-1",
        forward_key="forward-1",
        after=after,
        sensitive=sensitive,
    )
