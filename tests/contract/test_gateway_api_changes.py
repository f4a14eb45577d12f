"""What becomes of runs is told in order, once, to whom it may be told; who missed some is told to list again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from reactor_operator.mirror import feed
from reactor_operator.mirror.index import Query
from tests.contract.looking import Looking, looking, validator


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    name: str
    id: str
    document: dict[str, Any]


class Listening:
    """A stream of events that is read."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Event:
        """Return the next event, comments passed over. Raises StopAsyncIteration at the end, TimeoutError."""
        said: dict[str, str] = {}
        async with asyncio.timeout(5):
            while True:
                line = await anext(self._lines)
                if not line and "event" in said:
                    return self._event(said)
                name, _, value = line.partition(": ")
                said[name] = value

    async def comment(self) -> str:
        """Return the next comment."""
        async with asyncio.timeout(5):
            while not (line := await anext(self._lines)).startswith(":"):
                pass
        return line

    def _event(self, said: dict[str, str]) -> Event:
        document = orjson.loads(said["data"])
        schema = {"put": "RunItem", "removed": "RemovedRun"}.get(said["event"])
        if schema is not None:
            validator({"$ref": f"#/components/schemas/{schema}"}).validate(document)
        return Event(said["event"], said["id"], document)


@contextlib.asynccontextmanager
async def listening(
    look: Looking, token: str = "token-of-ann", last_id: str = "", **query: Any
) -> AsyncIterator[Listening]:
    headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last_id} if last_id else {})}
    async with look.client.stream("GET", "/api/v1/changes", headers=headers, params=query) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
        yield Listening(answer)


async def test_who_listens_and_then_lists_misses_nothing() -> None:
    async with looking() as look, listening(look) as heard:
        assert (await heard.next()).name == "ready"
        await look.put_run("new", phase="Running")
        await look.put_run("new", phase="Failed", message="no stock")
        await look.server.remove("/apis/reactor.run/v1alpha1/namespaces/shop/reactorruns/new")
        events = [await heard.next() for _ in range(3)]
        assert [(event.name, event.document.get("phase")) for event in events] == [
            ("put", "Running"),
            ("put", "Failed"),
            ("removed", None),
        ]
        assert events[1].document == (events[0].document | {"phase": "Failed", "message": "no stock"})
        assert events[2].document == {"namespace": "shop", "name": "new", "uid": "uid-new"}
        assert len({event.id for event in events}) == 3


async def test_nobody_hears_of_namespaces_that_are_not_theirs_or_not_asked_for() -> None:
    async with looking() as look, listening(look) as ann, listening(look, "token-of-root", namespace="bank") as root:
        assert [(await one.next()).name for one in (ann, root)] == ["ready", "ready"]
        await look.put_run("hidden", "other")
        await look.put_run("b", "bank")
        await look.put_run("s", "shop")
        assert (await ann.next()).document["name"] == "s"
        assert (await root.next()).document["name"] == "b"
        await look.put_run("s2", "shop")
        await look.put_run("b2", "bank")
        assert (await ann.next()).document["name"] == "s2"
        assert (await root.next()).document["name"] == "b2"


async def test_who_comes_back_goes_on_after_the_last_event() -> None:
    async with looking() as look:
        async with listening(look) as heard:
            await heard.next()
            await look.put_run("a")
            last = await heard.next()
        await look.put_run("b")
        await look.put_run("c", "bank")
        await look.put_run("d")
        async with listening(look, last_id=last.id) as again:
            assert (await again.next()).id == last.id
            assert [(await again.next()).document["name"] for _ in range(2)] == ["b", "d"]


@pytest.mark.parametrize("last_id", ["0000-1", "-1", "x", "0000-", "1"])
async def test_who_comes_back_from_another_gateway_is_told_to_list_again(last_id: str) -> None:
    async with looking() as look, listening(look, last_id=last_id) as heard:
        assert (await heard.next()).name == "reset"
        await look.put_run("a")
        assert (await heard.next()).document["name"] == "a"


async def test_who_is_too_slow_is_told_to_list_again_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BUFFERED", 3)
    async with looking() as look, listening(look) as heard:
        await heard.next()
        (run,) = look.mirror.index.slice(Query(), None, 1).runs
        for _ in range(10):  # nobody is let read between them
            look.mirror.feed.tell(run)
        assert (await heard.next()).name == "reset"
        await look.put_run("a")
        assert (await heard.next()).document["name"] == "a"


async def test_nothing_new_is_told_too() -> None:
    async with looking(heartbeat_seconds=0.05) as look, listening(look) as heard:
        assert [await heard.comment() for _ in range(2)] == [": nothing new", ": nothing new"]


async def test_after_a_while_whoever_listens_has_to_come_back() -> None:
    async with looking(stream_seconds=0.2) as look, listening(look) as heard:
        await heard.next()
        with pytest.raises(StopAsyncIteration):
            await heard.next()


async def test_who_has_gone_is_told_nothing_more() -> None:
    async with looking() as look:
        async with listening(look) as heard:
            await heard.next()
            assert len(look.mirror.feed) == 1
        async with asyncio.timeout(5):
            while len(look.mirror.feed):  # noqa: ASYNC110 - nothing tells that somebody has gone
                await asyncio.sleep(0.01)


async def test_a_gateway_that_ends_lets_everybody_go() -> None:
    async with looking() as look, listening(look) as heard:
        await heard.next()
        look.mirror.feed.close()
        with pytest.raises(StopAsyncIteration):
            await heard.next()
