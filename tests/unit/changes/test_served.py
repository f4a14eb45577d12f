"""Which namespaces can be watched: one that refuses stops no other."""

import asyncio

import pytest

from reactor_operator.changes.served import MoreServed, Served
from tests.unit.kube.api_server import ApiServer, Json

REFUSED: tuple[int, Json, dict[str, str]] = (403, {"reason": "Forbidden", "message": "no role here"}, {})
NO_CRD: tuple[int, Json, dict[str, str]] = (404, {}, {})


async def test_the_namespaces_that_can_be_listed_are_watched(server: ApiServer) -> None:
    async with server.client() as client:
        assert await Served(client, ("a", "b")).wait() == ["a", "b"]
        server.script = [REFUSED]
        assert await Served(client, ("a", "b")).wait() == ["b"]


async def test_a_whole_cluster_has_no_names(server: ApiServer) -> None:
    async with server.client() as client:
        assert await Served(client, ()).wait() == []


@pytest.mark.parametrize("trouble", [REFUSED, NO_CRD, (500, {}, {})])
async def test_where_nothing_is_served_yet_it_is_waited_for(
    server: ApiServer, trouble: tuple[int, Json, dict[str, str]]
) -> None:
    server.script = [trouble, trouble]
    async with server.client() as client, asyncio.timeout(5):
        assert await Served(client, ("a",), again_seconds=0.01).wait() == ["a"]
    assert not server.script


async def test_a_server_in_trouble_leaves_no_namespace_out(server: ApiServer) -> None:
    server.script = [(503, {}, {})]
    async with server.client() as client, asyncio.timeout(5):
        assert await Served(client, ("a", "b"), again_seconds=0.01).wait() == ["a", "b"]


async def test_one_that_is_served_later_is_told(server: ApiServer) -> None:
    server.script = [REFUSED]
    async with server.client() as client, asyncio.timeout(5):
        served = Served(client, ("a", "b"), look_seconds=0.01)
        await served.wait()
        server.script = [REFUSED, (500, {}, {})]
        with pytest.raises(MoreServed, match="a"):
            await served.follow()
        assert not server.script
