"""A graph as an SVG picture that stands alone: nothing is loaded from elsewhere, and it reads well on light and dark.

In: a `Graph`. Out: SVG text; the same graph gives the same bytes. Never here: where boxes go (`layout.py`).
"""

from collections.abc import Sequence
from html import escape

from reactor_operator.cli.graph import Arrow, Graph, Node, marks_of
from reactor_operator.cli.layout import Edge, place_graph

BOX_HEIGHT = 58.0
MARGIN = 28.0
TITLE_HEIGHT = 46.0
NAME_WIDTH, SMALL_WIDTH = 8.2, 6.4
"""Widths of a letter in pixels, a little generous: the fonts are whatever the viewer has."""

_STYLE = """
    .page { fill: #ffffff; }
    .title { font: 600 16px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #0f172a; }
    .about { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #64748b; }
    .box { fill: #f8fafc; stroke: #94a3b8; stroke-width: 1.2; }
    .undoable { stroke: #0f766e; stroke-width: 1.8; }
    .optional { stroke-dasharray: 5 4; }
    .name { font: 600 14px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #0f172a; }
    .does { font: 11px ui-monospace, "SF Mono", Menlo, Consolas, monospace; fill: #475569; }
    .marks { font: 11px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #0f766e; }
    .arrow { fill: none; stroke: #64748b; stroke-width: 1.4; }
    .order { stroke-dasharray: 4 4; }
    .head { fill: #64748b; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0f172a; }
      .title, .name { fill: #f1f5f9; }
      .about, .does { fill: #94a3b8; }
      .box { fill: #1e293b; stroke: #475569; }
      .undoable { stroke: #2dd4bf; }
      .marks { fill: #2dd4bf; }
      .arrow { stroke: #94a3b8; }
      .head { fill: #94a3b8; }
    }"""


def render_svg(graph: Graph) -> str:
    """Return the graph as SVG: boxes from top to bottom, solid arrows for data, dashed ones for order alone."""
    edges: list[Edge] = [(arrow.start, arrow.end) for arrow in graph.arrows]
    widths = {node.name: _width(node) for node in graph.nodes}
    layout = place_graph([node.name for node in graph.nodes], edges, widths)
    about = _fit(graph.description, 110)
    width = max(layout.width, 9.5 * len(graph.name), SMALL_WIDTH * len(about)) + 2 * MARGIN
    height = layout.height + BOX_HEIGHT + 2 * MARGIN + TITLE_HEIGHT
    left = (width - layout.width) / 2
    top = MARGIN + TITLE_HEIGHT + BOX_HEIGHT / 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
        f' height="{height:.0f}" role="img" aria-label="{escape(graph.name)}: {len(graph.nodes)} steps">',
        f"  <style>{_STYLE}\n  </style>",
        '  <defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>',
        f'  <rect class="page" width="{width:.0f}" height="{height:.0f}" rx="10"/>',
        f'  <text class="title" x="{MARGIN:.0f}" y="{MARGIN + 12:.0f}">{escape(graph.name)}</text>',
    ]
    if about:
        lines.append(f'  <text class="about" x="{MARGIN:.0f}" y="{MARGIN + 32:.0f}">{escape(about)}</text>')
    for arrow in graph.arrows:
        points = [layout.centres[arrow.start], *layout.bends[arrow.start, arrow.end], layout.centres[arrow.end]]
        lines.append(_render_arrow(arrow, [(x + left, y + top) for x, y in points]))
    for node in graph.nodes:
        x, y = layout.centres[node.name]
        lines.extend(_render_node(node, x + left, y + top, widths[node.name]))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _fit(text: str, letters: int) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= letters else one_line[: letters - 1] + "…"


def _width(node: Node) -> float:
    marks = SMALL_WIDTH * len(" · ".join(marks_of(node)))
    return max(110.0, NAME_WIDTH * len(node.name), SMALL_WIDTH * 1.06 * len(node.does), marks) + 26


def _render_node(node: Node, x: float, y: float, width: float) -> list[str]:
    classes = " ".join(["box", *(["undoable"] if node.undo else []), *(["optional"] if node.optional else [])])
    marks = " · ".join(marks_of(node))
    first = y - 12 if marks else y - 4
    lines = [
        f'  <g><title>{escape(node.name)}: {escape(node.does)}</title><rect class="{classes}" x="{x - width / 2:.1f}"'
        f' y="{y - BOX_HEIGHT / 2:.1f}" width="{width:.1f}" height="{BOX_HEIGHT:.0f}" rx="9"/>',
        f'    <text class="name" x="{x:.1f}" y="{first:.1f}" text-anchor="middle">{escape(node.name)}</text>',
        f'    <text class="does" x="{x:.1f}" y="{first + 17:.1f}" text-anchor="middle">{escape(node.does)}</text>',
    ]
    if marks:
        lines.append(
            f'    <text class="marks" x="{x:.1f}" y="{first + 33:.1f}" text-anchor="middle">{escape(marks)}</text>'
        )
    return [*lines, "  </g>"]


def _render_arrow(arrow: Arrow, points: Sequence[tuple[float, float]]) -> str:
    """Draw from the lower edge of the first box to the upper edge of the last; curves leave and arrive upright."""
    (x, y), *between, (end_x, end_y) = points
    here = (x, y + BOX_HEIGHT / 2)
    path = [f"M{here[0]:.1f} {here[1]:.1f}"]
    for bend_x, bend_y in between:
        path.append(_curve(here, (bend_x, bend_y - BOX_HEIGHT / 2)))
        here = (bend_x, bend_y + BOX_HEIGHT / 2)
        path.append(f"L{here[0]:.1f} {here[1]:.1f}")
    path.append(_curve(here, (end_x, end_y - BOX_HEIGHT / 2)))
    style = "arrow order" if arrow.order_only else "arrow"
    return f'  <path class="{style}" d="{" ".join(path)}" marker-end="url(#head)"/>'


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    middle = (start[1] + end[1]) / 2
    return f"C{start[0]:.1f} {middle:.1f} {end[0]:.1f} {middle:.1f} {end[0]:.1f} {end[1]:.1f}"
