"""A Redis that says it is 7.4 with `appendfsync everysec`: the real server behind a proxy that knows WAITAOF.

Debian's Redis is 7.0. What is new in 7.2 is answered by scripts; everything else goes through untouched.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import hiredis


@dataclass
class NewerRedis:
    """The proxy's address, what it was asked (one list for each read from the socket), and what WAITAOF answers.

    While it is `mute`, everything reaches the server and nothing comes back.
    """

    port: int = 0
    mute: bool = False
    on_disk: int = 1
    asked: list[list[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def translate(self, command: list[bytes]) -> list[bytes]:
        match [word.upper() for word in command]:
            case [b"WAITAOF", *_]:
                return [b"EVAL", b"return {%d, 0}" % self.on_disk, b"0"]
            case [b"INFO", b"SERVER"]:
                return [b"EVAL", b"return 'redis_version:7.4.0\\r\\n'", b"0"]
            case [b"CONFIG", b"GET", *_]:
                return [b"EVAL", b"return {'appendonly', 'yes', 'appendfsync', 'everysec'}", b"0"]
            case _:
                return command


@contextlib.asynccontextmanager
async def newer_redis(port: int) -> AsyncIterator[NewerRedis]:
    """Stand before the server on `port` until the block ends."""
    proxy = NewerRedis()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(_answer(proxy, server, to_client))
        tasks.add(back)
        commands = hiredis.Reader()
        while part := await client.read(65536):
            commands.feed(part)
            batch = []
            while (command := commands.gets()) is not False:
                batch.append(command[0].upper())
                to_server.write(_encode(proxy.translate(command)))
            proxy.asked.append(batch)
        to_server.close()
        await back

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield proxy
    await asyncio.gather(*tasks)


async def _answer(proxy: NewerRedis, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    while part := await server.read(65536):
        if not proxy.mute:
            to_client.write(part)
    to_client.close()


def _encode(command: list[bytes]) -> bytes:
    return b"".join((b"*%d\r\n" % len(command), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)))
