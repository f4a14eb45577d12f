"""The runs of the cluster, mirrored: listed in pages, then watched, for as long as the process lives.

In: ReactorRuns of one namespace, of some, or of all. Out: an index that is a moment old, and the changes of it.
Never here: a run's truth (whoever needs that reads the run), a write, or more than a page of whole runs in memory.

A list tells what is there at one version and the watch goes on from it. Where the server keeps that version no more
(410) everything is listed again, and what the list has not is gone; where it is away the watch goes on from the last
version that was told, bookmarks among them. Until all namespaces were listed once the index is not `ready`; one of
several that we may not list is left out until we may.
"""

import asyncio
import random
import time
from collections.abc import Sequence

import structlog

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError, ApiUnavailable, Forbidden, Gone
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.mirror.feed import Feed
from reactor_operator.mirror.index import RunIndex
from reactor_operator.mirror.summary import summary_of

PAGE_SIZE = 100
"""A run has at most some 256 KiB of status: so many of them are whole in memory at once."""
_FORBIDDEN = 403
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 15.0
_log = structlog.get_logger("reactor_operator.gateway")


class RunMirror:
    """Follows the runs of `namespaces`; none named: of all."""

    def __init__(self, client: KubeClient, namespaces: Sequence[str] = ()) -> None:
        self.index = RunIndex()
        self.feed = Feed()
        self.namespaces = tuple(namespaces)
        scopes: list[str | None] = [*namespaces] or [None]
        self._followers = [_Follower(client, scope, self.index, self.feed) for scope in scopes]

    @property
    def ready(self) -> bool:
        """Whether everything was listed once; of several namespaces, all that the API server lets us list."""
        known = any(follower.listed for follower in self._followers)
        return known and all(follower.listed or follower.refused for follower in self._followers)

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            for follower in self._followers:
                group.create_task(follower.run())


class _Follower:
    """Follows the runs of one namespace, or (None) of all."""

    def __init__(self, client: KubeClient, namespace: str | None, index: RunIndex, feed: Feed) -> None:
        self.listed = self.refused = False
        self._client = client
        self._namespace = namespace
        self._path = REACTOR_RUN.collection(namespace)
        self._index = index
        self._feed = feed

    async def run(self) -> None:
        """Follow until cancelled."""
        version, pause = "", _FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                if not version:
                    version = await self._list()
                async for event in self._client.watch(self._path, version):
                    version = text_at(event.object, "metadata", "resourceVersion") or version
                    self._take(event.type, event.object)
            except Gone:
                version = ""
            except (ApiUnavailable, ApiError) as problem:
                self.refused = isinstance(problem, Forbidden) and problem.status == _FORBIDDEN
                _log.warning("the watch of runs broke", path=self._path, problem=str(problem))
            # One that held is followed up at once; one that ends as it began must not be asked for all the time.
            if time.monotonic() - began >= _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            else:
                await asyncio.sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _list(self) -> str:
        """Read all runs, and take away those that are not there. Returns the version to go on from."""
        gone, version = set(self._index.names(self._namespace)), ""
        async for page in self._client.pages(self._path, limit=PAGE_SIZE):
            for run in page.items:
                gone.discard((text_at(run, "metadata", "namespace"), text_at(run, "metadata", "name")))
                self._take("LISTED", run)
            version = page.resource_version
        for namespace, name in gone:
            self._lose(namespace, name)
        self.listed = True
        return version

    def _take(self, kind: str, run: JsonObject) -> None:
        if kind == "DELETED":
            self._lose(text_at(run, "metadata", "namespace"), text_at(run, "metadata", "name"))
        elif kind in ("LISTED", "ADDED", "MODIFIED"):
            summary = summary_of(run)
            if summary.name and self._index.put(summary):
                self._feed.tell(summary)

    def _lose(self, namespace: str, name: str) -> None:
        if (before := self._index.remove(namespace, name)) is not None:
            self._feed.tell(before, removed=True)
