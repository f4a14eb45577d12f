"""Maps as a blueprint has them: templates of paths, and who sees which element."""

from typing import Any

import pytest

from reactor_operator.api.blueprint import MAX_PATH, CannotLayOut, blueprint_of
from reactor_operator.engine.identity import Action
from reactor_operator.engine.plan import StepKind
from tests.unit.api.documents import PYTHON, sound, step
from tests.unit.api.maps import NESTED, Document, inside, laid_out, mapped, paged


def test_a_map_is_laid_out_in_templates() -> None:
    made = laid_out(step("before"), NESTED)
    assert {path: node.kind for path, node in made.nodes.items()} == {
        "before": StepKind.TASK,
        "rows": StepKind.MAP,
        "rows[]": StepKind.COMPOSE,
        "rows[]/store": StepKind.TASK,
        "rows[]/lines": StepKind.MAP,
        "rows[]/lines[]": StepKind.TASK,
        "rows[]/route": StepKind.SWITCH,
        "rows[]/route[0]": StepKind.COMPOSE,
        "rows[]/route[0]/deep": StepKind.TASK,
        "rows[page]": StepKind.TASK,
        "rows[collect]": StepKind.TASK,
    }
    assert {path: dict(node.scope.maps) for path, node in made.nodes.items() if node.scope.maps} == {
        "rows[]": {"rows": "rows"},
        "rows[]/store": {"rows": "rows"},
        "rows[]/lines": {"rows": "rows"},
        "rows[]/lines[]": {"rows": "rows", "lines": "rows[]/lines"},
        "rows[]/route": {"rows": "rows"},
        "rows[]/route[0]": {"rows": "rows"},
        "rows[]/route[0]/deep": {"rows": "rows"},
    }
    assert {"rows[]", "rows[]/route[0]"} <= set(made.scopes)


def test_the_step_says_what_holds_for_elements_and_the_map_what_holds_for_itself() -> None:
    nodes = laid_out(step("before"), NESTED).nodes
    rows, element, page, collect = (nodes[f"rows{end}"].step for end in ("", "[]", "[page]", "[collect]"))
    assert (rows.when, rows.wait_for, rows.on_error is not None) == ("inputs.go", ("before",), True)
    assert (rows.arguments, rows.retries, rows.compensate) == ({}, None, None)
    assert (element.when, element.wait_for, element.on_error) == (None, (), None)
    assert (list(element.arguments), element.retries is not None, element.compensate is not None) == (
        ["row"],
        True,
        True,
    )
    assert (list(page.arguments), page.retries, page.compensate, page.when) == (["d"], None, None, None)
    assert list(collect.arguments) == ["results"]
    assert [one.action(Action.RUN) is not None for one in (rows, element, page, collect)] == [False, False, True, True]


def test_the_body_of_a_map_is_what_its_element_is() -> None:
    bodies: list[tuple[Document, StepKind]] = [
        ({"run": PYTHON}, StepKind.TASK),
        ({"transform": {"element": "rows"}}, StepKind.TRANSFORM),
        (inside(step("b")), StepKind.COMPOSE),
    ]
    for body, kind in bodies:
        assert laid_out(mapped("rows", body)).nodes["rows[]"].kind is kind


def test_each_node_reads_what_is_its_own() -> None:
    nodes = laid_out(step("before"), NESTED).nodes
    reads = {path: node.reads() for path, node in nodes.items() if node.reads()}
    assert reads == {
        "rows[]/lines[]": {"store": "rows[]/store"},
        "rows[page]": {"before": "before"},
        "rows[collect]": {"rows": "rows"},
    }
    elements = {path: node.elements() for path, node in nodes.items() if node.elements()}
    assert elements == {
        "rows[]": {"rows": "rows"},
        "rows[]/store": {"rows": "rows"},
        "rows[]/lines": {"rows": "rows"},
        "rows[]/lines[]": {"lines": "rows[]/lines", "rows": "rows"},
        "rows[]/route": {"rows": "rows"},
        "rows[]/route[0]/deep": {"rows": "rows"},
    }


def test_what_collects_may_read_the_element_around_the_map() -> None:
    lines = mapped("lines", {"run": PYTHON, "collect": {"expr": "element.id + string(result.total)"}})
    nodes = laid_out(mapped("rows", inside(lines))).nodes
    assert nodes["rows[]/lines"].elements() == {"rows": "rows"}
    assert nodes["rows"].elements() == {}


def test_fields_are_named_where_they_are_written() -> None:
    nodes = laid_out(step("before"), NESTED).nodes
    rows = "spec.steps[1]"
    assert {path: (node.field_path, node.step_field) for path, node in nodes.items() if path.startswith("rows[")} == {
        "rows[]": (f"{rows}.map", rows),
        "rows[]/store": (f"{rows}.map.steps[0]", f"{rows}.map.steps[0]"),
        "rows[]/lines": (f"{rows}.map.steps[1]", f"{rows}.map.steps[1]"),
        "rows[]/lines[]": (f"{rows}.map.steps[1].map", f"{rows}.map.steps[1]"),
        "rows[]/route": (f"{rows}.map.steps[2]", f"{rows}.map.steps[2]"),
        "rows[]/route[0]": (f"{rows}.map.steps[2].switch.cases[0]", f"{rows}.map.steps[2]"),
        "rows[]/route[0]/deep": (f"{rows}.map.steps[2].switch.cases[0].steps[0]",) * 2,
        "rows[page]": (f"{rows}.map.pages", rows),
        "rows[collect]": (f"{rows}.map.collect", rows),
    }


