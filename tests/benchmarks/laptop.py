"""Rows `transforms`, `transforms-linear` and `one-step`: what a run costs where there is no cluster.

In: how often. Out: of a chain of transforms, seconds of wall clock of `reactor run`, and how much more CPU time a chain
of four times the length takes; of runs of one step in this process, with tasks that end at once, ms of CPU time each.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import process_time

from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.store.memory import MemoryStore
from tests.benchmarks.cold_start import children_seconds, command_seconds
from tests.benchmarks.driving import drive, read_run
from tests.benchmarks.rows import Measured
from tests.benchmarks.samples import Samples, ratio

CHAIN, LONG_CHAIN = 1_000, 4_000
RUNS = 1_000
_HEAD = "apiVersion: reactor.run/v1alpha1\nkind: {kind}\nmetadata: {{name: bench}}\nspec:\n"
_ONE_STEP = (
    _HEAD.format(kind="Reactor")
    + """
  steps:
  - name: greet
    arguments: {who: {input: who}}
    run: {python: {handler: "shop:greet"}}
    undo: {python: {handler: "shop:part"}}
---
"""
    + _HEAD.format(kind="ReactorRun")
    + "  reactorRef: {name: bench}\n  inputs: {who: world}\n"
)


def measure_transforms(repetitions: int) -> Mapping[str, Measured]:
    """Run both chains in turn, each in a process of its own; of the CPU time, that of a chain of one is taken off."""
    wall: list[float] = []
    cpu: dict[int, list[float]] = {CHAIN: [], LONG_CHAIN: []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repetitions):
            _, least = _run_chain(Path(folder), 1)
            for length, taken in cpu.items():
                seconds, used = _run_chain(Path(folder), length)
                taken.append(used - least)
                if length == CHAIN:
                    wall.append(seconds)
    short, long, walls = Samples(tuple(cpu[CHAIN])), Samples(tuple(cpu[LONG_CHAIN])), Samples(tuple(wall))
    measured, spread = ratio(long, short)
    return {
        "transforms": Measured(value=walls.median, spread=walls.spread, arms={"reactor run": walls}),
        "transforms-linear": Measured(
            value=measured, spread=spread, arms={f"{LONG_CHAIN} steps": long, f"{CHAIN} steps": short}
        ),
    }


def _run_chain(folder: Path, length: int) -> tuple[float, float]:
    """Return seconds of wall clock and of CPU time."""
    file = folder / f"{length}.yaml"
    steps = ["  - {name: s0, transform: {value: 1}}\n"]
    steps += [f"  - {{name: s{n}, transform: {{expr: 'results.s{n - 1} + 1'}}}}\n" for n in range(1, length)]
    file.write_text(_HEAD.format(kind="Reactor") + "  steps:\n" + "".join(steps))
    used = children_seconds()
    seconds = command_seconds(str(file), says=f"result {length}")
    return seconds, children_seconds() - used


def measure_one_step(repetitions: int) -> Mapping[str, Measured]:
    """Drive `RUNS` runs through the reconciler, one after the other, over a store in memory."""
    taken = [asyncio.run(_drive_all()) * 1000 / RUNS for _ in range(repetitions)]
    samples = Samples(tuple(taken))
    details = {"runs": RUNS, "armsUnit": "ms"}
    return {"one-step": Measured(value=samples.median, spread=samples.spread, arms={"runs": samples}, details=details)}


async def _drive_all() -> float:
    written = read_run(_ONE_STEP)
    store, evaluator = MemoryStore(), ProcessEvaluator(workers=1)
    began = process_time()
    for number in range(RUNS):
        await drive(written, store, evaluator, f"bench-{number}")
    took = process_time() - began
    await evaluator.close()
    return took
