"""A reactor is drawn the same each time, every step and edge is in the picture, and boxes do not lie on each other."""

import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.cli.layout import GAP, LAYER_HEIGHT, layers_of, place_graph
from tests.unit.cli.conftest import EXAMPLES, REACTOR, Reactor, Write


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    names = [f"s{number}" for number in range(draw(st.integers(1, 12)))]
    pairs = list(combinations(names, 2))
    return names, draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []


@given(graphs())
def test_edges_lead_downwards_and_boxes_keep_their_distance(graph: tuple[list[str], list[tuple[str, str]]]) -> None:
    nodes, edges = graph
    widths = {node: 40.0 + 10 * index for index, node in enumerate(nodes)}
    layout = place_graph(nodes, edges, widths)
    assert layout == place_graph(nodes, edges, widths)
    for start, end in edges:
        assert layout.centres[start][1] < layout.centres[end][1]
    for one, other in combinations(nodes, 2):
        (x, y), (other_x, other_y) = layout.centres[one], layout.centres[other]
        apart = abs(x - other_x) - (widths[one] + widths[other]) / 2
        assert y != other_y or apart >= GAP - 1e-6
    for node in nodes:
        x, y = layout.centres[node]
        assert widths[node] / 2 - 1e-6 <= x <= layout.width - widths[node] / 2 + 1e-6
        assert 0 <= y <= layout.height


def test_a_step_stands_below_all_it_waits_for() -> None:
    layers = layers_of(["d", "c", "b", "a"], [("a", "b"), ("b", "c"), ("a", "d"), ("c", "d")])
    assert layers == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_a_long_edge_goes_around_the_boxes_between_its_ends() -> None:
    layout = place_graph(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")], {"a": 50, "b": 50, "c": 50})
    (bend,) = layout.bends["a", "c"]
    assert bend[1] == LAYER_HEIGHT
    assert abs(bend[0] - layout.centres["b"][0]) > 25


def test_mermaid_has_every_step_and_marks_order_without_data(reactor: Reactor) -> None:
    out = reactor("graph", EXAMPLES / "02-order-processing").out
    assert out.startswith("flowchart TD\n")
    assert '    s2["<b>ship</b><br/>shop.courier:ship<br/><i>undo · compensate</i>"]' in out
    assert "    s1 -.-> s2" in out
    assert "    s0 --> s1" in out


def test_a_name_inside_another_word_of_an_expression_carries_no_data(reactor: Reactor, write: Write) -> None:
    step = (
        "  - name: at\n    waitFor: [hello]\n    when: 'inputs.who != \"hello\"'\n    run: {python: {handler: 'm:f'}}\n"
    )
    ordered = write({"reactor.yaml": REACTOR + step})
    assert "s0 -.-> s1" in reactor("graph", ordered).out
    reading = write({"reactor.yaml": REACTOR + step.replace("inputs.who", "results.hello")})
    assert "s0 --> s1" in reactor("graph", reading).out


def test_hostile_text_stays_text_in_both_pictures(reactor: Reactor, write: Write) -> None:
    reactor_yaml = REACTOR.replace("metadata", "metadata", 1).replace(
        "spec:\n", 'spec:\n  description: "<script>alert(1)</script> & \\x1b"\n', 1
    )
    file = write({"reactor.yaml": reactor_yaml.replace("    run:", "    when: 'inputs.who < \"#\" && true'\n    run:")})
    mermaid, svg = reactor("graph", file).out, reactor("graph", "--format", "svg", file).out
    assert "when inputs.who &lt; &quot;#35;&quot; &amp;&amp; true" in mermaid
    root = ElementTree.fromstring(svg)
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert any("<script>" in (text.text or "") for text in root.iter("{http://www.w3.org/2000/svg}text"))


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("[0-9]*")), ids=lambda path: path.name)
def test_an_svg_is_whole_and_has_every_step(reactor: Reactor, example: object) -> None:
    answer = reactor("graph", "--format", "svg", example)
    assert answer.out == reactor("graph", "--format", "svg", example).out
    root = ElementTree.fromstring(answer.out)
    names = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "name"]
    assert names
    assert len(names) == len(set(names))


def test_several_reactors_ask_for_a_choice(reactor: Reactor, write: Write) -> None:
    folder = write({"a.yaml": REACTOR, "b.yaml": REACTOR.replace("greet", "other")})
    answer = reactor("graph", folder)
    assert (answer.code, answer.err) == (
        2,
        f"{folder}: found 2 Reactors (greet, other), expected one: choose with --reactor NAME",
    )
    assert reactor("graph", "--reactor", "other", folder).code == 0
    assert reactor("graph", "--reactor", "othr", folder).err == f"{folder}: no Reactor 'othr', did you mean 'other'?"
