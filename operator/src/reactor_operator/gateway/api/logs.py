"""What a task printed: live from where it runs, or as the store keeps it once it has ended.

In: a run, the key of a task. Out: text as it comes, and `X-Reactor-Log`, which says what it is. Never here: a log for
whoever may not read those of pods, a task that waits, or more memory for a reader who is slow.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reactor_operator.engine.elements import step_at
from reactor_operator.engine.identity import Task, parse_task_key
from reactor_operator.gateway.api.changes import STREAM_SECONDS, EventStream
from reactor_operator.gateway.api.queries import LogsQuery, parse_names, parse_query
from reactor_operator.gateway.api.services import RUN
from reactor_operator.gateway.api.stored import StoredRuns
from reactor_operator.gateway.api.viewers import Viewers
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.reviews import Right
from reactor_operator.reconciling.pooled import is_queued
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.kept_logs import TextStream, decode_log

HEADER = "X-Reactor-Log"
MOST_FOLLOWED = 50
_LIVE_BYTES = 4 * 1024 * 1024
_NOT_KEPT = (
    "nothing is kept of it: logs are not kept here, it could not be read in time, values of it are sensitive, or newer "
    "logs of the run took its place"
)


class NoLiveLog(Exception):
    """There is nothing to follow; the message says why."""


class LiveLogs(Protocol):
    """What tasks print while they are there."""

    def open(self, known: KnownRun, task: Task, *, follow: bool) -> AsyncGenerator[bytes, None]:
        """Yield what a task has printed, and (`follow`) what it prints until it ends, in parts cut anywhere.

        Raises NoLiveLog before the first part, Unavailable.
        """


class NowhereLive:
    """Nothing is live: there is nobody to ask."""

    async def open(self, known: KnownRun, task: Task, *, follow: bool) -> AsyncGenerator[bytes, None]:
        """Say so."""
        raise NoLiveLog("this gateway does not read logs of pods")
        yield b""  # makes it a generator


@dataclass(slots=True)
class LogService:
    """Answers what tasks printed. `on_workers`: what those print that workers do; None: there are no workers."""

    viewers: Viewers
    runs: StoredRuns
    live: LiveLogs
    on_workers: LiveLogs | None = None
    follow_seconds: float = STREAM_SECONDS
    _followed: int = 0

    async def get(self, http: Request) -> Response:
        """Return a log."""
        caller = await self.viewers.of(http)
        asked = parse_query(http, LogsQuery)
        task = parse_task_key(asked.task)
        if task is None:
            line = f"task: found {asked.task!r}, expected the key of a task, such as charge.run.1.1.1"
            raise Refusal(400, "the query is not one that is known here", errors=(line,))
        namespace, name = parse_names(http)
        await self.viewers.require(caller, "get", RUN, namespace)
        await self.viewers.require_right(
            caller, Right(verb="get", resource="pods", subresource="log", group="", namespace=namespace)
        )
        known = await self.runs.run(namespace, name)
        if not _is_known(known, task):
            raise Refusal(404, f"run {name!r} has no step {task.path!r}")
        goes_on = is_open(known, task)
        body = None if goes_on else await self.runs.store.get_log(known.definition.run.uid, task.key)
        kept = decode_log(body) if body is not None else None
        if kept is not None:
            return _text(kept.text, "cut" if kept.cut else "kept")
        if self.on_workers is None or not is_queued(known.blueprint, known.plan, task):
            return await self._live(self.live, known, task, follow=asked.follow == "true")
        if goes_on:
            return await self._live(self.on_workers, known, task, follow=asked.follow == "true")
        return _text(f"{_NOT_KEPT}; look at the log of its worker".encode(), "none")

    async def _live(self, logs: LiveLogs, known: KnownRun, task: Task, *, follow: bool) -> Response:
        if self._followed >= MOST_FOLLOWED:
            raise Refusal(503, f"{MOST_FOLLOWED} logs are followed already; repeat the request", {"Retry-After": "10"})
        parts = logs.open(known, task, follow=follow)
        self._followed += 1

        async def close() -> None:
            self._followed -= 1
            await parts.aclose()

        try:
            first = await anext(parts, b"")
        except NoLiveLog as problem:
            await close()
            return _text(f"{_NOT_KEPT}; and live: {problem}".encode(), "none")
        except BaseException:
            await close()
            raise
        return TextResponse(self._parts(first, parts, follow=follow), close)

    async def _parts(
        self, first: bytes, parts: AsyncGenerator[bytes, None], *, follow: bool
    ) -> AsyncGenerator[bytes, None]:
        """Yield UTF-8, until the task ends, or whoever follows has to come back."""
        loop, text, sent = asyncio.get_running_loop(), TextStream(), 0
        ends_at = loop.time() + self.follow_seconds
        part: bytes | None = first
        while part is not None and (follow or sent <= _LIVE_BYTES):
            yield text.more(part)
            sent += len(part)
            part = await _next(parts, ends_at - loop.time())
        yield text.more(b"", last=True)


async def _next(parts: AsyncGenerator[bytes, None], seconds: float) -> bytes | None:
    """Return the next part, None where there is none, or none in time."""
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            return await anext(parts, None)
    except TimeoutError:
        return None


class TextResponse(EventStream):
    """Sends text as it comes. `closing` is called at the end, whether or not anything was sent."""

    media_type = "text/plain"

    def __init__(self, parts: AsyncGenerator[bytes, None], closing: Callable[[], Awaitable[None]]) -> None:
        super().__init__(parts)
        self.headers[HEADER] = "live"
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._closing()


def _is_known(known: KnownRun, task: Task) -> bool:
    if known.blueprint is None:
        return False
    try:
        return known.blueprint.step(task.path).action(task.action) is not None
    except KeyError:
        return False


def is_open(known: KnownRun, task: Task) -> bool:
    """Tell whether a task is being done, or waits to be."""
    try:
        return step_at(known.plan, known.state, task.path).task == task
    except AssertionError:  # its map has nothing of this kind
        return False


def _text(text: bytes, what: str) -> Response:
    return Response(text, media_type="text/plain", headers={HEADER: what})
