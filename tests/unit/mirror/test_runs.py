"""The mirror over a real client: it is as the cluster is, whatever became of its watch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.mirror.index import Query
from reactor_operator.mirror.runs import PAGE_SIZE, RunMirror
from tests.unit.kube.api_server import ApiServer
from tests.unit.mirror.made import run_object, until


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().serve() as serving:
        yield serving


@contextlib.asynccontextmanager
async def mirroring(server: ApiServer, *namespaces: str) -> AsyncIterator[RunMirror]:
    async with server.client() as client:
        mirror = RunMirror(client, namespaces)
        following = asyncio.create_task(mirror.run())
        yield mirror
        assert not following.done()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def put(server: ApiServer, name: str, namespace: str = "shop", **status: Any) -> None:
    await server.put(REACTOR_RUN.object(namespace, name), run_object(name, namespace, **status))


def phases(mirror: RunMirror) -> dict[str, str]:
    return {run.name: run.phase for run in mirror.index.slice(Query(), None, 10_000).runs}


async def test_what_was_there_and_what_comes_changes_and_goes(server: ApiServer) -> None:
    await put(server, "old")
    async with mirroring(server) as mirror:
        assert not mirror.ready
        await until(lambda: mirror.ready)
        assert phases(mirror) == {"old": "Pending"}
        await put(server, "new", "bank", phase="Running")
        await put(server, "old", phase="Failed")
        await until(lambda: phases(mirror) == {"old": "Failed", "new": "Running"})
        await server.remove(REACTOR_RUN.object("shop", "old"))
        await until(lambda: phases(mirror) == {"new": "Running"})


async def test_many_are_listed_page_by_page(server: ApiServer) -> None:
    for number in range(PAGE_SIZE + 1):
        await put(server, f"r{number}")
    async with mirroring(server) as mirror:
        await until(lambda: mirror.ready)
        assert len(mirror.index) == PAGE_SIZE + 1
    lists = [path for method, path, _ in server.requests if method == "GET"]
    assert lists.count(REACTOR_RUN.collection(None)) >= 2


async def test_a_version_that_is_gone_is_listed_again_and_what_went_meanwhile_is_gone(server: ApiServer) -> None:
    await put(server, "stays", phase="Running")
    await put(server, "goes")
    async with mirroring(server) as mirror:
        await until(lambda: mirror.ready)
        with mirror.feed.listening(None) as listener:
            await server.remove(REACTOR_RUN.object("shop", "goes"), tell=False)
            server.mute_watches = True
            await put(server, "stays", phase="Failed")
            server.mute_watches = False
            server.expire_watches = True
            server.drop_watches()
            await until(lambda: phases(mirror) == {"stays": "Failed"})
            told = await listener.next(1)
        assert told is not None
        assert {(change.run.name, change.removed) for change in told} == {("stays", False), ("goes", True)}


async def test_a_list_whose_pages_went_stale_begins_anew_and_loses_nothing(server: ApiServer) -> None:
    await put(server, "a")
    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "the continue token is too old"}
    first = {"items": [run_object("a"), run_object("gone")], "metadata": {"resourceVersion": "1", "continue": "x"}}
    server.script = [(200, first, {}), (410, expired, {})]
    async with mirroring(server) as mirror:
        await until(lambda: mirror.ready)
        assert phases(mirror) == {"a": "Pending"}


async def test_watches_that_end_at_once_are_followed_up(server: ApiServer) -> None:
    server.close_watches = True
    async with mirroring(server) as mirror:
        await until(lambda: mirror.ready)
        await put(server, "new")
        server.close_watches = False
        await until(lambda: phases(mirror) == {"new": "Pending"})


async def test_while_the_api_server_is_away_it_is_not_ready_and_later_it_is(server: ApiServer) -> None:
    away = {"kind": "Status", "code": 500, "message": "etcd has no leader"}
    server.script = [(500, away, {}), (500, away, {})]
    await put(server, "a")
    async with mirroring(server) as mirror:
        await until(lambda: len(server.requests) >= 1)
        assert not mirror.ready
        await until(lambda: mirror.ready)
        assert phases(mirror) == {"a": "Pending"}


async def test_of_several_namespaces_each_is_followed_and_no_other(server: ApiServer) -> None:
    for namespace in ("shop", "bank", "other"):
        await put(server, f"in-{namespace}", namespace)
    async with mirroring(server, "shop", "bank") as mirror:
        await until(lambda: mirror.ready)
        assert set(phases(mirror)) == {"in-shop", "in-bank"}
        await put(server, "more", "bank")
        await put(server, "hidden", "other")
        await until(lambda: "more" in phases(mirror))
        assert "hidden" not in phases(mirror)
    assert REACTOR_RUN.collection(None) not in {path for _, path, _ in server.requests}


async def test_an_object_that_makes_no_sense_stops_nothing(server: ApiServer) -> None:
    async with mirroring(server) as mirror:
        await until(lambda: mirror.ready)
        await server.put(REACTOR_RUN.object("shop", "odd"), {"spec": 7, "status": ["?"]})
        await put(server, "new", phase="Running")
        await until(lambda: phases(mirror) == {"new": "Running", "odd": "Pending"})


async def test_what_changes_nothing_that_is_shown_is_told_to_nobody(server: ApiServer) -> None:
    await put(server, "a", phase="Running")
    async with mirroring(server) as mirror:
        await until(lambda: mirror.ready)
        with mirror.feed.listening(None) as listener:
            await put(server, "a", phase="Running", steps=[{"name": "s", "phase": "Running"}])
            await put(server, "b")
            await until(lambda: len(mirror.index) == 2)
            told = await listener.next(1)
        assert told is not None
        assert [change.run.name for change in told] == ["b"]


FORBIDDEN = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "may not list"}


async def test_of_several_namespaces_one_without_a_right_is_left_out_until_there_is_one(server: ApiServer) -> None:
    for namespace in ("shop", "bank"):
        await put(server, f"in-{namespace}", namespace)
    server.script = [(403, FORBIDDEN, {})]
    async with mirroring(server, "shop", "bank") as mirror:
        await until(lambda: mirror.ready)
        assert len(phases(mirror)) == 1
        await until(lambda: len(phases(mirror)) == 2)


async def test_without_a_right_to_list_anything_it_is_not_ready(server: ApiServer) -> None:
    server.script = [(403, FORBIDDEN, {})] * 2
    async with mirroring(server) as mirror:
        await until(lambda: len(server.requests) == 2)
        assert not mirror.ready
        await until(lambda: mirror.ready)
