"""Maps that are asked the impossible: one clear message each, which names the step, what was found and expected."""

import json

import pytest
import yaml

from tests.unit.cli.conftest import Reactor, Write
from tests.unit.cli.test_bad_input import manifest

LIMIT = 10
ELEMENTS = """\
  - name: rows
    map:
      source: SOURCE
      transform: {element: rows}
"""
PAGED = f"""\
  - name: rows
    map:
      pages: {{run: {{python: {{source: "def main(cursor, limit): return RETURNED"}}}}, pageSize: {LIMIT}}}
      transform: {{element: rows}}
"""
ARRAY = """\
  - name: load
    run: {python: {source: "def main(): return ['x' * 1000] * 34000"}}
    undo: {python: {source: "def main(result): pass"}}
  - name: rows
    map: {source: {result: load}, transform: {element: rows}}
"""
LARGE = "found 5242882 bytes of JSON in element 1, expected at most 1048576: store large things elsewhere, and map over"
FAILS = {
    "a cursor that comes again": (
        PAGED.replace("RETURNED", "{'items': [1], 'next': 'same'}"),
        "rows: page 1: found a cursor that an earlier page returned too, expected another one, or null",
    ),
    "cursors that go round": (
        PAGED.replace("RETURNED", "{'items': [1], 'next': {'a': 'b', 'b': 'c'}.get(cursor, 'a')}"),
        "found a cursor that an earlier page returned too, expected another one, or null",
    ),
    "a page that is larger than asked for": (
        PAGED.replace("RETURNED", "{'items': [1] * (limit + 1)}"),
        "step rows: page 0: found 11 items, expected at most 10, the limit that it was called with",
    ),
    "an element of a page of 5 MiB": (
        PAGED.replace("RETURNED", "{'items': [1, 'x' * (5 << 20)]}"),
        f"step rows: page 0: {LARGE}",
    ),
    "an element of a source of 5 MiB": (
        ELEMENTS.replace("SOURCE", json.dumps({"value": [1, "x" * (5 << 20)]})),
        f"step rows: map.source: {LARGE}",
    ),
    "an array above 32 MiB": (
        ARRAY,
        "step load: the result is 34102031 bytes of JSON, expected at most 33554432 (32 MiB); store it elsewhere and "
        "return a reference to it",
    ),
}


@pytest.mark.parametrize("name", FAILS)
def test_a_map_that_cannot_go_on_says_why(reactor: Reactor, write: Write, name: str) -> None:
    steps, message = FAILS[name]
    answer = reactor("run", write({"reactor.yaml": manifest("bad", steps)}))
    assert answer.code == 1
    assert message in answer.out


def test_an_array_of_nearly_32_mib_is_gone_over(reactor: Reactor, write: Write) -> None:
    steps = ARRAY.replace("1000] * 34000", "330000] * 100")
    answer = reactor("run", write({"reactor.yaml": manifest("large", steps)}))
    assert answer.code == 0, answer.out
    assert "100 elements" in answer.out


@pytest.mark.parametrize(("window", "expected"), [(0, "at least 1"), (10**6, "at most 1000")])
def test_a_window_that_makes_no_sense_is_told_once(reactor: Reactor, write: Write, window: int, expected: str) -> None:
    steps = ELEMENTS.replace("SOURCE", f"{{value: [1]}}\n      batchSize: {window}") + (
        "  - name: after\n    arguments: {rows: {result: rows}}\n    transform: {result: rows}\n"
    )
    steps = steps.replace("    map:", "    arguments: {row: {element: rows}}\n    map:", 1)
    answer = reactor("run", write({"reactor.yaml": manifest("bad", steps)}))
    assert answer.code == 2
    told = [line for line in (answer.out + answer.err).splitlines() if line]
    assert len(told) == 1
    assert told[0].endswith(f"spec.steps[0].map.batchSize: found {window}, expected {expected}")


def test_what_a_cluster_does_not_take_for_its_size_is_told_with_its_place(reactor: Reactor, write: Write) -> None:
    source = json.dumps({"value": ["x" * 100_000] * 20})
    place = write({"reactor.yaml": manifest("huge", ELEMENTS.replace("SOURCE", source))})
    document = next(yaml.safe_load_all(manifest("huge", ELEMENTS.replace("SOURCE", source))))
    size = len(json.dumps(document, separators=(",", ":")))
    told = (
        f"spec.steps[0].map.source.value: found {size} bytes of JSON in the whole object, most of them here, expected "
        "at most 1572864: a cluster takes no more; let a step bring what is so large, or pages of a map"
    )
    answer = reactor("lint", place)
    assert answer.code == 0
    assert f"warning: {told}" in answer.out
    answer = reactor("apply", place)
    assert answer.code != 0
    assert f"Reactor 'huge': {told}" in answer.err
