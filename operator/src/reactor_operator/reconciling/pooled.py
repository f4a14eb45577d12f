"""Tasks of pools: launched by the commit that opens them, which puts them into a queue.

In: a known run and the orders of a decision. Out: which pool a task is for, and chunks of tasks for the queues.
Never here: a queue, a worker.
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
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.launching import action_plan
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.values import ValueRef, reference_to
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


def pool_of(blueprint: Blueprint | None, task: Task) -> str | None:
    """Return the name of the pool whose workers take a task, None where it has a pod or a Job of its own."""
    if blueprint is None:
        return None
    node = blueprint.at(task.path).node
    action = node.step.action(task.action)
    return effective_pool(node.scope.reactor, node.step) if action is not None and action.by_agent else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What all tasks of one action of a step have in common: their pool (`NAMESPACE/NAME`), the document that tells a
    worker of the step, and how many one worker takes one after the other: 0 where they are no elements of a map."""

    pool: str
    document: bytes
    reference: ValueRef
    chunk: int


@dataclass(slots=True)
class PoolTasks:
    """The tasks that one commit launches on pools. `documents` are what workers have to know of their steps, by digest.

    Elements of one map that follow each other share a chunk, as many as one task takes; one worker does them in this
    order.
    """

    blueprint: Blueprint | None
    plan: Plan
    definition: Definition
    documents: dict[str, bytes] = field(default_factory=dict)
    _kinds: dict[tuple[str, Action], _Kind | None] = field(default_factory=dict)
    _chunks: dict[str, list[list[str]]] = field(default_factory=dict)
    _last: tuple[_Kind, str] | None = None

    def has(self, task: Task) -> bool:
        """Tell whether a task is for a pool: it is launched by being queued, and its worker removes it."""
        return self._kind(task) is not None

    def launch(self, task: Task, key: str) -> ValueRef | None:
        """Queue a task; return the reference to what its worker has to know of the step, None where it is for none."""
        kind = self._kind(task)
        if kind is None:
            return None
        self.documents[kind.reference.digest] = kind.document
        chunks = self._chunks.setdefault(kind.pool, [])
        place = (kind, task.path[: task.path.rfind("[")])
        if kind.chunk > 1 and place == self._last and len(chunks[-1]) < kind.chunk:
            chunks[-1].append(key)
        else:
            chunks.append([key])
        self._last = place
        return kind.reference

    def queued(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """Return what goes into the queues of pools."""
        return {pool: tuple(map(tuple, chunks)) for pool, chunks in self._chunks.items()}

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
        if pool is None or action is None:
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
        )
        return _Kind(
            pool=f"{self.definition.run.namespace}/{pool}",
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
