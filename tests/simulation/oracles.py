"""What must hold of a world at rest (FAULTS: O1 to O5), told by the ledger of what really happened.

In: a world. Out: nothing, or an AssertionError that names the run and the rule.
"""

from itertools import pairwise

from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import DONE, ENDED, RunPhase, StepPhase
from reactor_operator.reconciling.records import KnownRun
from tests.simulation.cluster import Act
from tests.simulation.world import World


async def check(world: World) -> None:
    """Check every oracle on every run."""
    for uid, run in world.cluster.runs.items():
        known = await world.known(uid)
        assert known is not None
        acts = [act for act in world.cluster.ledger.acts if act.run == uid]
        assert known.state.header.phase in ENDED, f"O1: {run.ref.name} is {known.state.header.phase}"
        assert run.status["phase"] == known.state.header.phase.value, "O1: the status does not tell the end"
        check_acts(known, acts)
        check_rollback(known, acts)
        assert not known.outbox, "O4: orders are left"
    for pod in world.cluster.pods.values():
        assert pod.phase == "Ended", f"O4: pod {pod.name} still runs"
    assert not await world.store.active_runs(), "O4: runs are still active"
    unsound = next(r for r in world.cluster.runs.values() if r.ref.name == "run-unsound")
    assert unsound.status["phase"] == "Failed", "O5: the unsound run has not failed by itself"


def check_acts(known: KnownRun, acts: list[Act]) -> None:
    """O2: predecessors first, one launch acts once, attempts within limits, nothing acts again after its success."""
    tasks = [act.task for act in acts]
    assert len(set(tasks)) == len(tasks), f"O2: a launch acted twice: {tasks}"
    acted: set[str] = set()
    for task in tasks:
        if task.action is Action.RUN:
            missing = [
                n
                for n in known.plan.steps[task.path].needs
                if n not in acted and known.state.step(n).phase is not StepPhase.IGNORED
            ]
            assert not missing, f"O2: {task.key} acted before {missing}"
            acted.add(task.path)
        assert task.attempt <= attempts_allowed(known, task), f"O2: {task.key} is one attempt too many"
    for path, step in known.state.steps.items():
        runs = [t for t in tasks if t.path == path and t.action is Action.RUN]
        if step.completion and step.phase in DONE and runs:
            assert runs[-1].attempt == max(t.attempt for t in runs)


def attempts_allowed(known: KnownRun, task: Task) -> int:
    """How often the policy allows the action."""
    step = known.plan.steps[task.path]
    plan = {Action.RUN: step.run, Action.COMPENSATE: step.compensate, Action.UNDO: step.undo}[task.action]
    assert plan is not None, f"O2: {task.key} does what its step never declared"
    return plan.retries.max_attempts


def check_rollback(known: KnownRun, acts: list[Act]) -> None:
    """O2: successes are undone newest first, and what may have acted is reversed or listed."""
    state = known.state
    first_undo = {a.task.path: i for i, a in reversed(list(enumerate(acts))) if a.task.action is Action.UNDO}
    order = [path for path in sorted(first_undo, key=lambda p: first_undo[p]) if state.step(path).completion]
    for earlier, later in pairwise(order):
        assert state.step(earlier).completion > state.step(later).completion, f"O2: undone out of order: {order}"
    if state.header.phase is not RunPhase.FAILED:
        return
    listed = {failure.step for failure in state.header.rollback_failures}
    for path in {act.task.path for act in acts}:
        step, plan = state.step(path), known.plan.steps[path]
        told = path in listed or path in state.header.undone
        if step.phase is StepPhase.SUCCEEDED:
            assert told or plan.undo is None, f"O2: {path} succeeded and was not undone"
        elif step.uncertain or (step.acted and plan.compensate is not None):
            assert told, f"O2: {path} may have acted and nobody was told"
