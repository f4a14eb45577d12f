"""A reactor as a picture: its steps, what waits for what, and what takes what back.

In: a checked spec and its plan. Out: a `Graph`, and Mermaid text of it (`svg.py` draws it). Same reactor, same text.
Never here: a run of the reactor.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from reactor_operator.api import nodes
from reactor_operator.api.blueprint import Blueprint
from reactor_operator.api.spread import spread_out
from reactor_operator.api.step_words import cut, words_of_node
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.plan import FINALLY, ROOT, Plan, StepPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step: what it does in a few words, and how it is taken back. `marks` are conditions and the like."""

    name: str
    does: str
    undo: bool
    compensate: bool
    optional: bool
    condition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """The later step waits for the earlier one; for its data, or (`order_only`) for its end alone."""

    start: str
    end: str
    order_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes in the order of the manifest, arrows in the order of their ends."""

    name: str
    description: str
    nodes: Sequence[Node]
    arrows: Sequence[Arrow]


def graph_of(name: str, blueprint: Blueprint, plan: Plan) -> Graph:
    """Return the graph of a reactor; what every path implies anyway (a waits for c through b) is still drawn.

    What is inside a step hangs below it, and what waits for that step hangs below the last of what is inside. Of a map
    one element stands for all.
    """
    described, plan = blueprint.spec.description or "", spread_out(plan)
    return Graph(
        name=name,
        description=render_message(described),
        nodes=tuple(_node_of(node) for node in blueprint.nodes.values()),
        arrows=tuple(
            Arrow(start=start, end=end, order_only=_is_order_only(blueprint, plan.steps[end], start))
            for start, end in edges_of(plan)
        ),
    )


def edges_of(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what comes right before what: a need, a scope before its inside, and this before what needs the scope.

    Before what runs at every end comes what ends the others.
    """
    for step in plan.steps.values():
        for need in step.needs:
            yield from ((last, step.path) for last in _last_of(plan, need))
        if not step.needs and step.scope == FINALLY:
            yield from ((last, step.path) for last in _last_inside(plan, plan.children))
        elif not step.needs and step.scope != ROOT:
            yield step.scope, step.path


def _last_of(plan: Plan, path: str) -> Iterator[str]:
    """Yield the steps with which a step ends: itself, or those inside it that nothing inside waits for."""
    children = plan.steps[path].children
    if not children:
        yield path
    yield from _last_inside(plan, children)


def _last_inside(plan: Plan, children: Sequence[str]) -> Iterator[str]:
    for child in children:
        if not plan.steps[child].dependents:
            yield from _last_of(plan, child)


def _is_order_only(blueprint: Blueprint, end: StepPlan, start: str) -> bool:
    node = blueprint.nodes[end.path]
    waits = start in node.needs or node.scope.path == FINALLY
    return waits and start not in end.reads


def _node_of(node: nodes.Node) -> Node:
    step = node.step
    return Node(
        name=node.path,
        does=words_of_node(node),
        undo=step.undo is not None,
        compensate=step.compensate is not None,
        optional=step.on_error is not None,
        condition=cut(step.when or node.chosen_when or ""),
    )


def marks_of(node: Node) -> list[str]:
    """Return the short words under a step: how it is taken back, whether it is optional, when it runs."""
    marks = [
        word for word, has in (("undo", node.undo), ("compensate", node.compensate), ("optional", node.optional)) if has
    ]
    return marks + ([f"when {node.condition}"] if node.condition else [])


def render_mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart: solid arrows carry data, dotted ones only order."""
    ids = {node.name: f"s{index}" for index, node in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    for node in graph.nodes:
        marks = " · ".join(marks_of(node))
        label = f"<b>{_escape(node.name)}</b><br/>{_escape(node.does)}" + (
            f"<br/><i>{_escape(marks)}</i>" if marks else ""
        )
        opening, closing = ('(["', '"])') if node.optional else ('["', '"]')
        lines.append(f"    {ids[node.name]}{opening}{label}{closing}")
    for arrow in graph.arrows:
        lines.append(f"    {ids[arrow.start]} {'-.->' if arrow.order_only else '-->'} {ids[arrow.end]}")
    undoable = [ids[node.name] for node in graph.nodes if node.undo]
    if undoable:
        lines.append("    classDef undoable stroke:#0f766e,stroke-width:2px")
        lines.append(f"    class {','.join(undoable)} undoable")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Return text that Mermaid shows as it is: `#` begins its own entities, the others are those of HTML."""
    return escape(text.replace("#", "#35;"), quote=False).replace('"', "&quot;")
