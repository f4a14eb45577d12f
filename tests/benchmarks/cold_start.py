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

_COMMAND = (str(ROOT / ".venv/bin/reactor"), "run", "examples/01-hello")
_LIMIT_SECONDS = 30


def measure_cold_start(repetitions: int) -> Mapping[str, Measured]:
    """Run the example once to fill caches, then `repetitions` times."""
    first = _seconds()
    used = _cpu_seconds()
    samples = Samples(tuple(_seconds() for _ in range(repetitions)))
    details = {"firstSeconds": first, "cpuSeconds": (_cpu_seconds() - used) / repetitions}
    measured = Measured(value=samples.median, spread=samples.spread, arms={"reactor run": samples}, details=details)
    return {"hello": measured}


def _cpu_seconds() -> float:
    """Return what the processes started so far have used, their own children included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _seconds() -> float:
    began = perf_counter()
    try:
        done = subprocess.run(_COMMAND, cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise BenchmarkFailed(f"reactor run examples/01-hello: {problem}") from problem
    took = perf_counter() - began
    if done.returncode or "Hello, world!" not in done.stdout:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise BenchmarkFailed(
            f"reactor run examples/01-hello ended {done.returncode}: {told[-1] if told else 'silent'}"
        )
    return took
