"""Tasks that workers take from queues: launched by the commit that opens them, which puts them into one.

In: a known run and the orders of a decision. Out: which queue a task is for, and chunks of tasks for the queues.
Never here: a queue, a worker.

A chunk of elements whose placement is no pool has a pod (or Job) of its own, with a queue of its own: the pod is named
by the first task of the chunk, the queue by the pod, and the order to start this task is what makes the pod.
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
from reactor_operator.engine.identity import Action, Task, pod_name
from reactor_operator.engine.launching import action_plan
from reactor_operator.engine.plan import Plan
from reactor_operator.pools.pool import chunk_queue, pod_of, pool_key
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import Definition, transaction_of
from reactor_operator.tasks.manifest_env import Unlaunchable
from reactor_operator.tasks.pools import pool_step


class PoolBook(Protocol):
    """What is known of the pools that there are."""

    def refuse(self, pool: str, path: str, step: Step, action: ActionSpec) -> Failure | None:
        """Return why an action of a step can never start on a pool (`NAMESPACE/NAME`), None where it may."""


def refuse_task(book: PoolBook, blueprint: Blueprint, plan: Plan, namespace: str, path: str) -> Failure | None:
    """Return why no worker can ever do the task of a step; None where one may, or it has a pod of its own."""
    node = blueprint.at(path).node
    action = node.step.action(Action.RUN)
    task = Task(path, Action.RUN, 1, 1, 1)
    pool = pool_of(blueprint, task)
    if action is None or (pool is None and not shares_pod(blueprint, plan, task)):
        return None
    sensitive = blueprint.sensitive.of_task(path, Action.RUN)
    try:
        pool_step(
            RunRef(namespace, "", ""),
            "",
            node.scope.reactor,
            node.step,
            action,
            sensitive=sensitive,
            chunk=pool is None,
        )
    except Unlaunchable as problem:
        return problem.failure
    return None if pool is None else book.refuse(pool_key(namespace, pool), path, node.step, action)


def step_documents(
    blueprint: Blueprint | None, plan: Plan, definition: Definition, orders: Iterable[Effect]
) -> Mapping[Task, bytes]:
    """Return what a worker has to know of the step of each task that is taken from a queue."""
    if blueprint is None:
        return {}
    found: dict[Task, bytes] = {}
    made: dict[tuple[str, Action], bytes] = {}
    for order in orders:
        if not isinstance(order, StartTask):
            continue
        pool = pool_of(blueprint, order.task)
        if pool is None and not shares_pod(blueprint, plan, order.task):
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
                chunk=pool is None,
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


def shares_pod(blueprint: Blueprint | None, plan: Plan, task: Task) -> bool:
    """Tell whether a task is taken from the queue of a pod: that of an element of a map that has several in each, and
    whose placement is no pool."""
    if blueprint is None or _chunk_of(plan, task)[1] == 1:
        return False
    node = blueprint.at(task.path).node
    action = node.step.action(task.action)
    return action is not None and action.by_agent and pool_of(blueprint, task) is None


def is_queued(blueprint: Blueprint | None, plan: Plan, task: Task) -> bool:
    """Tell whether a worker takes a task from a queue: its lease tells whether it is lost."""
    return pool_of(blueprint, task) is not None or shares_pod(blueprint, plan, task)


def is_done_by_queue(
    blueprint: Blueprint | None, plan: Plan, order: Effect, queued: Mapping[str, tuple[tuple[str, ...], ...]]
) -> bool:
    """Tell whether nothing is left of an order once the queues have what they are to have: its task is launched by
    being queued, and its worker removes it. The first task of a chunk makes a pod, which is removed with it. (Which
    tasks were the first is not kept: the orders to remove the others find no pod.)"""
    if not isinstance(order, StartTask | RetireTask):
        return False
    if pool_of(blueprint, order.task) is not None:
        return True
    if isinstance(order, RetireTask) or not shares_pod(blueprint, plan, order.task):
        return False
    return not any(
        chunk[0] == order.task.key for queue, chunks in queued.items() if pod_of(queue) is not None for chunk in chunks
    )


def queue_of(
    blueprint: Blueprint | None, plan: Plan, run: RunRef, orders: Iterable[Effect]
) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return what goes into the queues. Elements of one map that follow each other share a chunk, as many as one task
    takes; one worker does them in this order."""
    queued: dict[str, list[list[str]]] = {}
    last: tuple[str, str, str] | None = None
    chunks: list[list[str]] = []
    for order in orders:
        if not isinstance(order, StartTask):
            continue
        pool = pool_of(blueprint, order.task)
        if pool is None and not shares_pod(blueprint, plan, order.task):
            continue
        of, size = _chunk_of(plan, order.task)
        place = (pool or "", of, order.task.action.value)
        if pool is not None:
            chunks = queued.setdefault(pool_key(run.namespace, pool), [])
        elif place != last or len(chunks[-1]) == size:
            chunks = queued[chunk_queue(run.namespace, pod_name(run.name, run.uid, order.task))] = []
            last = None
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
