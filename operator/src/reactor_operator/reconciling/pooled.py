"""Tasks of pools: launched by the commit that opens them, which puts them into a queue.

In: a known run and the orders of a decision. Out: which pool a task is for, and chunks of tasks for the queues.
Never here: a queue, a worker.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.blueprint import Blueprint
from reactor_operator.api.effective import effective
from reactor_operator.api.reactor import Step
from reactor_operator.engine.actions import Effect, RetireTask, StartTask
from reactor_operator.engine.elements import NOTHING, owner_of, saga_of
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.launching import action_plan
from reactor_operator.engine.plan import Plan
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import Definition, transaction_of
from reactor_operator.tasks.manifest_env import Unlaunchable
from reactor_operator.tasks.pools import pool_step


class PoolBook(Protocol):
    """What is known of the pools that there are."""

    def refuse(self, pool: str, path: str, step: Step, action: ActionSpec) -> Failure | None:
        """Return why an action of a step can never start on a pool (`NAMESPACE/NAME`), None where it may."""


def refuse_task(book: PoolBook, blueprint: Blueprint, namespace: str, path: str) -> Failure | None:
    """Return why the task of a step can never start on its pool; None where it may, or has none."""
    node = blueprint.at(path).node
    action = node.step.action(Action.RUN)
    pool = pool_of(blueprint, Task(path, Action.RUN, 1, 1, 1))
    if pool is None or action is None:
        return None
    try:
        pool_step(RunRef(namespace, "", ""), "", node.scope.reactor, node.step, action)
    except Unlaunchable as problem:
        return problem.failure
    return book.refuse(f"{namespace}/{pool}", path, node.step, action)


def step_documents(
    blueprint: Blueprint | None, plan: Plan, definition: Definition, orders: Iterable[Effect]
) -> Mapping[Task, bytes]:
    """Return what the worker of a pool has to know of the step of each task that is launched on one."""
    if blueprint is None:
        return {}
    found: dict[Task, bytes] = {}
    made: dict[tuple[str, Action], bytes] = {}
    for order in orders:
        if not isinstance(order, StartTask) or pool_of(blueprint, order.task) is None:
            continue
        task, node = order.task, blueprint.at(order.task.path).node
        document = made.get((node.path, task.action))
        if document is None:
            action = node.step.action(task.action)
            assert action is not None
            planned = saga_of(plan, NOTHING, task.path)[0].steps[task.path]
            document = made[node.path, task.action] = pool_step(
                definition.run,
                transaction_of(definition),
                node.scope.reactor,
                node.step,
                action,
                timeout_ms=action_plan(planned, task.action).timeout_ms,
                sensitive=blueprint.sensitive.of_task(task.path, task.action),
            )
        found[task] = document
    return found


def pool_of(blueprint: Blueprint | None, task: Task) -> str | None:
    """Return the name of the pool whose workers take a task, None where it has a pod or a Job of its own."""
    if blueprint is None:
        return None
    node = blueprint.at(task.path).node
    action = node.step.action(task.action)
    return effective(node.scope.reactor, node.step, action).pool if action is not None and action.by_agent else None


def is_for_a_pool(blueprint: Blueprint | None, order: Effect) -> bool:
    """Tell whether an order is about a task of a pool: it is launched by being queued, and its worker removes it."""
    return isinstance(order, StartTask | RetireTask) and pool_of(blueprint, order.task) is not None


def queue_of(
    blueprint: Blueprint | None, plan: Plan, namespace: str, orders: Iterable[Effect]
) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return what goes into the queues of pools. Elements of one map that follow each other share a chunk, as many as
    one task takes; one worker does them in this order."""
    queued: dict[str, list[list[str]]] = {}
    last: tuple[str, str, str] | None = None
    for order in orders:
        if not isinstance(order, StartTask) or (pool := pool_of(blueprint, order.task)) is None:
            continue
        of, size = _chunk_of(plan, order.task)
        chunks = queued.setdefault(f"{namespace}/{pool}", [])
        place = (pool, of, order.task.action.value)
        if of and place == last and len(chunks[-1]) < size:
            chunks[-1].append(order.task.key)
        else:
            chunks.append([order.task.key])
        last = place
    return {pool: tuple(map(tuple, chunks)) for pool, chunks in queued.items()}


def _chunk_of(plan: Plan, task: Task) -> tuple[str, int]:
    """Return the map that a task does an element of, and how many of them one task takes; else nothing, and one."""
    path = task.path
    if not path.endswith("]"):
        return "", 1
    of = path[: path.rindex("[")]
    plan, _ = saga_of(plan, NOTHING, of)
    owner = owner_of(plan, path)
    if owner is None or owner[0] != of:
        return "", 1
    mapped = plan.steps[of].map
    return (of, mapped.chunk) if mapped is not None and path[len(of) + 1 : -1].isdecimal() else ("", 1)
