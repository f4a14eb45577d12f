"""`python -m tests.simulation.repeat [--store KIND] [--url REDIS] [--lines] SEED…`: what the worlds of these seeds do.

In: seeds. Out: a line for each: the seed, the digest of all that happened, and how it ended; with `--lines` all that
happened, so that two runs of a seed can be compared where they differ.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.simulation.disks import Disk, MemoryDisk, RedisDisk, SqliteDisk, StoreKind
from tests.simulation.oracles import check
from tests.simulation.trace import Trace
from tests.simulation.worlds import sketch_of


async def digest_of_seed(seed: int, disk: Disk, trace: Trace) -> str:
    """Run the world of a seed; return the digest of all that happened, and what was wrong, if anything."""
    world = sketch_of(seed).world(disk, trace)
    problem = ""
    try:
        await world.run()
        await check(world)
    except AssertionError as found:
        problem = " " + str(found).split("\n")[0]
    finally:
        await world.close()
    return trace.digest + problem


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--store", type=StoreKind, default=StoreKind.MEMORY)
    parser.add_argument("--url", default="redis://127.0.0.1:6379/0")
    parser.add_argument("--lines", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for seed in options.seeds:
            disk: Disk
            match options.store:
                case StoreKind.MEMORY:
                    disk = MemoryDisk()
                case StoreKind.SQLITE:
                    disk = SqliteDisk(Path(folder))
                case StoreKind.REDIS:
                    disk = RedisDisk(options.url)
            trace = Trace(keep=options.lines)
            print(seed, asyncio.run(digest_of_seed(seed, disk, trace)))
            for line in trace.lines or ():
                print(line)


if __name__ == "__main__":
    main()
