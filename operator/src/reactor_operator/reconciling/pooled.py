"""Tasks that workers take from queues: launched by the commit that opens them, which puts them into one.

In: a known run and the orders of a decision. Out: which queue a task is for, and chunks of tasks for the queues.
Never here: a queue, a worker.

A chunk of elements whose placement is no pool has a pod (or Job) of its own, with a queue of its own: the pod is named
by the first task of the chunk, the queue by the pod, and the order to start this task is what makes the pod.
"""

from dataclasses import dataclass, field
from typing import Protocol

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.blueprint import Blueprint
from reactor_operator.api.effective import effective_pool
from reactor_operator.api.nodes import Node
from reactor_operator.api.reactor import Step
from reactor_operator.api.templates import ANY
from reactor_operator.engine.elements import NOTHING, saga_of
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.identity import Action, Task, pod_name
from reactor_operator.engine.launching import action_plan
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.pools.pool import chunk_queue, pool_key
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


def pool_of(blueprint: Blueprint | None, task: Task) -> str | None:
    """Return the name of the pool whose workers take a task, None where it has a pod or a Job of its own."""
    if blueprint is None:
        return None
    node = blueprint.at(task.path).node
    action = node.step.action(task.action)
    return effective_pool(node.scope.reactor, node.step) if action is not None and action.by_agent else None


def shares_pod(blueprint: Blueprint | None, plan: Plan, task: Task) -> bool:
    """Tell whether a task is taken from the queue of a pod: that of an element of a map that has several in each, and
    whose placement is no pool."""
    if blueprint is None:
        return False
    node = blueprint.at(task.path).node
    if _chunk_of(plan, node.path, task.path) <= 1:
        return False
    action = node.step.action(task.action)
    return action is not None and action.by_agent and effective_pool(node.scope.reactor, node.step) is None


def is_queued(blueprint: Blueprint | None, plan: Plan, task: Task) -> bool:
    """Tell whether a worker takes a task from a queue: its lease tells whether it is lost."""
    return pool_of(blueprint, task) is not None or shares_pod(blueprint, plan, task)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What all tasks of one action of a step have in common: their pool (`NAMESPACE/NAME`, None where a chunk has a pod
    of its own), the document that tells a worker of the step, and how many one worker takes one after the other: 0
    where they are no elements of a map."""

    pool: str | None
    document: bytes
    reference: ValueRef
    chunk: int


@dataclass(slots=True)
class QueuedTasks:
    """The tasks that one commit puts into queues. `documents` are what workers have to know of their steps, by digest.

    Elements of one map that follow each other share a chunk, as many as one task takes; one worker does them in this
    order. `traced`: workers are told the place of each in the trace of the run.
    """

    blueprint: Blueprint | None
    plan: Plan
    definition: Definition
    traced: bool = False
    documents: dict[str, bytes] = field(default_factory=dict)
    _kinds: dict[tuple[str, Action], _Kind | None] = field(default_factory=dict)
    _chunks: dict[str, list[list[str]]] = field(default_factory=dict)
    _last: tuple[_Kind, str] | None = None
    _open: list[str] = field(default_factory=list)

    def has_no_pod(self, task: Task) -> bool:
        """Tell whether a task is for a pool: it is launched by being queued, and its worker removes it.

        Which tasks of a chunk with a pod of its own were not the first is not kept: the orders to remove them find no
        pod.
        """
        kind = self._kind(task)
        return kind is not None and kind.pool is not None

    def launch(self, task: Task, key: str) -> tuple[ValueRef | None, bool]:
        """Queue a task, if it is one for a queue. Return the reference to what its worker has to know of the step, and
        whether a pod is to be made for it: of a chunk with a pod of its own, for the first."""
        kind = self._kind(task)
        if kind is None:
            return None, True
        self.documents[kind.reference.digest] = kind.document
        place = (kind, task.path[: task.path.rfind("[")])
        if kind.chunk > 1 and place == self._last and len(self._open) < kind.chunk:
            self._open.append(key)
            return kind.reference, False
        self._last, self._open = place, [key]
        run = self.definition.run
        queue = kind.pool or chunk_queue(run.namespace, pod_name(run.name, run.uid, task))
        self._chunks.setdefault(queue, []).append(self._open)
        return kind.reference, kind.pool is None

    def queued(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """Return what goes into the queues."""
        return {queue: tuple(map(tuple, chunks)) for queue, chunks in self._chunks.items()}

    def _kind(self, task: Task) -> _Kind | None:
        if self.blueprint is None:
            return None
        node = self.blueprint.at(task.path).node
        place = (node.path, task.action)
        if place not in self._kinds:
            self._kinds[place] = self._find(node, task)
        return self._kinds[place]

    def _find(self, node: Node, task: Task) -> _Kind | None:
        assert self.blueprint is not None
        pool, action = pool_of(self.blueprint, task), node.step.action(task.action)
        if action is None or (pool is None and not shares_pod(self.blueprint, self.plan, task)):
            return None
        planned = saga_of(self.plan, NOTHING, task.path)[0].steps[task.path]
        document = pool_step(
            self.definition.run,
            transaction_of(self.definition),
            node.scope.reactor,
            node.step,
            action,
            timeout_ms=action_plan(planned, task.action).timeout_ms,
            sensitive=self.blueprint.sensitive.of_task(task.path, task.action),
            chunk=pool is None,
            traced=self.traced,
        )
        return _Kind(
            pool=None if pool is None else pool_key(self.definition.run.namespace, pool),
            document=document,
            reference=reference_to(document),
            chunk=_chunk_of(self.plan, node.path, task.path),
        )


def _chunk_of(plan: Plan, template: str, path: str) -> int:
    """Return how many elements one task takes, where it does one; else 0."""
    if not template.endswith(ANY):
        return 0
    of = path[: path.rfind("[")]
    mapped = saga_of(plan, NOTHING, of)[0].steps[of].map
    assert mapped is not None
    return mapped.chunk
