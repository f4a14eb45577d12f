"""Where the boxes of a graph go: layers from top to bottom, few crossings, straight lines where they fit.

In: node names in order, edges of an acyclic graph, box widths. Out: centres and, for each edge, the points it passes.
The method is the usual layered one (layers by longest path, order by medians, places by averages). Same graph, same
layout. Never here: text, colours, SVG.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

LAYER_HEIGHT = 110.0
GAP = 36.0
LANE_WIDTH = 14.0
LONGEST_ROUTED_EDGE = 40
SWEEPS = 6

Edge = tuple[str, str]
_Slot = tuple[str, str, int]
"""A place in a layer: (name, "", 0) for a node, (from, to, n) for the n-th bend of a long edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Centres of nodes and bends of edges in pixels, (0, 0) being the upper left corner of all."""

    centres: Mapping[str, tuple[float, float]]
    bends: Mapping[Edge, Sequence[tuple[float, float]]]
    width: float
    height: float


def layers_of(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Return for each node of an acyclic graph the length of the longest way to it, in order of layers."""
    followers: dict[str, list[str]] = {node: [] for node in nodes}
    missing = dict.fromkeys(nodes, 0)
    for start, end in edges:
        followers[start].append(end)
        missing[end] += 1
    layers = {node: 0 for node in nodes if missing[node] == 0}
    ready = list(layers)
    for node in ready:
        for follower in followers[node]:
            layers[follower] = max(layers.get(follower, 0), layers[node] + 1)
            missing[follower] -= 1
            if missing[follower] == 0:
                ready.append(follower)
    return {node: layers[node] for node in ready}


def place_graph(nodes: Sequence[str], edges: Sequence[Edge], widths: Mapping[str, float]) -> Layout:
    """Return the layout of an acyclic graph."""
    layers = layers_of(nodes, edges)
    rows: list[list[_Slot]] = [[] for _ in range(max(layers.values(), default=0) + 1)]
    for node in nodes:
        rows[layers[node]].append((node, "", 0))
    above: dict[_Slot, list[_Slot]] = {}
    below: dict[_Slot, list[_Slot]] = {}
    for start, end in edges:
        chain = _chain(start, end, layers, rows)
        for upper, lower in pairwise(chain):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    _order(rows, above, below)
    wide = {slot: LANE_WIDTH if slot[1] else widths[slot[0]] for row in rows for slot in row}
    xs = _place(rows, above, below, wide)
    left = min((xs[slot] - wide[slot] / 2 for slot in xs), default=0.0)
    ys = {slot: index * LAYER_HEIGHT for index, row in enumerate(rows) for slot in row}
    bends: dict[Edge, list[tuple[float, float]]] = {edge: [] for edge in edges}
    for slot in sorted((slot for slot in xs if slot[1]), key=lambda slot: slot[2]):
        bends[slot[0], slot[1]].append((xs[slot] - left, ys[slot]))
    return Layout(
        centres={slot[0]: (xs[slot] - left, ys[slot]) for slot in xs if not slot[1]},
        bends=bends,
        width=max((xs[slot] + wide[slot] / 2 for slot in xs), default=0.0) - left,
        height=(len(rows) - 1) * LAYER_HEIGHT,
    )


def _chain(start: str, end: str, layers: Mapping[str, int], rows: list[list[_Slot]]) -> list[_Slot]:
    """Return the slots an edge passes, new ones for the layers between its ends (very long edges go straight)."""
    between = range(layers[start] + 1, layers[end])
    bends: list[_Slot] = []
    if len(between) <= LONGEST_ROUTED_EDGE:
        bends = [(start, end, number) for number, _ in enumerate(between, 1)]
        for bend, layer in zip(bends, between, strict=True):
            rows[layer].append(bend)
    return [(start, "", 0), *bends, (end, "", 0)]


def _order(
    rows: list[list[_Slot]], above: Mapping[_Slot, Sequence[_Slot]], below: Mapping[_Slot, Sequence[_Slot]]
) -> None:
    """Sort each row by the median position of its neighbours, downwards and upwards in turn."""
    at = {slot: float(index) for row in rows for index, slot in enumerate(row)}
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for row in rows[1:] if down else reversed(rows[:-1]):
            places = {slot: _median([at[other] for other in neighbours.get(slot, ())], at[slot]) for slot in row}
            row.sort(key=lambda slot, places=places: places[slot])  # type: ignore[misc]
            at.update({slot: float(index) for index, slot in enumerate(row)})


def _median(places: list[float], otherwise: float) -> float:
    if not places:
        return otherwise
    places.sort()
    middle = len(places) // 2
    return places[middle] if len(places) % 2 else (places[middle - 1] + places[middle]) / 2


def _place(
    rows: list[list[_Slot]],
    above: Mapping[_Slot, Sequence[_Slot]],
    below: Mapping[_Slot, Sequence[_Slot]],
    wide: Mapping[_Slot, float],
) -> dict[_Slot, float]:
    """Move each slot towards the average of its neighbours, as far as the slots beside it allow."""
    xs: dict[_Slot, float] = {}
    for row in rows:
        x = 0.0
        for slot in row:
            xs[slot] = x + wide[slot] / 2
            x += wide[slot] + GAP
        for slot in row:
            xs[slot] -= (x - GAP) / 2
    for sweep in range(SWEEPS * 2):
        neighbours = (above, below)[sweep % 2]
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = [_mean([xs[other] for other in neighbours.get(slot, ())], xs[slot]) for slot in row]
            for slot, x in zip(row, _spread(wanted, [wide[slot] for slot in row]), strict=True):
                xs[slot] = x
    return xs


def _mean(places: Sequence[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise


def _spread(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Return places near the wanted ones, in their order and without overlap: the mean of pushing right and left."""
    right: list[float] = []
    for index, x in enumerate(wanted):
        gap = (widths[index - 1] + widths[index]) / 2 + GAP if index else 0.0
        right.append(max(x, right[-1] + gap) if right else x)
    left = list(wanted)
    for index in range(len(wanted) - 2, -1, -1):
        left[index] = min(left[index], left[index + 1] - (widths[index] + widths[index + 1]) / 2 - GAP)
    return [(one + other) / 2 for one, other in zip(right, left, strict=True)]
