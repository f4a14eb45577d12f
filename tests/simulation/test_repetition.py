"""A seed is one history: again, in another process, over another store."""

import asyncio
import os
import sys
from collections.abc import Callable

import pytest

from tests.simulation.disks import Disk, StoreKind
from tests.simulation.repeat import digest_of_seed
from tests.simulation.trace import Trace

pytestmark = pytest.mark.heavy

SEEDS = range(1_000, 1_008)


async def test_a_seed_does_the_same_in_another_process_whatever_strings_hash_to(
    make_disk: Callable[[StoreKind], Disk],
) -> None:
    here = [f"{seed} {await digest_of_seed(seed, make_disk(StoreKind.MEMORY), Trace())}" for seed in SEEDS]
    for hash_seed in ("1", "2"):
        other = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.simulation.repeat", *map(str, SEEDS)),
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await other.communicate()
        assert told.decode().splitlines() == here


@pytest.mark.parametrize("kind", [StoreKind.SQLITE, StoreKind.REDIS])
async def test_a_seed_does_the_same_over_each_store(kind: StoreKind, make_disk: Callable[[StoreKind], Disk]) -> None:
    """Not only the end (O3): every read, write and clock reading on the way, faults and lost stores included."""
    for seed in SEEDS:
        memory, other = Trace(keep=True), Trace(keep=True)
        expected = await digest_of_seed(seed, make_disk(StoreKind.MEMORY), memory)
        found = await digest_of_seed(seed, make_disk(kind), other)
        assert memory.first_difference(other) is None, f"seed {seed}"
        assert found == expected
