"""A map over a SQLite file in a process of its own, whose memory nothing else has grown.

In: how many elements, and how many of those in flight. Out: one line of JSON on stdout: CPU time, wall clock, and the
most memory that the process had. Never here: a figure compared with another one (`elements`).
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from reactor_operator.store.sqlite import SqliteStore
from tests.benchmarks.mapping import Bench, drive_launched


def main() -> None:
    """Measure, and say what was found."""
    bench = Bench(elements=int(sys.argv[1]), window=int(sys.argv[2]))
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(_drive(bench, Path(folder) / "state"))))


async def _drive(bench: Bench, file: Path) -> dict[str, float]:
    store = SqliteStore(file)
    began, used = perf_counter(), process_time()
    driven = await drive_launched(bench, store)
    took = {
        "wall": perf_counter() - began,
        "cpu": process_time() - used,
        "reconciling": driven.cpu,
        "peakBytes": _peak_bytes(),
        "fileBytes": sum(one.stat().st_size for one in file.parent.iterdir()),
    }
    await store.close()
    return took


def _peak_bytes() -> int:
    """Return the most memory that this program had; `ru_maxrss` tells of the process it was forked from, too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.removesuffix("kB")) * 1024
    raise RuntimeError("/proc/self/status: found no VmHWM, expected the peak of this process")


if __name__ == "__main__":
    main()
