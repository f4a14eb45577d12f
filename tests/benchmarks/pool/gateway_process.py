"""The gateway as a process, but for its operations: `python -m tests.benchmarks.pool.gateway_process REDIS PORT`."""

import sys

import uvloop

from reactor_operator.gateway.app import create_app
from reactor_operator.gateway.serve import serve
from reactor_operator.running.clock import WallClock
from reactor_operator.store.redis import RedisStore
from tests.benchmarks.pool.settled import INSTALLATION, KEY, settle


async def _serve(redis: str, port: int) -> None:
    await serve(create_app(RedisStore(redis, INSTALLATION), KEY, WallClock()), "127.0.0.1", port)


if __name__ == "__main__":
    settle()
    uvloop.run(_serve(sys.argv[1], int(sys.argv[2])))
