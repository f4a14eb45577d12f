"""A wire to a server, on which round trips are counted.

In: the address of a server that speaks after it was spoken to. Out: an address that leads there, and how often whoever
uses it had to wait: a request that follows an answer is another round trip, however many commands it has.
"""

import asyncio
from types import TracebackType


class Wire:
    """Carries bytes both ways until the block ends."""

    def __init__(self, host: str, port: int) -> None:
        self.round_trips = 0
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where this end of the wire is, for a client of Redis."""
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def __aenter__(self) -> "Wire":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._carrying)  # whoever used it has closed its connections

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        try:
            await self._carry(reader, writer)
        finally:
            self._carrying.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(*self._target)
        answered = asyncio.Event()
        answered.set()

        async def ask() -> None:
            while part := await reader.read(1 << 16):
                self.round_trips += answered.is_set()
                answered.clear()
                requests.write(part)
                await requests.drain()

        async def answer() -> None:
            while part := await answers.read(1 << 16):
                answered.set()
                writer.write(part)
                await writer.drain()

        both = [asyncio.ensure_future(ask()), asyncio.ensure_future(answer())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            requests.close()
            writer.close()
