"""Row `hello`: a person types `reactor run examples/01-hello` and waits.

In: how often. Out: seconds of wall clock, from the start of the process to its end. Cold: nothing of ours runs before;
the files are in the page cache and compiled, as after `make setup` and one use.
"""

import resource
import subprocess
from collections.abc import Mapping
from time import perf_counter

from tests.benchmarks.machine import ROOT
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples

_COMMAND = (str(ROOT / ".venv/bin/reactor"), "run")
_HELLO = "examples/01-hello"
_SAYS = "Hello, world!"
_LIMIT_SECONDS = 30


def measure_cold_start(repetitions: int) -> Mapping[str, Measured]:
    """Run the example once to fill caches, then `repetitions` times."""
    first = command_seconds(_HELLO, says=_SAYS)
    used = children_seconds()
    samples = Samples(tuple(command_seconds(_HELLO, says=_SAYS) for _ in range(repetitions)))
    details = {"firstSeconds": first, "cpuSeconds": (children_seconds() - used) / repetitions}
    measured = Measured(value=samples.median, spread=samples.spread, arms={"reactor run": samples}, details=details)
    return {"hello": measured}


def children_seconds() -> float:
    """Return the CPU time that the processes started so far have used, their own children included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def command_seconds(path: str, *, says: str) -> float:
    """Run the manifests at `path` in a process of its own and return how long it took. Raises BenchmarkFailed."""
    began = perf_counter()
    command = (*_COMMAND, path)
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise BenchmarkFailed(f"reactor run {path}: {problem}") from problem
    took = perf_counter() - began
    if done.returncode or says not in done.stdout:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise BenchmarkFailed(f"reactor run {path} ended {done.returncode}: {told[-1] if told else 'silent'}")
    return took
