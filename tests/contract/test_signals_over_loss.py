"""Redis is killed, emptied or set back around a resume: what was accepted has its effect, or a loss is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.contract.redis_server import RedisServer
from tests.contract.replicas import ASK, SHIP, Replicas, replicated

ROUNDS = 16
SHIPPED = {"ship.run.1.1.1"}
EMPTIED, OLDER = "emptied", "older copy"


@pytest.fixture
async def replicas(own_server: RedisServer) -> AsyncIterator[Replicas]:
    """An interrupt and a task after it, on a Redis that the test may hurt."""
    async with replicated(own_server.url, "test", [ASK, SHIP], wait_seconds=0.4) as running:
        yield running


@pytest.fixture(params=[EMPTIED, OLDER])
def lose(request: pytest.FixtureRequest, own_server: RedisServer, tmp_path: Path) -> Callable[[], None]:
    """The first call takes a copy; the second one brings it back, or nothing, after a kill."""
    copy, taken = tmp_path / "copy", False

    def call() -> None:
        nonlocal taken
        if taken:
            own_server.restore(copy if request.param == OLDER else None)
        else:
            own_server.back_up(copy)
            taken = True

    return call


async def test_who_was_answered_accepted_finds_the_interrupt_resumed_whenever_redis_was_killed(
    replicas: Replicas, own_server: RedisServer
) -> None:
    random, first_answers = Random(1), set()
    for number in range(ROUNDS):
        name = f"order-{number}"
        await replicas.open(name)
        said: dict[str, Any] = {"step": "ask", "payload": number, "messageId": f"m-{number}"}
        posting = asyncio.create_task(replicas.post(number % 2, name, **said))
        await asyncio.sleep(random.choice((0.0, 0.01, 0.02, 0.04, 0.08)))
        own_server.kill()
        await asyncio.sleep(random.choice((0.0, 0.1, 0.5)))
        await asyncio.to_thread(own_server.start)
        code, told = await posting
        first_answers.add(code)
        if code != 200:
            code, told = await replicas.insist(1 - number % 2, name, **said)
        assert (code, told["answer"]) == (200, "accepted")
        await replicas.until(lambda name=name: replicas.phase(name) == "Running", f"{name} goes on")
        assert replicas.step(name)["result"] == number
        assert set(replicas.started(name)) == SHIPPED
        code, told = await replicas.insist(0, name, step="ask", payload="another", messageId="another")
        assert (code, told["reason"]) == (409, "interrupt ask is closed: it is Succeeded")
        await replicas.leave(name)
    assert len(first_answers) > 1, "each time it was killed too early, or too late"


@pytest.mark.parametrize("who", ["the same operator", "the same, and no status was written since", "another operator"])
async def test_a_resume_that_was_accepted_and_is_lost_is_told_and_none_is_accepted_after_it(
    replicas: Replicas, lose: Callable[[], None], who: str
) -> None:
    name = "order-1"
    await replicas.open(name)
    lose()
    replicas.cluster.deaf = "no status" in who
    assert (await replicas.post(0, name, step="ask", payload=1, messageId="first"))[0] == 200
    await replicas.until(lambda: replicas.started(name), f"{name} goes on")
    if who == "another operator":
        await replicas.leave(name)
        replicas.look_at(name)
        async with replicas.without_an_operator():
            lose()
    else:
        lose()
    replicas.cluster.deaf = False
    told = await asyncio.gather(
        replicas.insist(0, name, step="ask", payload=1, messageId="first"),
        replicas.insist(1, name, step="ask", payload=2, messageId="second"),
    )
    assert [code for code, _ in told] == [409, 409], told
    await replicas.until(lambda: replicas.phase(name) == "Recovering", f"{name} tells of the loss")
    assert set(replicas.started(name)) == SHIPPED
    code, answer = await replicas.insist(0, name, step="ask", payload=3, messageId="third")
    assert (code, "not known" in answer["reason"]) == (409, True)
    assert (replicas.status(name).get("waiting", ""), replicas.status(name).get("interrupts", [])) == ("", [])


async def test_a_resume_that_was_never_read_and_is_lost_is_unknown_and_the_same_words_again_count_once(
    replicas: Replicas, lose: Callable[[], None], request: pytest.FixtureRequest
) -> None:
    name = "order-1"
    await replicas.open(name)
    lose()
    async with replicas.without_an_operator():
        code, told = await replicas.post(0, name, step="ask", payload=1, messageId="m")
        assert (code, told["answer"]) == (202, "pending")
        lose()
        assert (await replicas.look(name, "m"))[0] == 404
    answers = await asyncio.gather(
        *(replicas.insist(replica, name, step="ask", payload=1, messageId="m") for replica in range(2))
    )
    if OLDER in request.node.name:
        assert [code for code, _ in answers] == [200, 200], answers
        await replicas.leave(name)
        assert (replicas.phase(name), set(replicas.started(name))) == ("Running", SHIPPED)
    else:
        assert [code for code, _ in answers] == [409, 409], answers
        await replicas.until(lambda: replicas.phase(name) == "Recovering", f"{name} tells of the loss")
        assert replicas.started(name) == []
