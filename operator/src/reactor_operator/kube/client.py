"""Raw JSON to and from the API server: one session, one timeout on every call, every answer parsed once by orjson.

In: paths and JSON objects. Out: JSON objects, or an error of `errors.py`. Typed models cost 2.5 times the CPU and are
not used here. Never here: what any object means, or a retry of a write that may have taken effect.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

import aiohttp
import orjson

from reactor_operator.kube.access import Access
from reactor_operator.kube.errors import ApiUnavailable, Forbidden, Gone, NotFound, as_quota, error_of
from reactor_operator.kube.fields import EMPTY, JsonObject, int_at, map_at, parse_object, text_at
from reactor_operator.kube.pace import Pace
from reactor_operator.kube.paths import resource_of

TIMEOUT_SECONDS = 10.0
PAGE_SIZE = 500
_FIRST_PAUSE_SECONDS = 0.25
_ANSWER_SECONDS = 0.5
"""What a request is given to be answered in after a wait, before the time is up."""
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_NO_HEADERS: Mapping[str, str] = {}
Observe = Callable[[str, str, int], None]
"""Takes the method, the resource (`pods`, `reactorruns/status`) and the status code of an answer."""


class PatchType(StrEnum):
    """How the body of a patch is to be read."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch: ADDED, MODIFIED, DELETED or BOOKMARK, and the object (of a bookmark: its version only)."""

    type: str
    object: JsonObject


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects of a collection at one version: all of them, or a page."""

    items: Sequence[JsonObject]
    resource_version: str


class KubeClient:
    """A client of one API server. Safe for any number of concurrent calls; connections are kept and reused."""

    def __init__(
        self,
        access: Access,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        connections: int = 64,
        may_write_seconds: Callable[[], float] | None = None,
        observe: Observe | None = None,
    ) -> None:
        """`may_write_seconds` tells how long writing is certainly allowed: a write that may last longer is not sent.

        `observe` is told each answer.
        """
        self._access = access
        self._timeout_seconds = timeout_seconds
        self._may_write_seconds = may_write_seconds
        self._observe = observe
        self._pace = Pace()
        tls = access.tls if access.tls is not None else False

        def session(limit: int) -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=limit, ssl=tls, keepalive_timeout=90),
                proxy=access.proxy,
                auto_decompress=True,
                headers={"Accept": "application/json", "User-Agent": "reactor-operator"},
            )

        self._session = session(connections)
        self._watching = session(0)  # a watch holds its connection for as long as it lasts

    async def get(self, path: str) -> JsonObject | None:
        """Return the object, or None where the server says 404."""
        try:
            return await self._call("GET", path)
        except NotFound:
            return None

    async def create(self, path: str, body: JsonObject, *, strict: bool = False) -> JsonObject:
        """Create an object. `strict` refuses fields the server does not know instead of dropping them."""
        return await self._call("POST", path, body, query={"fieldValidation": "Strict"} if strict else None)

    async def replace(self, path: str, body: JsonObject) -> JsonObject:
        """Replace an object; with metadata.resourceVersion this is a compare-and-swap (Conflict)."""
        return await self._call("PUT", path, body)

    async def patch(self, path: str, body: object, kind: PatchType = PatchType.MERGE) -> JsonObject | None:
        """Patch an object; None where the server says 404."""
        try:
            return await self._call("PATCH", path, body, content_type=kind.value)
        except NotFound:
            return None

    async def apply(self, path: str, body: JsonObject, *, manager: str) -> JsonObject:
        """Make the object what `body` says, creating it where it is not there (server-side apply).

        Fields that `manager` applied before and that `body` leaves away go; those of others stay, except where both
        say something: ours wins. With metadata.uid the object must be that one (Conflict). Unknown fields are refused.
        """
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        return await self._call("PATCH", path, body, query=query, content_type=PatchType.APPLY.value)

    async def delete(self, path: str, *, uid: str | None = None, grace_seconds: int | None = None) -> bool:
        """Delete an object and, in the background, what it owns. False: it was gone. Conflict: the uid is another."""
        options: dict[str, object] = {"propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self._call("DELETE", path, options)
        except NotFound:
            return False
        return True

    async def list(self, path: str, query: Mapping[str, str] | None = None, *, metadata_only: bool = False) -> Listing:
        """Return all objects of a collection, page by page underneath. Raises Gone where the pages went stale.

        `metadata_only` leaves spec and status away, which are most of what there is.
        """
        items: list[JsonObject] = []
        version = ""
        async for page in self.pages(path, query, metadata_only=metadata_only):
            items.extend(page.items)
            version = page.resource_version
        return Listing(items, version)

    async def pages(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        metadata_only: bool = False,
        limit: int = PAGE_SIZE,
    ) -> AsyncIterator[Listing]:
        """Yield the objects of a collection, at most `limit` at once, all as they were at one version.

        Raises Gone where the pages went stale: the pages that came so far are then of no list.
        """
        token = ""
        while True:
            paging = {"limit": str(limit)} | ({"continue": token} if token else {})
            page = await self._call(
                "GET", path, query={**(query or {}), **paging}, accept=_METADATA if metadata_only else None
            )
            found = page.get("items")
            token = text_at(page, "metadata", "continue")
            version = text_at(page, "metadata", "resourceVersion")
            if not version:
                raise ApiUnavailable(f"GET {path}: the answer is no list of an API server")
            yield Listing(found if isinstance(found, list) else (), version)
            if not token:
                return

    async def watch(
        self, path: str, resource_version: str, query: Mapping[str, str] | None = None, *, idle_seconds: float = 90.0
    ) -> AsyncIterator[WatchEvent]:
        """Yield changes after `resource_version` until the server closes the stream, at most 5 minutes later.

        Raises Gone where the version is too old and ApiUnavailable when nothing, not even a bookmark, came for
        `idle_seconds`.
        """
        asked = {
            **(query or {}),
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": "300",
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_seconds, sock_read=idle_seconds)
        try:
            async with self._watching.get(
                self._access.server + path, params=asked, headers=await self._authorization(), timeout=timeout
            ) as response:
                if response.status == 401:
                    await self._access.renew()
                if response.status >= 400:
                    raise error_of(response.status, await response.read(), response.headers.get("Retry-After"))
                async for line in _lines(response.content):
                    yield _watch_event(line)
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise ApiUnavailable(f"watch of {path} broke: {_words(problem)}") from problem

    async def text(self, path: str, query: Mapping[str, str] | None = None) -> str | None:
        """Return what is not JSON (a pod's log) as text; None where the server says 404."""
        try:
            body = await self._raw("GET", path, query=query)
        except NotFound:
            return None
        return body.decode("utf-8", "replace")

    async def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, idle_seconds: float | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield what is not JSON (a pod's log) as it comes, in parts cut anywhere, until the server ends it.

        The first part is empty: the answer is there, though nothing of it may come for long.
        Raises ApiError (NotFound too), and ApiUnavailable where the stream breaks or is idle for too long.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_seconds, sock_read=idle_seconds)
        try:
            async with self._watching.get(
                self._access.server + path, params=query, headers=await self._authorization(), timeout=timeout
            ) as response:
                if response.status == 401:
                    await self._access.renew()
                if response.status >= 400:
                    raise error_of(response.status, await response.read(), response.headers.get("Retry-After"))
                yield b""
                async for part in response.content.iter_any():
                    yield part
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise ApiUnavailable(f"GET {path}: {_words(problem)}") from problem

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._session.close()
        await self._watching.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str | None = None,
    ) -> JsonObject:
        found = parse_object(await self._raw(method, path, body, query=query, content_type=content_type, accept=accept))
        if not found:
            # A proxy's page, mostly. Taken for an empty object, it would say that a pod or a run is gone.
            raise ApiUnavailable(f"{method} {path}: the answer is not a JSON object")
        return found

    async def _raw(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str | None = None,
    ) -> bytes:
        """Send one request; one more after a 401, and after a 429, which says that nothing was done."""
        if (
            method != "GET"
            and self._may_write_seconds is not None
            and self._may_write_seconds() < self._timeout_seconds
        ):
            raise ApiUnavailable(f"{method} {path} was not sent: the lease may end before its answer comes")
        wait = self._pace.take_turn(self._timeout_seconds / 2)
        if wait is None:
            raise ApiUnavailable(
                f"{method} {path} was not sent: the API server is in trouble, and others wait to ask it"
            )
        payload = None if body is None else _rendered(body)
        content = {} if payload is None else {"Content-Type": content_type}
        if accept is not None:
            content["Accept"] = accept
        give_up_at = time.monotonic() + self._timeout_seconds
        pause = _FIRST_PAUSE_SECONDS
        renewed = False
        try:
            async with asyncio.timeout(self._timeout_seconds):
                if wait:
                    await asyncio.sleep(wait)
                while True:
                    headers = {**content, **await self._authorization()}
                    async with self._session.request(
                        method, self._access.server + path, params=query, data=payload, headers=headers
                    ) as response:
                        answer = await response.read()
                    if self._observe is not None:
                        self._observe(method, resource_of(path), response.status)
                    if response.status == 429 or response.status >= 500:
                        self._pace.failed()
                    else:
                        self._pace.answered()
                    if response.status < 400:
                        return answer
                    if response.status == 401 and not renewed:
                        renewed = True
                        await self._access.renew()
                        continue
                    error = error_of(response.status, answer, response.headers.get("Retry-After"))
                    if response.status != 429 or not isinstance(error, ApiUnavailable):
                        raise as_quota(error) if isinstance(error, Forbidden) else error
                    # Whoever was told to wait at the same time does not come back at the same time.
                    again = max(error.retry_after_seconds, pause) * random.uniform(1.0, 1.5)  # noqa: S311
                    if time.monotonic() + again + _ANSWER_SECONDS > give_up_at:
                        raise error
                    await asyncio.sleep(again)
                    pause *= 2
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            self._pace.failed()
            raise ApiUnavailable(f"{method} {path}: {_words(problem)}") from problem

    async def _authorization(self) -> Mapping[str, str]:
        value = await self._access.authorization()
        return _NO_HEADERS if value is None else {"Authorization": value}


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Split a stream into lines of any length (`readline` of aiohttp stops at 128 KiB)."""
    parts: list[bytes] = []
    async for chunk in content.iter_any():
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            parts.append(line)
            yield b"".join(parts)
            parts.clear()
        if rest:
            parts.append(rest)


def _watch_event(line: bytes) -> WatchEvent:
    parsed = parse_object(line)
    kind = text_at(parsed, "type")
    object_ = map_at(parsed, "object")
    if kind == "ERROR" or not kind:
        code = int_at(object_, "code") or 500
        if code == 410:
            raise Gone(code, text_at(object_, "reason"), text_at(object_, "message"))
        raise ApiUnavailable(f"watch: {text_at(object_, 'message') or 'a line that is not a watch event'}")
    return WatchEvent(kind, object_ if object_ else EMPTY)


def _rendered(body: object) -> bytes:
    """Return a body as JSON. What people wrote into an object, and a patch names, may be deeper than orjson writes."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body).encode()


def _words(problem: BaseException) -> str:
    return str(problem) or type(problem).__name__
