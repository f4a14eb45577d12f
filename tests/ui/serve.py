"""`python -m tests.ui.serve [PORT]`: the staged shop for whoever works on the dashboard, until Ctrl-C.

The token to sign in with is token-of-bob.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from reactor_operator.store.redis import RedisStore
from tests.contract.redis_server import RedisServer
from tests.ui import scenes
from tests.ui.stage import staged


async def main(port: int) -> None:
    """Serve."""
    with TemporaryDirectory() as folder, RedisServer(Path(folder) / "redis") as redis:
        store = RedisStore(redis.url, "stage")
        async with staged(store, port=port) as stage:
            await scenes.put_reactors(stage)
            for scene in (
                scenes.shipped_order,
                scenes.failed_order,
                scenes.running_order,
                scenes.rolling_order,
                scenes.stuck_order,
                scenes.waiting_purchase,
                scenes.delivery,
                scenes.wide_run,
            ):
                await scene(stage)
            print(stage.url, flush=True)
            async with stage.going():
                await asyncio.Event().wait()
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8080))
