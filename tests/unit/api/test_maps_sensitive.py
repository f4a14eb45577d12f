"""How far what is sensitive reaches in maps, and that it is found by the paths of elements."""

from typing import Any

import pytest

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.sensitivity import Sensitivity
from reactor_operator.api.taint import sensitivity_of
from reactor_operator.engine.identity import Action
from tests.unit.api.documents import CONTAINER, PYTHON, check, found, sound, step
from tests.unit.api.maps import Document, inside, mapped, paged

ROWS = {"type": "array", "items": {"type": "object"}}
SCHEMA = {"type": "object", "properties": {"rows": {**ROWS, "sensitive": True}, "open": ROWS}}
OPEN: Document = {"source": {"input": "open"}}
ELEMENT: Document = {"row": {"element": "rows"}, "place": {"index": "rows"}, "x": {"expr": "element.x"}}


def told(*steps: Document, **fields: Any) -> Sensitivity:
    return sensitivity_of(blueprint_of(sound(*steps, inputsSchema=SCHEMA, **fields)))


def test_elements_are_as_sensitive_as_what_they_come_from() -> None:
    sensitive = told(mapped("rows", arguments=ELEMENT))
    assert sensitive.elements == {"rows"}
    assert sensitive.arguments == {"rows[]": {"row", "x"}}
    assert not told(mapped("rows", of=OPEN, arguments=ELEMENT)).elements


def test_it_goes_into_maps_inside_and_through_their_elements() -> None:
    lines = mapped("lines", of={"source": {"element": "rows", "path": "lines"}}, arguments={"l": {"expr": "element"}})
    sensitive = told(mapped("rows", inside(step("a", arguments={"i": {"expr": "index"}}), lines)))
    assert sensitive.elements == {"rows", "rows[]/lines"}
    assert sensitive.arguments == {"rows[]/lines[]": {"l"}}
    other = mapped("lines", of=OPEN, arguments={"l": {"expr": "element"}, "r": {"element": "rows"}})
    assert told(mapped("rows", inside(other))).arguments == {"rows[]/lines[]": {"r"}}


def test_a_page_is_sensitive_where_it_says_so() -> None:
    sensitive = told(mapped("rows", of=paged(sensitive=True), arguments=ELEMENT))
    assert sensitive.results == {"rows[page]"}
    assert sensitive.elements == {"rows"}
    assert sensitive.arguments == {"rows[]": {"row", "x"}}
    assert not told(mapped("rows", of=paged(), arguments=ELEMENT)).elements


def test_results_of_elements_make_the_results_of_the_map_sensitive() -> None:
    sensitive = told(mapped("rows", {"transform": {"element": "rows"}}), step("b", arguments={"r": {"result": "rows"}}))
    assert sensitive.results == {"rows[]", "rows"}
    assert sensitive.arguments == {"b": {"r"}}
    declared = told(mapped("rows", of=OPEN, sensitive=True))
    assert declared.results == {"", "rows", "rows[]"}


def test_what_collects_reads_all_results_and_its_own_is_what_it_says() -> None:
    body = {"transform": {"element": "rows"}, "collect": {"run": PYTHON}}
    sensitive = told(mapped("rows", body))
    assert sensitive.results == {"rows[]"}
    assert sensitive.arguments == {"rows[collect]": {"results"}}
    counted = told(mapped("rows", {"transform": {"element": "rows"}, "collect": {"expr": "result.total"}}))
    assert counted.results == {"rows[]"}
    read = told(mapped("rows", {"run": PYTHON, "collect": {"expr": "inputs.rows"}}, of=OPEN))
    assert read.results == {"rows", ""}


def test_a_sensitive_result_is_not_told_by_a_pod() -> None:
    written = mapped("rows", {"run": CONTAINER}, sensitive=True, of=paged(run=CONTAINER, sensitive=True))
    assert found(check(written).problems) == {
        ("spec.steps[0].map.run.container.output", "SensitiveValue"),
        ("spec.steps[0].map.pages.run.container.output", "SensitiveValue"),
    }


def test_a_sensitive_element_is_passed_in_no_environment() -> None:
    env = [{"name": "R", "argument": "row"}]
    undo = {"container": {"image": "x", "env": env}}
    written = mapped("rows", {"run": PYTHON}, arguments=ELEMENT, env=env, undo=undo)
    assert found(check(written, inputsSchema=SCHEMA).problems) == {
        ("spec.steps[0].env[0].argument", "SensitiveValue"),
        ("spec.steps[0].undo.container.env[0].argument", "SensitiveValue"),
    }


@pytest.mark.parametrize("path", ["rows[]", "rows[7]", "rows[0]"])
def test_tasks_are_found_by_actual_paths(path: str) -> None:
    sensitive = told(mapped("rows", {"run": PYTHON}, arguments=ELEMENT, sensitive=True))
    of_task = sensitive.of_task(path, Action.RUN)
    assert of_task.arguments == {"row", "x"}
    assert of_task.result
    assert sensitive.arguments_of(path) == {"row", "x"}
    assert sensitive.has_result(path)
    assert sensitive.has_elements("rows")


def test_inputs_and_requests_inside_elements_are_found_by_actual_paths() -> None:
    body = {"reactorRef": {"name": "other"}, "inputs": {"row": {"element": "rows"}}}
    request = {"http": {"method": "GET", "url": {"expr": "'http://x/' + inputs.row"}}}
    cases = [{"when": "true", "run": request}]
    other = sound({"name": "choose", "switch": {"cases": cases}})
    blueprint = blueprint_of(sound(mapped("rows", body), inputsSchema=SCHEMA), {"other": other})
    sensitive = sensitivity_of(blueprint)
    assert sensitive.inputs_of("rows[3]") == {"row"}
    assert sensitive.of_task("rows[3]/choose[0]", Action.RUN).request
    assert not sensitive.of_task("rows[3]/choose[1]", Action.RUN)
    assert not sensitive.of_task("choose[0]", Action.RUN)
