"""Rows `plan` and `plan-linear`: from a parsed manifest to the plan the engine decides on.

In: how often. Out: seconds of CPU time for 10,000 steps, and how much more than for 1,000. Reading YAML is not part of
it: on a cluster the object arrives as JSON.
"""

from collections.abc import Mapping
from time import thread_time

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.check import check_reactor
from reactor_operator.api.planning import plan_of
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples, ratio

LARGE, SMALL = 10_000, 1_000


def measure_planning(repetitions: int) -> Mapping[str, Measured]:
    """Check and plan both sizes in turn."""
    documents = {size: _reactor(size) for size in (LARGE, SMALL)}
    taken: dict[int, list[float]] = {size: [] for size in documents}
    for _ in range(repetitions):
        for size, document in documents.items():
            taken[size].append(_seconds(document, size))
    large, small = Samples(tuple(taken[LARGE])), Samples(tuple(taken[SMALL]))
    measured, spread = ratio(large, small)
    arms = {f"{LARGE} steps": large, f"{SMALL} steps": small}
    return {
        "plan": Measured(value=large.median, spread=large.spread, arms=arms),
        "plan-linear": Measured(value=measured, spread=spread, arms=arms),
    }


def _seconds(document: Mapping[str, object], size: int) -> float:
    began = thread_time()
    checked = check_reactor(document)
    if checked.spec is None:
        raise BenchmarkFailed(f"the reactor of {size} steps is refused: {checked.problems[0]}")
    plan = plan_of(blueprint_of(checked.spec), pending_timeout_ms=600_000)
    took = thread_time() - began
    if len(plan.steps) != size:
        raise BenchmarkFailed(f"the plan has {len(plan.steps)} steps, expected {size}")
    return took


def _reactor(size: int) -> dict[str, object]:
    """Every step takes an argument from the one before, waits for another, and can be undone."""
    return {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "Reactor",
        "metadata": {"name": f"steps-{size}"},
        "spec": {"steps": [_step(index) for index in range(size)]},
    }


def _step(index: int) -> dict[str, object]:
    arguments: dict[str, object] = {"order": {"input": "orderId"}}
    step: dict[str, object] = {
        "name": f"step-{index}",
        "arguments": arguments,
        "run": {"python": {"handler": "shop.inventory:reserve"}},
        "undo": {"python": {"handler": "shop.inventory:release"}},
        "retries": {"maxAttempts": 3, "backoff": "exponential"},
        "timeout": "30s",
    }
    if index:
        arguments["before"] = {"result": f"step-{index - 1}", "path": "id"}
        step["waitFor"] = [f"step-{index // 2}"]
    return step
