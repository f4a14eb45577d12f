"""Maps in `reactor plan`, `graph` and `lint`."""

import json

from tests.unit.cli.conftest import Reactor, Write

MAP = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: import}
spec:
  steps:
  - name: days
    run: {python: {handler: "rows:days"}}
  - name: rows
    arguments: {row: {element: rows}}
    retries: {maxAttempts: 3}
    map:
      pages: {run: {python: {handler: "rows:page"}}, arguments: {days: {result: days}}}
      batchSize: 20
      undoWindow: 4
      failFast: false
      maxFailuresPercent: 5
      steps:
      - name: store
        arguments: {row: {element: rows}}
        run: {python: {handler: "rows:store"}}
        undo: {python: {handler: "rows:remove"}}
      - name: lines
        placement: pool
        poolRef: {name: warm}
        arguments: {line: {element: lines}, of: {index: rows}}
        map:
          source: {element: rows, path: lines}
          strategy: batch
          elementsPerTask: 5
          run: {python: {handler: "rows:line"}}
      collect: {run: {python: {handler: "rows:total"}}}
  - name: report
    arguments: {rows: {result: rows}}
    run: {python: {handler: "rows:report"}}
"""


def test_the_plan_of_a_map_shows_one_element_for_all(reactor: Reactor, write: Write) -> None:
    answer = reactor("plan", write({"reactor.yaml": MAP}))
    assert answer.code == 0
    starts, undos = answer.out.split("UNDO ORDER")
    rows = {
        line.split()[1]: " ".join(line.split()[2:])
        for line in starts.splitlines()
        if line[:1].isdigit() and ". " in line[:4]
    }
    assert list(rows) == [
        "days",
        "rows",
        "rows[page]",
        "rows[]",
        "rows[]/store",
        "rows[]/lines",
        "rows[]/lines[]",
        "rows[collect]",
        "report",
    ]
    assert rows["rows"] == "map, 20 at once after days at most 5% failures"
    assert rows["rows[]"] == "compose after rows[page] 3 attempts"
    assert rows["rows[]/lines"] == "map, batches of 50 5 elements a task"
    assert rows["rows[]/lines[]"] == "rows:line pool warm"
    assert "rows[]/store   rows:remove   highest index first, 4 at once" in undos
    assert "WHEN A STEP ITSELF FAILS" not in undos


def test_the_pods_of_a_map_are_those_of_its_first_element(reactor: Reactor, write: Write) -> None:
    out = reactor("plan", "-o", "json", write({"reactor.yaml": MAP})).out
    containers = [pod["spec"]["containers"][0]["env"] for pod in json.loads(out)["items"]]
    steps = [entry["value"] for env in containers for entry in env if entry["name"] == "REACTOR_STEP"]
    assert steps == ["days", "rows[0]/store", "rows[0]/store", "rows[page-0]", "rows[collect]", "report"]


def test_the_graph_of_a_map_goes_through_an_element(reactor: Reactor, write: Write) -> None:
    out = reactor("graph", write({"reactor.yaml": MAP})).out
    names = {
        line.split("[", 1)[0].strip(): line.split("<b>")[1].split("</b>")[0]
        for line in out.splitlines()
        if "<b>" in line
    }
    arrows = [tuple(names[end] for end in line.split() if end in names) for line in out.splitlines() if "->" in line]
    assert arrows == [
        ("days", "rows"),
        ("rows", "rows[page]"),
        ("rows[page]", "rows[]"),
        ("rows[]", "rows[]/store"),
        ("rows[]", "rows[]/lines"),
        ("rows[]/lines", "rows[]/lines[]"),
        ("rows[]/store", "rows[collect]"),
        ("rows[]/lines[]", "rows[collect]"),
        ("rows[collect]", "report"),
    ]
    assert "map, 20 at once" in out
    assert "<svg" in reactor("graph", "--format", "svg", write({"reactor.yaml": MAP})).out


def test_handlers_of_pages_elements_and_collectors_are_looked_for(reactor: Reactor, write: Write) -> None:
    written = "def days(): ...\ndef store(row): ...\ndef remove(row): ...\ndef report(rows): ...\n"
    answer = reactor("lint", write({"reactor.yaml": MAP, "rows.py": written}))
    lacking = [line.split("handler '")[1].split("'")[0] for line in answer.out.splitlines() if "handler '" in line]
    assert lacking == ["rows:page", "rows:line", "rows:total"]


COLLECTED = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: sums}
spec:
  steps:
  - name: rows
    map:
      source: {value: [[1, 2], [], [3, 4]]}
      steps:
      - name: cells
        map:
          source: {element: rows}
          transform: {expr: element * 10}
          collect: {run: {python: {handler: "sums:total"}}}
      collect: {run: {python: {handler: "sums:total"}}}
"""
TOTAL = "def total(results):\n    return sum(results.successes)\n"


def test_what_collects_is_called_with_the_results_also_of_a_map_in_a_map(reactor: Reactor, write: Write) -> None:
    answer = reactor("run", "-o", "json", write({"reactor.yaml": COLLECTED, "sums.py": TOTAL}))
    assert json.loads(answer.out)["status"]["result"] == 100


NESTED = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: nested}
spec:
  inputsSchema:
    type: object
    properties:
      orders: {type: array, items: {type: object, properties: {lines: {type: array, items: {$ref: "#/$defs/line"}}}}}
    $defs:
      line: {type: object, properties: {price: {type: number}}}
  steps:
  - name: orders
    map:
      source: {input: orders}
      steps:
      - name: lines
        map:
          source: {element: orders, path: lines}
          transform: {expr: "element.price / 2.0"}
---
apiVersion: reactor.run/v1alpha1
kind: ReactorRun
metadata: {name: nested-1}
spec:
  reactorRef: {name: nested}
  inputs: {orders: [{lines: [{price: 3}, {price: 4.5}]}]}
"""


def test_an_element_of_a_map_inside_a_map_has_the_numbers_that_the_schema_names(reactor: Reactor, write: Write) -> None:
    answer = reactor("run", write({"reactor.yaml": NESTED}))
    assert answer.code == 0, answer.out
