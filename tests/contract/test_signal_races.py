"""Signals at the same instant, at two replicas of the gateway over one real Redis: one wins, others are told so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from itertools import count
from random import Random
from typing import Any

import pytest

from tests.contract.redis_server import RedisServer
from tests.contract.replicas import ASK, LAZY, SHIP, TIMED, TIMEOUT_MS, Replicas, replicated

ROUNDS = 40
LEAD_SECONDS = (0.0, 0.0, 0.002, 0.006, 0.02)
WAY_SECONDS = (0.0, 0.01, 0.02, 0.04)
Told = tuple[int, dict[str, Any]]
_numbers = count(1)


@pytest.fixture
async def replicas(
    request: pytest.FixtureRequest, redis_server: RedisServer, installation: str
) -> AsyncIterator[Replicas]:
    """Runs with the steps that the test is parametrized with, else an interrupt and a task after it."""
    async with replicated(redis_server.url, installation, getattr(request, "param", [ASK, SHIP])) as running:
        yield running


async def at_once(random: Random, *calls: Awaitable[Told]) -> list[Told]:
    """Make calls at the same instant, or one of them a moment after the others."""
    late = random.randrange(len(calls))

    async def make(number: int, call: Awaitable[Told]) -> Told:
        await asyncio.sleep(random.choice(LEAD_SECONDS) if number == late else 0)
        return await call

    return await asyncio.gather(*(make(number, call) for number, call in enumerate(calls)))


async def opened(replicas: Replicas) -> str:
    """Return the name of another run that waits."""
    name = f"order-{next(_numbers)}"
    await replicas.open(name)
    return name


async def the_end(replicas: Replicas, random: Random) -> Told:
    """The longest wait is over, about when a signal has found its way to the inbox."""
    await asyncio.sleep(random.choice(WAY_SECONDS))
    replicas.operator.clock.time += TIMEOUT_MS
    return 0, {}


async def test_one_message_at_both_replicas_has_one_effect_and_one_answer(replicas: Replicas) -> None:
    random = Random(1)
    for number in range(ROUNDS):
        name = await opened(replicas)
        ways: list[dict[str, str]] = [{"step": "ask"}, {"correlationId": name}]
        said: list[dict[str, Any]] = [
            {**ways[number % 2], "payload": number, "messageId": f"m-{number}"} for _ in range(2)
        ]
        told = await at_once(random, *(replicas.post(replica, name, **said[replica]) for replica in range(2)))
        assert told == [(200, {"id": f"m-{number}", "run": name, "answer": "accepted"})] * 2
        await replicas.leave(name)
        assert replicas.started(name) == ["ship.run.1.1.1"]
        assert replicas.step(name)["result"] == number
        assert [(one["id"], one["phase"]) for one in replicas.status(name)["signals"]] == [(f"m-{number}", "Accepted")]


async def test_of_two_messages_for_one_interrupt_exactly_one_is_accepted(replicas: Replicas) -> None:
    random, winners = Random(2), set()
    for number in range(ROUNDS):
        name = await opened(replicas)
        ways: list[dict[str, str]] = [{"step": "ask"}, {"step": "ask"} if number % 2 else {"correlationId": name}]
        told = await at_once(
            random,
            *(replicas.post(i, name, **ways[i], payload=f"{number}/{i}", messageId=f"m-{i}") for i in range(2)),
        )
        assert sorted(code for code, _ in told) == [200, 409], told
        winner = [code for code, _ in told].index(200)
        assert "interrupt ask is closed" in told[1 - winner][1]["reason"]
        await replicas.leave(name)
        assert replicas.started(name) == ["ship.run.1.1.1"]
        assert replicas.step(name)["result"] == f"{number}/{winner}"
        winners.add(winner)
    assert winners == {0, 1}, "one of both was never faster: that was no race"


@pytest.mark.parametrize("replicas", [[ASK]], indirect=True)
async def test_of_a_resume_and_a_cancel_one_closes_the_interrupt_and_a_resume_that_does_not_is_told_so(
    replicas: Replicas,
) -> None:
    """A cancel that is read after the resume finds a run that goes on, or one that has ended and refuses it."""
    random, ends = Random(3), set()
    for number in range(ROUNDS):
        name = await opened(replicas)
        (resumed, resume), (cancelled, cancel) = await at_once(
            random,
            replicas.post(number % 2, name, step="ask", payload=number, messageId="r"),
            replicas.post(1 - number % 2, name, "cancel", messageId="c"),
        )
        assert {resumed, cancelled} <= {200, 409}
        await replicas.leave(name)
        end = "Cancelled" if cancelled == 200 else "Succeeded"
        assert replicas.phase(name) == end, (resume, cancel)
        if resumed == 200:
            assert (replicas.step(name)["phase"], replicas.step(name)["result"]) == ("Succeeded", number)
            assert cancelled == 200 or "the run has ended: Succeeded" in cancel["reason"]
        else:
            assert (replicas.step(name)["phase"], cancelled) == ("Cancelled", 200)
            assert "Cancelled" in resume["reason"]
        ends.add(resumed)
    assert ends == {200, 409}, "one of both was never faster: that was no race"


@pytest.mark.parametrize("replicas", [[TIMED]], indirect=True)
async def test_of_a_resume_and_the_timer_exactly_one_wins(replicas: Replicas) -> None:
    random, ends = Random(4), set()
    for number in range(ROUNDS):
        name = await opened(replicas)
        _, (resumed, told) = await at_once(
            random,
            the_end(replicas, random),
            replicas.post(number % 2, name, step="ask", payload=number, messageId="r"),
        )
        await replicas.leave(name)
        if resumed == 200:
            assert (replicas.phase(name), replicas.step(name)["result"]) == ("Succeeded", number)
        else:
            assert (resumed, told["answer"]) == (409, "rejected")
            assert told["reason"] in ("interrupt ask is closed: no signal came in time", "the run has ended: Failed")
            assert (replicas.phase(name), replicas.status(name)["failure"]["kind"]) == ("Failed", "Timeout")
        ends.add(resumed)
    assert ends == {200, 409}, "one of both was never faster: that was no race"


@pytest.mark.parametrize("replicas", [[LAZY, SHIP]], indirect=True)
async def test_a_resume_at_the_last_instant_of_a_lazy_wait_counts_or_ends_it(replicas: Replicas) -> None:
    """Which of both is decided by the operator's clock when it reads the resume, and by nothing else."""
    random, ends = Random(5), set()
    for number in range(ROUNDS):
        name = await opened(replicas)
        _, (first, _), (second, _) = await at_once(
            random,
            the_end(replicas, random),
            *(replicas.post(i, name, step="ask", payload=number, messageId=f"m-{i}") for i in range(2)),
        )
        codes = sorted((first, second))
        assert codes in ([200, 409], [409, 409])
        await replicas.leave(name)
        late = codes == [409, 409]
        assert replicas.phase(name) == ("Failed" if late else "Running")
        assert replicas.started(name) == ([] if late else ["ship.run.1.1.1"])
        ends.add(late)
    assert ends == {True, False}, "one of both was never faster: that was no race"
