"""`reactor results` lists what became of the elements of a map in a state file, read page by page."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cli.conftest import Answer, Reactor, Write

MAPS = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: tens}
spec:
  inputsSchema: {type: object, properties: {rows: {type: array}}}
  steps:
  - name: rows
    map: {source: {input: rows}, failFast: false, transform: {expr: "element == 7 ? 10 / 0 : element * 10"}}
  - name: nested
    map:
      source: {value: [1, 2]}
      steps:
      - name: lines
        map: {source: {value: [3, 4]}, transform: {expr: element}}
  - name: never
    when: "false"
    map: {source: {input: rows}, transform: {expr: element}}
  - name: plain
    transform: {expr: "1"}
"""
PYTHON = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: shop}
spec:
  steps:
  - name: open
    arguments: {row: {element: open}}
    map:
      source: {value: [1, 2]}
      failFast: false
      run: {python: {handler: "shop:one"}}
  - name: kept
    map:
      source: {value: [5]}
      steps:
      - name: lines
        arguments: {row: {element: lines}}
        map:
          source: {value: [3, 4]}
          run: {python: {handler: "shop:same"}}
        undo: {python: {handler: "shop:take_back"}}
  - name: quiet
    sensitive: true
    arguments: {row: {element: quiet}}
    map:
      source: {value: ["CANARY"]}
      run: {python: {handler: "shop:same"}}
"""
SHOP = """\
def one(row):
    if row == 2:
        raise ValueError("no more")
    return {"row": row}

def same(row):
    return row

def take_back(row, result):
    pass
