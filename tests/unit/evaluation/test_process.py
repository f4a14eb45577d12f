"""The worker as its owner sees it: whoever is cancelled while it starts, is cancelled."""

import asyncio

import pytest

from reactor_operator.evaluation.process import Worker


async def test_a_cancellation_that_comes_together_with_the_readiness_of_the_worker_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starting = asyncio.ensure_future(Worker.start())
    feed = asyncio.StreamReader.feed_data
    in_time: list[bool] = []

    def feed_and_cancel(reader: asyncio.StreamReader, data: bytes) -> None:
        feed(reader, data)
        asyncio.get_running_loop().call_soon(lambda: in_time.append(starting.cancel()))

    monkeypatch.setattr(asyncio.StreamReader, "feed_data", feed_and_cancel)
    await asyncio.wait({starting})
    await asyncio.sleep(0)
    assert in_time
    assert starting.cancelled() is any(in_time)
    if not starting.cancelled():
        await starting.result().kill()
