"""Our own kinds, watched by kopf: async event handlers that return nothing and mark what changed.

In: events of Reactors, ReactorRuns, ReactorPools and ReactorSignals. Out: calls of `RunChanges`, `Turns`,
`ReactorJudge` and whoever follows pools and signals. Never here: create or update handlers, daemons, timers or indices
of kopf (each writes annotations or finalizers, or costs a task per object).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, cast

import aiohttp
import kopf
import structlog

from reactor_operator.changes.runs import RunChanges
from reactor_operator.changes.served import Served
from reactor_operator.changes.turns import Turns
from reactor_operator.kube.access import Access
from reactor_operator.kube.client import PAGE_SIZE
from reactor_operator.kube.definitions import parse_reactor
from reactor_operator.kube.fields import JsonObject, map_at
from reactor_operator.kube.paths import REACTOR, REACTOR_POOL, REACTOR_RUN, REACTOR_SIGNAL
from reactor_operator.ports import Unavailable
from reactor_operator.status.reactors import ReactorJudge

_SERVER_SECONDS = 240
_IDLE_SECONDS = 100.0
_CONNECT_SECONDS = 10
_AGAIN_SECONDS = 5.0
_IDLE_WORKER_SECONDS = 0.1
_log = structlog.get_logger("reactor_operator.changes")

Changed = Callable[[str | None, JsonObject], None]
"""Takes in one event of an object: ADDED, MODIFIED, DELETED, or None for what was there at the start."""


class KindWatch:
    """Runs kopf for our kinds."""

    def __init__(
        self,
        *,
        access: Access,
        served: Served,
        runs: RunChanges,
        turns: Turns,
        judge: ReactorJudge,
        pool_changed: Changed,
        signal_changed: Changed,
        started: Callable[[], None],
    ) -> None:
        """`started` is called once kopf runs: it takes the handlers of signals for itself, and is to give them back."""
        self._access = access
        self._served = served
        self._runs = runs
        self._turns = turns
        self._judge = judge
        self._pool_changed = pool_changed
        self._signal_changed = signal_changed
        self._started = started
        self._retries: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Watch until cancelled. Ends early only where kopf cannot go on; the caller then ends the process."""
        # kopf itself says little of use on its own behalf; what matters is logged by the handlers.
        logging.getLogger("kopf").setLevel(logging.WARNING)
        ready = asyncio.Event()
        namespaces = await self._served.wait()
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._tell_started(ready)), group.create_task(self._served.follow())]
            await kopf.operator(
                registry=self._registry(),
                settings=_settings(),
                # Only for peering, which is off; kopf would ask for the user's name, and a container's user has none.
                identity=cast("Any", "reactor-operator"),
                standalone=True,
                clusterwide=not namespaces,
                namespaces=namespaces,
                ready_flag=ready,
            )
            for task in beside:
                task.cancel()

    async def _tell_started(self, ready: asyncio.Event) -> None:
        await ready.wait()
        self._started()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            return kopf.AiohttpSession(server=self._access.server, aiohttp_session=await open_session(self._access))

        @kopf.on.event(REACTOR_RUN.group, REACTOR_RUN.version, REACTOR_RUN.plural, registry=registry)
        async def run_changed(event: Mapping[str, Any], **_: Any) -> None:
            await self._runs.changed(event["type"], event["object"])

        @kopf.on.event(REACTOR.group, REACTOR.version, REACTOR.plural, registry=registry)
        async def reactor_changed(event: Mapping[str, Any], **_: Any) -> None:
            if event["type"] == "DELETED":
                self._turns.reactor_gone(parse_reactor(event["object"]))
            else:
                await self._reactor_changed(event["object"])

        @kopf.on.event(REACTOR_POOL.group, REACTOR_POOL.version, REACTOR_POOL.plural, registry=registry)
        async def pool_changed(event: Mapping[str, Any], **_: Any) -> None:
            self._pool_changed(event["type"], event["object"])

        @kopf.on.event(REACTOR_SIGNAL.group, REACTOR_SIGNAL.version, REACTOR_SIGNAL.plural, registry=registry)
        async def signal_changed(event: Mapping[str, Any], **_: Any) -> None:
            self._signal_changed(event["type"], event["object"])

        return registry

    async def _reactor_changed(self, found: Mapping[str, Any]) -> None:
        reactor = parse_reactor(found)
        try:
            await self._judge.judge(reactor, map_at(found, "status"))
        except Unavailable as problem:
            where = f"{reactor.namespace}/{reactor.name}"
            _log.warning("a Reactor could not be judged; it is tried again", reactor=where, problem=str(problem))
            retry = asyncio.create_task(self._again(found))
            self._retries.add(retry)
            retry.add_done_callback(self._retries.discard)
        self._turns.reactor_changed(reactor)

    async def _again(self, found: Mapping[str, Any]) -> None:
        await asyncio.sleep(_AGAIN_SECONDS)
        await self._reactor_changed(found)


async def open_session(access: Access) -> aiohttp.ClientSession:
    """Return a session for kopf that sends fresh credentials with every request."""

    async def authorize(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        value = await access.authorization()
        if value is not None:
            request.headers["Authorization"] = value
        response = await handler(request)
        if response.status == 401:
            try:
                await access.renew()
            except OSError as problem:
                _log.warning("kinds are watched with old credentials", problem=str(problem))
        return response

    tls = access.tls if access.tls is not None else False
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=tls),
        proxy=access.proxy,
        middlewares=(authorize,),
        headers={"User-Agent": "reactor-operator"},
    )


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.scanning.disabled = True
    # What is listed at the start is parsed by the page, and kopf keeps the last event of each object while its worker
    # idles: of ten thousand runs these would be 180 MiB at once.
    settings.watching.chunk_size = PAGE_SIZE
    settings.queueing.idle_timeout = _IDLE_WORKER_SECONDS
    settings.watching.server_timeout = _SERVER_SECONDS
    settings.watching.client_timeout = _SERVER_SECONDS + 60
    settings.watching.connect_timeout = _CONNECT_SECONDS
    settings.watching.inactivity_timeout = _IDLE_SECONDS
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = _CONNECT_SECONDS
    settings.persistence.finalizer = "reactor.run/unused"
    settings.process.ultimate_exiting_timeout = None
    return settings