@pytest.mark.parametrize(
    ("path", "template", "indices"),
    [
        ("rows", "rows", ()),
        ("rows[7]", "rows[]", (7,)),
        ("rows[0]/lines[12]", "rows[]/lines[]", (0, 12)),
        ("rows[7]/route[0]/deep", "rows[]/route[0]/deep", (7,)),
        ("rows[page-3]", "rows[page]", ()),
        ("rows[collect]", "rows[collect]", ()),
    ],
)
def test_an_actual_path_leads_to_its_template(path: str, template: str, indices: tuple[int, ...]) -> None:
    made = laid_out(step("before"), NESTED)
    located = made.at(path)
    assert (located.node.path, located.indices) == (template, indices)
    assert made.step(path) is made.nodes[template].step


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nobody",
        "rows[x]",
        "rows[-1]",
        "rows[07]",
        "rows[1][2]",
        "before[0]",
        "rows[7]/route[1]",
        "rows[7]/lines[page-2]",
        "rows[page]x",
        "rows[page-01]",
        "rows[99999999999]",
        "rows[1",
        "rows[²]",
        "rows[7]/",
        "rows[7]/nobody",
        "rows[]",
        "rows[]/store",
        "rows[7]/lines[]",
        "rows[page]",
    ],
)
def test_a_path_that_leads_nowhere_is_a_key_error(path: str) -> None:
    made = laid_out(step("before"), NESTED)
    with pytest.raises(KeyError):
        made.at(path)


def test_what_an_element_sees_has_actual_paths() -> None:
    located = laid_out(step("before"), NESTED).at("rows[7]/lines[3]")
    assert located.actual("rows[]/store") == "rows[7]/store"
    assert located.actual("before") == "before"
    assert [located.index_of(path) for path in located.node.scope.maps.values()] == [7, 3]
    with pytest.raises(ValueError, match="inside of more maps"):
        located.actual("rows[]/lines[]/more[]")


def test_elements_are_found_in_the_inputs_where_they_stand_there() -> None:
    nested = mapped("lines", {"run": PYTHON}, of={"source": {"element": "rows", "path": "lines"}})
    made = laid_out(mapped("rows", inside(nested), of={"source": {"input": "order", "path": "rows"}}))
    assert made.at("rows[7]/lines[3]").keys_of("lines") == ("order", "rows", 7, "lines", 3)
    assert made.at("rows[7]").keys_of("rows") == ("order", "rows", 7)
    assert laid_out(mapped(of=paged())).at("rows[7]").keys_of("rows") is None


def test_another_reactor_does_not_see_the_element() -> None:
    other = sound(mapped("rows", {"run": PYTHON}, arguments={"x": {"element": "rows"}}))
    spec = sound(mapped("rows", {"reactorRef": {"name": "other"}, "inputs": {"rows": {"element": "rows"}}}))
    made = blueprint_of(spec, {"other": other})
    assert list(made.nodes) == ["rows", "rows[]", "rows[]/rows", "rows[]/rows[]"]
    inner = made.at("rows[4]/rows[2]")
    assert dict(inner.node.scope.maps) == {"rows": "rows[]/rows"}
    assert inner.index_of("rows[]/rows") == 2
    assert made.at("rows[4]/rows").node.scope.inputs_from == "rows[]"
    assert inner.keys_of("rows") == ("rows", 2)


def test_a_reactor_may_map_itself_over_what_it_is_given() -> None:
    tree = sound(mapped("children", {"reactorRef": {"name": "tree"}}))
    assert "children[]/children[]/children" in blueprint_of(tree, {"tree": tree}).nodes


def test_a_missing_reactor_is_named_by_its_field() -> None:
    with pytest.raises(CannotLayOut) as caught:
        laid_out(mapped("rows", {"reactorRef": {"name": "other"}}))
    assert caught.value.problems[0].path == "spec.steps[0].map.reactorRef.name"


def test_paths_leave_room_for_the_places_of_elements() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return mapped(f"{'m' * 59}{depth}", inside(nested(depth - 1)) if depth > 1 else {"run": PYTHON})

    spec = sound(nested(5))
    others = {"first": spec}
    outer = sound(mapped("m" * 63, {"reactorRef": {"name": "first"}}))
    deeper = {**others, "second": outer, "third": sound(mapped("x" * 63, {"reactorRef": {"name": "second"}}))}
    assert blueprint_of(outer, others)
    chain: dict[str, Any] = dict(deeper)
    for number in range(10):
        chain[f"n{number}"] = sound(mapped("y" * 63, {"reactorRef": {"name": f"n{number - 1}" if number else "third"}}))
    with pytest.raises(CannotLayOut, match=f"expected at most {MAX_PATH}"):
        blueprint_of(chain["n9"], chain)