"""

Ask = Callable[..., Answer]


@pytest.fixture
def ask(reactor: Reactor, write: Write) -> Ask:
    """Run 250 elements, of which the one at 7 fails, and ask for results of that run."""
    folder = write({"reactor.yaml": MAPS, "inputs.json": json.dumps({"rows": list(range(250))})})
    state = folder / "state.db"
    assert reactor("run", folder / "reactor.yaml", "--inputs", folder / "inputs.json", "--state", state).code == 0

    def results(*arguments: object) -> Answer:
        return reactor("results", *arguments, "--state", state)

    return results


def damage(state: Path, page: str) -> None:
    with closing(sqlite3.connect(state)) as file:
        assert file.execute("UPDATE pages SET body = 'x' WHERE name = ?", (page,)).rowcount == 1
        file.commit()


def listed(answer: Answer) -> list[Any]:
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert isinstance(found, list)
    return found


def test_every_element_is_listed_in_order_with_its_value_or_why_it_has_none(ask: Ask) -> None:
    found = listed(ask("tens-run", "rows", "-o", "json"))
    assert [one["index"] for one in found] == list(range(250))
    assert found[249] == {"index": 249, "ok": True, "phase": "Succeeded", "value": 2490}
    assert found[7]["failure"]["kind"] == "Expression"
    assert (found[7]["ok"], "value" in found[7]) == (False, False)

    text = ask("tens-run", "rows", "--limit", "9").out.splitlines()
    assert text[0] == "rows  Succeeded  250 elements, 1 failed"
    assert text[1] == "    0  Succeeded  0"
    assert text[8].startswith("    7  Failed     Expression: ")
    assert text[9:] == ["    8  Succeeded  80"]


def test_those_that_failed_alone_may_be_asked_for_and_no_more_than_a_number(ask: Ask) -> None:
    assert [one["index"] for one in listed(ask("tens-run", "rows", "--failed", "-o", "json"))] == [7]
    assert [one["index"] for one in listed(ask("tens-run", "rows", "--limit", "2", "-o", "json"))] == [0, 1]
    assert [one["index"] for one in yaml.safe_load(ask("tens-run", "rows", "--limit", "120", "-o", "yaml").out)] == [
        *range(120)
    ]
    assert listed(ask("tens-run", "nested", "--failed", "-o", "json")) == []
    assert ask("tens-run", "nested", "--failed").out.splitlines()[1:] == ["  none failed"]


def test_a_page_that_is_not_asked_for_is_not_read(ask: Ask, tmp_path: Path) -> None:
    damage(tmp_path / "state.db", "outcome/rows/1/1")
    assert len(listed(ask("tens-run", "rows", "--limit", "100", "-o", "json"))) == 100
    answer = ask("tens-run", "rows", "--limit", "101")
    assert answer.code == 2
    assert "stored outcomes of rows cannot be read" in answer.err


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("tens-run", "plain"), "plain is no map of run 'tens-run', expected one of its maps: rows, nested, never"),
        (("tens-run", "rows[3]"), "rows[3] is no map of run 'tens-run'"),
        (("tens-run", "never"), "map never has not begun: it is Skipped"),
        (("tens-run", "nested[0]/lines"), "what is inside nested[0] is not there"),
        (("tens-run", "nested[9]/lines"), "what is inside nested[9] is not there"),
        (("other", "rows"), "found no run 'other', expected one of default/tens-run"),
        (("tens-run", "rows", "-n", "shop"), "found no run 'tens-run', expected one of default/tens-run"),
    ],
)
def test_what_is_not_there_is_refused_with_what_there_is(ask: Ask, names: tuple[str, ...], said: str) -> None:
    answer = ask(*names)
    assert answer.code == 2
    assert said in answer.err


def test_a_state_file_that_is_not_there_is_not_made(reactor: Reactor, tmp_path: Path) -> None:
    answer = reactor("results", "a", "b", "--state", tmp_path / "none.db")
    assert "found no file" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_failures_have_their_place_and_sensitive_results_are_masked(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": PYTHON, "shop.py": SHOP})
    state = folder / "state.db"
    assert reactor("run", folder / "reactor.yaml", "--state", state).code == 0
    first, second = listed(reactor("results", "shop-run", "open", "--state", state, "-o", "json"))
    assert first["value"] == {"row": 1}
    failure = second["failure"]
    assert (failure["message"], failure["file"], failure["line"]) == ("ValueError: no more", "shop.py", 3)
    assert '> 3 |         raise ValueError("no more")' in failure["detail"]["source"]
    text = reactor("results", "shop-run", "open", "--state", state, "--failed", "-v").out
    assert "  1  Failed     ValueError: no more  shop.py:3" in text
    assert "Traceback" in text
    inner = listed(reactor("results", "shop-run", "kept[0]/lines", "--state", state, "-o", "json"))
    assert [one["value"] for one in inner] == [3, 4], "what can be undone is kept"
    (masked,) = listed(reactor("results", "shop-run", "quiet", "--state", state, "-o", "json"))
    assert masked["value"] == "***"


def test_elements_that_were_undone_have_no_value_and_no_reason(reactor: Reactor, write: Write) -> None:
    undone = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: back}
spec:
  steps:
  - name: rows
    arguments: {row: {element: rows}}
    map:
      source: {value: [1, 2]}
      run: {python: {handler: "shop:same"}}
    undo: {python: {handler: "shop:take_back"}}
  - name: last
    waitFor: [rows]
    arguments: {row: {value: 2}}
    run: {python: {handler: "shop:one"}}
"""
    folder = write({"reactor.yaml": undone, "shop.py": SHOP})
    state = folder / "state.db"
    answer = reactor("run", folder / "reactor.yaml", "--state", state)
    assert "2 elements undone" in answer.out
    assert reactor("results", "back-run", "rows", "--state", state).out.splitlines() == [
        "rows  Undone  2 elements undone",
        "  0  Undone",
        "  1  Undone",
    ]
    first, _ = listed(reactor("results", "back-run", "rows", "--state", state, "-o", "json"))
    assert (first["ok"], first["failure"]["kind"]) == (False, "Undone")


def test_a_run_that_fails_in_an_element_shows_where_in_the_code_and_how_many_ended(
    reactor: Reactor, write: Write
) -> None:
    folder = write({"reactor.yaml": PYTHON.replace("failFast: false", "batchSize: 1"), "shop.py": SHOP})
    answer = reactor("run", folder / "reactor.yaml", "--reactor", "shop")
    assert answer.code == 1
    assert "open   Failed" in answer.out
    assert "element 1: ValueError: no more (2 elements, 1 failed)" in answer.out
    assert "shop.py:3 in one" in answer.out
    assert '> 3 |         raise ValueError("no more")' in answer.out
