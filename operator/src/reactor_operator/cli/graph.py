"""A reactor as a picture: its steps, what waits for what, and what takes what back.

In: a checked spec and its plan. Out: a `Graph`, and Mermaid text of it (`svg.py` draws it). Same reactor, same text.
Never here: a run of the reactor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.expressions import expression_references
from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.plan import Plan

LABEL_LIMIT = 42


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


def graph_of(name: str, spec: ReactorSpec, plan: Plan) -> Graph:
    """Return the graph of a reactor; what every path implies anyway (a waits for c through b) is still drawn."""
    return Graph(
        name=name,
        description=render_message(spec.description or ""),
        nodes=tuple(_node_of(step) for step in spec.steps),
        arrows=tuple(
            Arrow(start=need, end=step.name, order_only=need in _waited_for_alone(step))
            for step in spec.steps
            for need in plan.steps[step.name].needs
        ),
    )


def words_of(action: ActionSpec) -> str:
    """Return what an action does in a few words: its handler, its image, or that it is a script."""
    if action.container is not None:
        return _cut(action.container.image)
    if action.python is not None and action.python.handler is not None:
        return _cut(action.python.handler)
    return "inline script"


def _node_of(step: Step) -> Node:
    return Node(
        name=step.name,
        does=words_of(step.run),
        undo=step.undo is not None,
        compensate=step.compensate is not None,
        optional=step.on_error is not None,
        condition=_cut(step.when or ""),
    )


def _waited_for_alone(step: Step) -> set[str]:
    expressions = (step.when, *(source.expr for source in step.arguments.values()))
    read = {source.result for source in step.arguments.values()}
    read |= {name for text in expressions if text is not None for name in expression_references(text).results}
    return {need for need in step.wait_for if need not in read and need.replace("-", "_") not in read}


def _cut(text: str) -> str:
    one_line = " ".join(render_message(text).split())
    return one_line if len(one_line) <= LABEL_LIMIT else one_line[: LABEL_LIMIT - 1] + "…"


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
