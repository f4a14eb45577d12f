"""What must hold of a world at rest (FAULTS: O1 to O5, and O6), told by the ledger of what really happened.

In: a world. Out: nothing, or an AssertionError that names the run and the rule.
Never here: what must hold at every moment (`ledger.py`).
"""

from itertools import pairwise

from reactor_operator.engine.elements import NOTHING, owner_of, plan_at, saga_of
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.plan import StepKind, StepPlan
from reactor_operator.engine.state import DONE, ENDED, RunPhase, StepPhase
from reactor_operator.reconciling.records import KnownRun
from tests.simulation.counted import check_counted
from tests.simulation.history import check_history
from tests.simulation.ledger import Act
from tests.simulation.mapped_oracles import check_maps
from tests.simulation.resumes import check_resumed
from tests.simulation.world import World


async def check(world: World) -> None:
    """Check every oracle on every run. A run that was deleted or lost state keeps only what nothing excuses."""
    for uid, run in world.cluster.runs.items():
        phase = run.status.get("phase")
        assert phase in {ended.value for ended in ENDED}, f"O1: {run.ref.name} is {phase}"
        known = await world.known(uid)
        if known is not None:
            await check_history(world, known)
        if uid in world.ledger.lost:
            continue
        assert known is not None, f"O4: {run.ref.name} is not stored"
        assert known.state.header.phase.value == phase, f"O1: the status of {run.ref.name} does not tell its end"
        acts = [act for act in world.ledger.acts if act.run == uid]
        asked = uid in world.ledger.asked
        skipped = {step for skipped_in, step in world.ledger.skipped if skipped_in == uid}
        check_acts(known, acts, asked=asked, skipped=skipped)
        if not asked:  # a repeated rollback has an order of its own
            check_rollback(known, acts)
        check_resumed(known, world.ledger.resumes)
        await check_maps(world, known, acts, asked=asked)
        assert not known.outbox, f"O4: orders of {run.ref.name} are left"
    for pod in world.cluster.pods.values():
        if pod.foreign:
            continue
        assert pod.is_ended(), f"O4: pod {pod.name} still runs"
        assert pod.run.uid in world.cluster.runs, f"O4: pod {pod.name} outlived its run"
    await check_counted(world)
    world.ledger.requests.check(world.cluster.runs)
    left = await world.shared.active_runs() - world.ledger.lost
    assert not left, f"O4: runs are still active: {left}"
    assert not (await world.shared.stored_runs() & world.cluster.deleted.keys()), "O4: a deleted run is stored"
    unsound = next(r for r in world.cluster.runs.values() if r.ref.name == "run-unsound")
    assert unsound.status["phase"] in {"Failed", "Cancelled"}, "O5: the unsound run has not failed by itself"


def check_acts(known: KnownRun, acts: list[Act], *, asked: bool, skipped: set[str]) -> None:
    """O2: predecessors first, one launch acts once, attempts within limits, nothing acts again after its success.

    A step that a person skipped has its value without having acted.
    """
    tasks = [act.task for act in acts if not act.superseded and not act.orphan]
    python = [task for task in tasks if _checks_in(known, task)]
    assert len(set(python)) == len(python), f"O2: a launch acted twice: {python}"
    acted: set[str] = set()
    for task in tasks:
        if task.action is Action.RUN:
            needs = [need for need in planned(known, task.path).needs if _is_task(known, need)]
            needs = [need for need in needs if need not in skipped]
            missing = [need for need in needs if need not in acted and not _may_be_ignored(known, need)]
            assert not missing, f"O2: {task.key} acted before {missing}"
        acted.add(task.path)  # a compensation may give the value for a run that was lost before it acted
        again = asked and task.action is not Action.RUN  # an undo that is asked for has all its attempts anew
        assert again or task.attempt <= _attempts_allowed(known, task), f"O2: {task.key} is one attempt too many"
    for path, step in known.state.steps.items():
        attempts = [
            task.attempt
            for task in tasks
            if (task.path, task.round) == (path, step.round) and task.action is Action.RUN
        ]
        if step.completion and step.phase in DONE and attempts:
            assert attempts[-1] == max(attempts), f"O2: an earlier attempt of {path} acted after a later one"


def depth_of(known: KnownRun, path: str) -> int:
    """Return how many maps are around a step."""
    plan, depth = known.plan, 0
    while (owner := owner_of(plan, path)) is not None:
        map_plan = plan.steps[owner[0]].map
        assert map_plan is not None
        plan, depth = plan_at(map_plan, *owner), depth + 1
    return depth


def planned(known: KnownRun, path: str) -> StepPlan:
    """Return the plan of a step, also of one in an element."""
    return saga_of(known.plan, NOTHING, path)[0].steps[path]


def _is_task(known: KnownRun, path: str) -> bool:
    return planned(known, path).kind is StepKind.TASK


def _may_be_ignored(known: KnownRun, path: str) -> bool:
    """Tell whether a step was ignored; of one in an element nothing is known any more but that it may have been."""
    if path in known.plan.steps:
        return known.state.step(path).phase is StepPhase.IGNORED
    return planned(known, path).continues_on_error


def _checks_in(known: KnownRun, task: Task) -> bool:
    assert known.blueprint is not None
    action = known.blueprint.step(task.path).action(task.action)
    return action is not None and action.python is not None


def _attempts_allowed(known: KnownRun, task: Task) -> int:
    """Return how often the policy allows the action.

    What an element could not reverse of itself is tried once more when a map around it is reversed (docs/maps.md).
    """
    step = planned(known, task.path)
    plan = {Action.RUN: step.run, Action.COMPENSATE: step.compensate, Action.UNDO: step.undo}[task.action]
    assert plan is not None, f"O2: {task.key} does what its step never declared"
    times = 1 if task.action is Action.RUN else 1 + depth_of(known, task.path)
    return plan.retries.max_attempts * times


def is_contained(known: KnownRun, path: str) -> bool:
    """Tell whether a compose around the step contains failures: then it may have been reversed with that alone."""
    return any(known.plan.steps[scope].contains_failures for scope in known.plan.enclosing(path))


def check_rollback(known: KnownRun, acts: list[Act]) -> None:
    """O2: successes are undone newest first, and what may have acted is reversed or listed."""
    state = known.state
    acts = [act for act in acts if act.task.path in known.plan.steps]
    undos = [act.task.path for act in acts if act.task.action is Action.UNDO and not act.superseded and not act.orphan]
    order = [p for p in dict.fromkeys(undos) if state.step(p).completion and not is_contained(known, p)]
    for earlier, later in pairwise(order):
        assert state.step(earlier).completion > state.step(later).completion, f"O2: undone out of order: {order}"
    if state.header.phase is not RunPhase.FAILED:
        return
    rounds = {(act.task.path, act.task.round) for act in acts if not act.superseded and not act.orphan}
    listed = {failure.step for failure in state.header.rollback_failures}
    for path in {act.task.path for act in acts if not act.orphan} - set(known.plan.finals):
        step, plan = state.step(path), known.plan.steps[path]
        told = path in listed or path in state.header.undone
        surely_skipped = step.phase is StepPhase.SKIPPED  # an attempt before it that surely failed needs nothing
        if step.phase is StepPhase.SUCCEEDED:
            assert told or plan.undo is None, f"O2: {path} succeeded and was not undone"
        elif step.uncertain or (step.acted and plan.compensate is not None and not surely_skipped):
            assert told, f"O2: {path} may have acted and nobody was told"
        elif step.phase in {StepPhase.FAILED, StepPhase.CANCELLED} and (path, step.round) in rounds:
            assert step.acted, f"O2: {path} acted and its state denies it"
