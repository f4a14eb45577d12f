"""Tasks that do nothing, done by workers of ARQ; run as a program: enqueue them, and read every result.

In: `REDIS`, and how many. Out: one line of JSON on stdout. Runs in an environment that the benchmark makes for it.
"""

import asyncio
import json
import os
import sys
from time import perf_counter

from arq import create_pool
from arq.connections import RedisSettings

REDIS = RedisSettings.from_dsn(os.environ["REDIS"])
TOGETHER = 20


async def nothing(ctx, row):
    """Do nothing."""


class WorkerSettings:
    """What `arq` reads. Its own defaults, ten jobs at once and a look at the queue each half second, are slower."""

    functions = (nothing,)
    redis_settings = REDIS
    max_jobs = 100
    poll_delay = 0.02


async def main(count):
    """Wait for a worker, then measure."""
    pool = await create_pool(REDIS)
    await (await pool.enqueue_job("nothing", -1)).result(timeout=60, poll_delay=0.02)
    began = perf_counter()
    jobs = []
    for first in range(0, count, TOGETHER):
        numbers = range(first, min(first + TOGETHER, count))
        jobs += await asyncio.gather(*(pool.enqueue_job("nothing", number) for number in numbers))
    for job in jobs:
        await job.result(timeout=600, poll_delay=0.02)
    print(json.dumps({"seconds": perf_counter() - began}))
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
