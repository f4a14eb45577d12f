"""Pools and their Deployments followed: what no watch told is found by a list, and one namespace stops no other."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from reactor_operator.kube.paths import REACTOR_POOL
from reactor_operator.pools.following import follow_deployments, follow_pools, list_pools
from tests.unit.kube.api_server import ApiServer
from tests.unit.pools.followed import KEY, POOL, WORKERS, PoolTrial, until
from tests.unit.pools.made import Json, deployment, written

REFUSED: tuple[int, Json, dict[str, str]] = (403, {"reason": "Forbidden", "message": "no role here"}, {})


@asynccontextmanager
async def beside(part: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(part)
    try:
        async with asyncio.timeout(5):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_dirty(trial: PoolTrial) -> None:
    while not (known := trial.roster.find(KEY)) or not known.dirty:
        await trial.roster.wait(0.05)


def clean(trial: PoolTrial) -> None:
    known = trial.roster.find(KEY)
    assert known is not None
    known.dirty = False


async def test_a_list_tells_what_the_watch_missed_and_drops_what_is_gone(trial: PoolTrial) -> None:
    await trial.put()
    other = REACTOR_POOL.object("shop", "other")
    await trial.server.put(other, written(name="other"))
    assert await list_pools(trial.client, "shop", trial.roster)
    assert trial.roster.names("shop") == ["resize", "other"]
    await trial.server.remove(other, tell=False)
    assert await list_pools(trial.client, "shop", trial.roster)
    assert trial.roster.names("shop") == ["resize"]


async def test_a_pool_that_is_told_while_the_list_is_made_is_not_dropped(trial: PoolTrial) -> None:
    await trial.server.put(POOL, written())
    await list_pools(trial.client, "shop", trial.roster)
    trial.roster.forget_but([], among=["shop/other"])
    assert trial.roster.find(KEY) is not None


async def test_a_namespace_that_refuses_keeps_its_pools_and_the_roster_from_being_complete(trial: PoolTrial) -> None:
    await trial.put()
    trial.server.script = [REFUSED]
    async with beside(follow_pools(trial.client, ["shop", "billing"], trial.roster, pause_seconds=0.01)):
        await until(lambda: not trial.server.script)
        assert trial.roster.names("shop") == ["resize"]
        assert not trial.roster.is_complete
    async with beside(follow_pools(trial.client, ["shop", "billing"], trial.roster, pause_seconds=0.01)):
        await until(lambda: trial.roster.is_complete)


async def test_a_change_of_a_deployment_marks_its_pool(trial: PoolTrial) -> None:
    await trial.put()
    clean(trial)
    async with beside(follow_deployments(trial.client, "shop", trial.roster)):
        await trial.server.put(WORKERS, deployment())
        await until_dirty(trial)
        clean(trial)
        await trial.server.remove(WORKERS)
        await until_dirty(trial)


@pytest.mark.parametrize("trouble", ["expire_watches", "refuse"])
async def test_a_watch_that_breaks_is_followed_by_another(trial: PoolTrial, server: ApiServer, trouble: str) -> None:
    await trial.put()
    await server.put(WORKERS, deployment())
    clean(trial)
    if trouble == "refuse":
        server.script = [REFUSED, (500, {}, {})]
    else:
        server.expire_watches = True
    async with beside(follow_deployments(trial.client, None, trial.roster)):
        await until_dirty(trial)
        await until(lambda: not server.expire_watches and not server.script)
        clean(trial)
        await server.put(WORKERS, deployment())
        await until_dirty(trial)


async def test_other_deployments_are_not_even_listed(trial: PoolTrial) -> None:
    await trial.put()
    clean(trial)
    other = deployment()
    other["metadata"]["labels"] = {"app": "shop"}
    await trial.server.put(WORKERS, other)
    async with beside(follow_deployments(trial.client, "shop", trial.roster)):
        await asyncio.sleep(0.1)
    known = trial.roster.find(KEY)
    assert known is not None
    assert not known.dirty
