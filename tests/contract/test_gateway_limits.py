"""What the gateway lets nobody take: memory for bodies, and connections."""

import asyncio

import pytest

from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.bodies import BODY_LIMIT, OUTCOME_LIMIT
from reactor_operator.gateway.record import OpenRecord
from reactor_operator.gateway.tokens import task_token
from reactor_operator.outcomes.members import MEMBERS_LIMIT
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit
from tests.contract.gateway_server import (
    KEY,
    OTHER_NONCE,
    RUN,
    SUCCEEDED,
    TASK,
    Gateway,
    address,
    open_task,
    running_gateway,
)


class TestSize:
    @pytest.mark.parametrize(("verb", "limit"), [("outcome", OUTCOME_LIMIT), ("output", BODY_LIMIT)])
    async def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(
        self, open_gateway: Gateway, verb: str, limit: int
    ) -> None:
        status = await _send_raw(open_gateway, verb, f"Content-Length: {limit + 1}", parts=0)
        assert status == 413

    @pytest.mark.parametrize("verb", ["outcome", "output"])
    async def test_a_body_that_grows_too_large_is_refused(self, open_gateway: Gateway, verb: str) -> None:
        status = await _send_raw(open_gateway, verb, "Transfer-Encoding: chunked", parts=40)
        assert status == 413
        assert await open_gateway.inbox() == []

    async def test_slow_large_bodies_do_not_hold_up_small_ones(self, open_gateway: Gateway) -> None:
        writers = []
        for _ in range(8):
            _, writer = await asyncio.open_connection("127.0.0.1", open_gateway.port)
            writer.write(_head("output", "Content-Length: 30000000"))
            await writer.drain()
            writers.append(writer)
        assert (await open_gateway.ask("PUT", "outcome", content=SUCCEEDED)).status_code == 200
        for writer in writers:
            writer.close()

    async def test_large_answers_are_sent_a_few_at_a_time_and_all_of_them(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("reactor_operator.gateway.turns._SECONDS", 0.2)
        large = b'"%b"' % (b"x" * 8_000_000)
        await open_task(gateway.store, TASK, OpenRecord(arguments=reference_to(large)))
        found = await gateway.store.load(RUN)
        assert found is not None
        await gateway.store.commit(
            Commit(run=RUN, revision=found.revision, epoch=1, values={reference_to(large).digest: large})
        )
        idle = []
        for _ in range(12):  # who asks and reads nothing gives its turn up after a while
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1)
            writer.write(_head("arguments").replace(b"PUT", b"GET", 1))
            idle.append(writer)
        answers = await asyncio.gather(*(gateway.ask("GET", "arguments") for _ in range(8)))
        assert all(answer.content == large for answer in answers)
        for writer in idle:
            writer.close()

    async def test_a_task_that_is_closed_takes_no_turn_from_one_that_is_open(self, open_gateway: Gateway) -> None:
        writers = []
        for number in range(1, 5):
            _, writer = await asyncio.open_connection("127.0.0.1", open_gateway.port)
            writer.write(_head("outcome", "Content-Length: 300000", task=Task("old", Action.RUN, 1, 1, number)))
            await writer.drain()
            writers.append(writer)
        large = b'{"type":"succeeded","result":"%b"}' % (b"y" * 300_000)
        async with asyncio.timeout(10):
            assert (await open_gateway.ask("PUT", "outcome", content=large)).status_code == 200
        for writer in writers:
            writer.close()

    async def test_what_is_small_to_send_and_huge_in_memory_is_no_output(self, open_gateway: Gateway) -> None:
        bomb = b"[" + b"1," * MEMBERS_LIMIT + b"0]"
        output = await open_gateway.ask("PUT", "output", content=bomb, headers={"Content-Type": "application/json"})
        assert output.status_code == 413
        assert await open_gateway.inbox() == []


class TestSlowPeers:
    @pytest.mark.parametrize("said", [b"", b"GET /v1/tasks/a HTTP/1.1\r\nHost: x\r\n"])
    async def test_who_asks_for_nothing_holds_no_connection(
        self, installation: str, monkeypatch: pytest.MonkeyPatch, said: bytes
    ) -> None:
        monkeypatch.setattr("reactor_operator.gateway.serve._HEAD_SECONDS", 0.2)
        async with running_gateway(MemoryStore()) as gateway, asyncio.timeout(5):
            await gateway.ask("GET", "arguments")
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(said)
            await writer.drain()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

    async def test_who_asks_again_keeps_its_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("reactor_operator.gateway.serve._HEAD_SECONDS", 0.1)
        async with running_gateway(MemoryStore()) as gateway, asyncio.timeout(5):
            await gateway.ask("GET", "arguments")
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            for _ in range(3):
                writer.write(b"GET /v1/tasks/a HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 404")
                await asyncio.sleep(0.15)
            writer.close()
            await writer.wait_closed()


def _head(verb: str, *headers: str, task: Task = TASK) -> bytes:
    token = task_token(KEY, f"{RUN}/{task.key}")
    lines = (f"PUT {address(task, verb)} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {token}")
    return "\r\n".join((*lines, f"Reactor-Nonce: {OTHER_NONCE}", *headers, "", "")).encode()


async def _send_raw(gateway: Gateway, verb: str, length: str, parts: int) -> int:
    """Send a head and so many chunks of 1 MiB, and return the status that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)

    async def send() -> None:
        writer.write(_head(verb, length))
        for _ in range(parts):
            writer.write(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
            await writer.drain()

    sending = asyncio.create_task(send())
    async with asyncio.timeout(20):
        status_line = await reader.readline()
    await asyncio.gather(sending, return_exceptions=True)
    writer.close()
    return int(status_line.split()[1])
