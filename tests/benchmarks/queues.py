"""Rows `pool-dramatiq`, `pool-celery`, `pool-arq` and `pool-undo`: elements of a map on a pool, beside queue libraries.

In: how often, and how many tasks. Out: elements a second ÷ tasks a second. All arms do nothing so often, bring every
result back, have two worker processes, and use the same Redis. The libraries are measured twice: with a Redis that is
as durable as the chart's, which ours needs, and with one that writes nothing to disk, which most of their users have.
What is judged is the harder of the two ratios.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.machine import ROOT
from tests.benchmarks.pool.processes import CHILDREN, PoolProcesses, run_to_the_end
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples, ratio
from tests.benchmarks.telling import tell
from tests.contract.redis_server import RedisServer

UNDONE, CHUNK = 10_000, 100
_HERE = Path(__file__).parent / "queue_arms"
_NOT_DURABLE = ("--appendonly", "no")
_OURS = "pool"
_CELERY_ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Library:
    """A queue library: the module of its tasks, and the words that start its workers, each so often."""

    name: str
    module: str
    words: Sequence[str]
    processes: int = 1


LIBRARIES = (
    _Library(
        name="dramatiq", module="dramatiq_tasks", words=("dramatiq", "dramatiq_tasks", "--processes", str(CHILDREN))
    ),
    _Library(
        name="celery",
        module="celery_tasks",
        words=("celery", "-A", "celery_tasks", "worker", "--concurrency", str(CHILDREN), *_CELERY_ALONE),
    ),
    _Library(name="arq", module="arq_tasks", words=("arq", "arq_tasks.WorkerSettings"), processes=CHILDREN),
)


def measure_queues(repetitions: int, tasks: int) -> Mapping[str, Measured]:
    """Run all arms in turn, in an order that moves by one with every repetition."""
    for library in LIBRARIES:
        _install(library)
    arms = [(name, durable) for durable in (True, False) for name in (*(one.name for one in LIBRARIES), _OURS)]
    arms.remove((_OURS, False))  # there is no such thing: what the operator was told is on disk
    rates: dict[tuple[str, bool], list[float]] = {arm: [] for arm in arms}
    details: dict[str, object] = {}
    for number in range(repetitions):
        for arm in arms[number % len(arms) :] + arms[: number % len(arms)]:
            name, durable = arm
            tell(f"{tasks} tasks with {name}{'' if durable else ', nothing on disk'}")
            with tempfile.TemporaryDirectory() as folder, _redis(Path(folder), durable=durable) as redis:
                found = _ours(redis, tasks) if name == _OURS else _theirs(_library(name), redis, tasks)
            rates[arm].append(tasks / found["seconds"])
            details[name] = found
    return {f"pool-{one.name}": _compared(one.name, rates, details, tasks) for one in LIBRARIES}


def measure_undo(repetitions: int, tasks: int = UNDONE) -> Mapping[str, Measured]:
    """Undo maps that have succeeded, one chunk at a time."""
    rates, found = [], {}
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as redis, PoolProcesses(redis) as pool:
        for _ in range(repetitions):
            found = pool.drive(tasks, chunk=CHUNK, undo=True)
            rates.append(tasks / found["undoSeconds"])
    samples = Samples(tuple(rates))
    told = {"elements": tasks, "chunk": CHUNK, "last": found, "armsUnit": "elements/s"}
    return {"pool-undo": Measured(value=samples.median, spread=samples.spread, arms={"undo": samples}, details=told)}


def _compared(
    name: str, rates: Mapping[tuple[str, bool], list[float]], details: Mapping[str, object], tasks: int
) -> Measured:
    ours, theirs, loose = (Samples(tuple(rates[arm])) for arm in ((_OURS, True), (name, True), (name, False)))
    same, in_memory = ratio(ours, theirs), ratio(ours, loose)
    value, spread = min(same, in_memory)
    return Measured(
        value=value,
        spread=spread,
        arms={_OURS: ours, name: theirs, f"{name}, nothing on disk": loose},
        details={
            "armsUnit": "tasks/s",
            "tasks": tasks,
            "ofTheSameRedis": same[0],
            "ofOneThatWritesNothingToDisk": in_memory[0],
            "last": {arm: details[arm] for arm in (_OURS, name)},
        },
    )


@contextmanager
def _redis(folder: Path, *, durable: bool) -> Iterator[RedisServer]:
    with RedisServer(folder, *(() if durable else _NOT_DURABLE)) as server:
        yield server


def _ours(redis: RedisServer, tasks: int) -> dict[str, float]:
    with PoolProcesses(redis) as pool:
        return pool.drive(tasks)


def _theirs(library: _Library, redis: RedisServer, tasks: int) -> dict[str, float]:
    place, variables = _place(library), {"REDIS": redis.url}
    command = [str(place / "bin" / library.words[0]), *library.words[1:]]
    workers = [
        subprocess.Popen(
            command,
            cwd=_HERE,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(library.processes)
    ]
    try:
        program = [str(place / "bin" / "python"), f"{library.module}.py", str(tasks)]
        return run_to_the_end(program, _HERE, variables)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(60)


def _library(name: str) -> _Library:
    return next(one for one in LIBRARIES if one.name == name)


def _lock(library: _Library) -> Path:
    return ROOT / "requirements" / "queues" / f"{library.name}.lock"


def _place(library: _Library) -> Path:
    digest = hashlib.sha256(_lock(library).read_bytes()).hexdigest()
    return ROOT / "build" / "queues" / f"{library.name}-{digest[:12]}"


def _install(library: _Library) -> None:
    """Make an environment of what the lock says, once."""
    place = _place(library)
    done = place / "installed"
    if done.exists():
        return
    tell(f"installing {library.name}")
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(place)],
        [*pip, "--require-hashes", "-r", str(_lock(library))],
    ):
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise BenchmarkFailed(f"{library.name} cannot be installed: {made.stderr.strip().splitlines()[-1]}")
    done.touch()
