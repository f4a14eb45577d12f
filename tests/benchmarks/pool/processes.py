"""What a pool is made of, as processes on loopback: a gateway and one worker with two children.

In: a Redis. Out: they serve until the block ends. Never here: the operator, which drives one run and ends.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from reactor_operator.gateway.tokens import pool_fence, task_token
from tests.benchmarks.machine import ROOT
from tests.benchmarks.mapping import POOL
from tests.benchmarks.pool.settled import KEY
from tests.benchmarks.rows import BenchmarkFailed
from tests.contract.redis_server import RedisServer, free_port

CHILDREN = 2
_HANDLERS = "def store(row):\n    pass\n\n\ndef remove(**given):\n    pass\n"
_LIMIT_SECONDS = 900
_TICKS = os.sysconf("SC_CLK_TCK")


class PoolProcesses:
    """Serves tasks of pools over `redis`."""

    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis
        self._folder = tempfile.TemporaryDirectory()
        self._processes: list[subprocess.Popen[bytes]] = []

    def drive(self, elements: int, *, window: int = 1_000, chunk: int = 1, undo: bool = False) -> dict[str, float]:
        """Drive one map to its end, and tell what it took. Raises BenchmarkFailed."""
        words = [self._redis.url, str(elements), str(window), str(chunk), *(["undo"] if undo else [])]
        before = self._cpu_seconds()
        found = run_to_the_end([sys.executable, "-m", "tests.benchmarks.pool.operator_process", *words], ROOT, {})
        after = self._cpu_seconds()
        return found | {f"{name}Seconds": after[name] - before[name] for name in after}

    def _cpu_seconds(self) -> dict[str, float]:
        gateway, worker = (one.pid for one in self._processes)
        return {"gateway": _cpu_of(gateway), "worker": sum(map(_cpu_of, [worker, *_children_of(worker)]))}

    def __enter__(self) -> "PoolProcesses":
        port, folder = free_port(), Path(self._folder.name)
        (folder / "rows.py").write_text(_HANDLERS)
        self._start([sys.executable, "-m", "tests.benchmarks.pool.gateway_process", self._redis.url, str(port)], {})
        variables = {
            "PYTHONPATH": str(ROOT / "runtime" / "src"),
            "REACTOR_GATEWAY": f"http://127.0.0.1:{port}",
            "REACTOR_POOL": POOL,
            "REACTOR_POOL_TOKEN": task_token(KEY, pool_fence(POOL)),
            "REACTOR_POOL_CONCURRENCY": str(CHILDREN),
            "REACTOR_MODULES": str(folder),
        }
        self._start([sys.executable, "-m", "reactor", "pool"], variables)
        self.drive(100)  # every process has come up, and has done its first things
        return self

    def _start(self, command: Sequence[str], variables: dict[str, str]) -> None:
        with (Path(self._folder.name) / "log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stdout=log, stderr=log)
        self._processes.append(process)

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(30)
        self._folder.cleanup()


def run_to_the_end(command: Sequence[str], folder: Path, variables: dict[str, str]) -> dict[str, float]:
    """Run a program that prints one object of JSON, and return that. Raises BenchmarkFailed."""
    name = " ".join(Path(word).name for word in command[:3])
    environment = os.environ | variables
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=_LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as problem:
        raise BenchmarkFailed(f"{name} took more than {_LIMIT_SECONDS} s") from problem
    if done.returncode:
        said = done.stderr.decode().strip().splitlines()
        raise BenchmarkFailed(f"{name} ended {done.returncode}: {said[-1] if said else 'silent'}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
