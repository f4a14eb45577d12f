"""A failed run explains itself on one screen of 24 lines and 80 columns, and nothing in it moves the cursor."""

import io
import json

import pytest
from rich.console import Console

from reactor_operator.cli.explanation import render_explanation, render_why
from reactor_operator.cli.moments import parse_moment
from reactor_operator.cli.progress import Lines, render_end
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.story import render_story
from reactor_operator.cli.tables import width_of
from reactor_operator.cli.tree import Tree
from tests.unit.cli.conftest import EXAMPLES, Reactor, Write
from tests.unit.cli.runs import run, step

NOW = parse_moment("2025-01-01T10:05:00Z") or 0.0
SOURCE = """\
  15 | def call(order):
  16 |     address = BOOK[order]
> 17 |     raise ConnectionError("the courier does not answer")
  18 |
  19 |\tdef other(): ..."""
TRACEBACK = """\
Traceback (most recent call last):
  File "/shop/courier.py", line 17, in call
    raise ConnectionError("the courier does not answer")
ConnectionError: the courier does not answer"""
DOWN = {
    "step": "ship",
    "kind": "Error",
    "message": "ConnectionError: the courier does not answer",
    "attempts": 2,
    "exception": "ConnectionError",
    "file": "shop/courier.py",
    "line": 17,
    "detail": {"function": "call", "source": SOURCE, "traceback": TRACEBACK, "origins": ["caused by KeyError: 7"]},
}
BANK = {
    "step": "charge",
    "kind": "Error",
    "message": "OSError: bank away",
    "file": "shop/bank.py",
    "line": 9,
    "detail": {"function": "refund", "source": "  8 |     # give it back\n> 9 |     raise OSError('bank away')"},
}


def failed(failure: object = DOWN, *, undone: tuple[str, ...] = ("ship", "reserve"), failures: object = ()) -> RunView:
    return run(
        "Failed",
        step("reserve", "Undone", completion=1, attempts=1),
        step("charge", "RollbackFailed", completion=2, attempts=1),
        step("ship", "Compensated", attempts=2, failure={"kind": "Error", "message": DOWN["message"]}),
        failure=failure,
        rollback={"state": "Incomplete" if failures else "Complete", "undone": list(undone), "failures": failures},
        startedAt="2025-01-01T10:00:00Z",
        finishedAt="2025-01-01T10:00:02Z",
        duration="1s300ms",
        progress="0/3",
    )


EXPLAINED = """\
ship failed after 2 attempts: ConnectionError: the courier does not answer
  shop/courier.py:17 in call
    15 | def call(order):
    16 |     address = BOOK[order]
  > 17 |     raise ConnectionError("the courier does not answer")
    18 |
    19 |  def other(): ...
  caused by KeyError: 7"""


def test_what_failed_where_and_what_was_reversed() -> None:
    assert render_explanation(failed()) == [*EXPLAINED.split("\n"), "  then reversed, newest first: ship, reserve"]


def test_what_was_not_reversed_is_explained_by_its_line() -> None:
    assert render_explanation(failed(failures=[BANK]))[-4:] == [
        "  then reversed, newest first: ship, reserve",
        "  not reversed: charge: OSError: bank away",
        "    shop/bank.py:9 in refund",
        "    > 9 |     raise OSError('bank away')",
    ]


def test_the_last_lines_of_a_container_are_shown() -> None:
    failure = {"step": "load", "kind": "ExitCode", "message": "exited with code 1: no", "detail": {"log": "one\nno"}}
    assert render_explanation(failed(failure, undone=())) == [
        "load failed: ExitCode: exited with code 1: no",
        "  the last that it printed:",
        "    | one",
        "    | no",
    ]


def test_a_traceback_is_for_those_who_ask() -> None:
    assert "Traceback" not in "\n".join(render_explanation(failed()))
    told = render_why(failed(), verbose=True)
    assert told[2:6] == [f"  {line}" for line in TRACEBACK.split("\n")]


def test_a_failure_that_needs_no_explanation_stays_one_line() -> None:
    told = failed({"step": "ship", "kind": "Timeout", "message": "no answer within 30s", "attempts": 1})
    assert render_explanation(told) == []
    assert render_end(told) == "order-1  Failed in 1.3s · ship: no answer within 30s · rolled back: ship, reserve"


def test_plain_output_ends_with_the_explanation() -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.begin("order-1", "checkout", ["reserve", "charge", "ship"])
    lines.end(failed())
    end = out.getvalue().split("order-1  Failed")[1].split("\n")
    assert end[:3] == [" in 1.3s", f"  {EXPLAINED.splitlines()[0]}", "    shop/courier.py:17 in call"]


def test_the_story_of_a_run_explains_its_failure() -> None:
    story = render_story(failed(failures=[BANK]), now=NOW).split("\n")
    assert story == [
        "order-1  Failed  (0/3)",
        "  reactor checkout · namespace shop · started 5m ago · took 1.3s",
        *(f"  {line}" for line in EXPLAINED.split("\n")),
        "",
        "STEP      PHASE            ATTEMPTS   TOOK",
        "reserve   Undone           1",
        "charge    RollbackFailed   1                 not reversed: OSError: bank away",
        "ship      Compensated      2                 Error: ConnectionError: the courier does not answer",
        "",
        "ROLLBACK  Incomplete: ship, reserve (in this order)",
        "  not reversed: charge: OSError: bank away",
        "    shop/bank.py:9 in refund",
        "    > 9 |     raise OSError('bank away')",
    ]
    assert TRACEBACK.split("\n")[1].strip() in render_story(failed(), now=NOW, verbose=True)


def test_the_tree_ends_with_the_explanation() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24, record=True)
    tree = Tree(console)
    tree.show(failed())
    console.print(tree)
    lines = [line.rstrip() for line in console.export_text().split("\n")]
    at = lines.index("Failed in 1.3s")
    assert lines[at + 1 : at + 6] == [f"  {line}" for line in EXPLAINED.split("\n")[:5]]
    assert len(lines) <= 24


HOSTILE = "a\x1b[2J\x00b\ud800\r\x07\u202eevil"


@pytest.mark.parametrize("verbose", [False, True])
def test_hostile_text_is_harmless(verbose: bool) -> None:
    failure = {
        **DOWN,
        "step": HOSTILE,
        "message": HOSTILE,
        "file": f"{HOSTILE}\n/x.py",
        "detail": dict.fromkeys(("function", "source", "traceback", "log"), f"> {HOSTILE}\n{HOSTILE}")
        | {"origins": [HOSTILE, 7]},
    }
    look = failed(failure, failures=[failure])
    for text in (render_end(look), render_story(look, now=NOW, verbose=verbose)):
        assert all(line.isprintable() for line in text.split("\n")), text
        assert "a\ufffd[2J\ufffdb\ufffd" in text


@pytest.mark.parametrize("odd", [None, 7, [], {"detail": 7}, {"detail": {"source": [], "origins": 3}, "file": {}}])
def test_an_odd_failure_is_shown_as_far_as_it_makes_sense(odd: object) -> None:
    assert render_end(failed(odd, failures=[odd])).startswith("order-1  Failed")


def test_everything_is_cut_to_the_screen() -> None:
    wide = {**DOWN, "file": "x" * 250, "message": "日" * 900}
    wide["detail"] = {"source": "\n".join(["日" * 900] * 90), "log": "x" * 900, "origins": ["x" * 900] * 90}
    told = render_explanation(failed(wide, undone=tuple(f"step-{n}" for n in range(900)), failures=[BANK] * 90))
    assert max(width_of(line) for line in told[1:] if "reversed" not in line) <= 78
    assert len(told[0]) <= 400
    assert len(told) < 50


# As a user: what `reactor run` shows of a failed order, and of a script with a bug.


def ending(answer: str, name: str) -> list[str]:
    _, end = answer.split(f"\n{name}  Failed", 1)
    return end.split("\n")[1:]


def test_an_order_that_is_taken_back_explains_itself_on_one_screen(reactor: Reactor) -> None:
    answer = reactor("run", "--run", "order-courier-down", EXAMPLES / "02-order-processing").out
    told = ending(answer, "order-courier-down")
    said = "ConnectionError: the courier's office in Stormhaven does not answer"
    assert told[0] == f"  ship failed after 2 attempts: {said}"
    assert told[1] == "    shop/courier.py:8 in ship"
    assert told[4].startswith("    >  8 |         raise ConnectionError(")
    assert told[-2] == "    then reversed, newest first: ship, charge, reserve"
    assert len(answer.splitlines()) <= 24
    assert max(map(len, told[1:])) <= 80


BUGGY = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: buggy}
spec:
  inputsSchema: {type: object, properties: {card: {type: string}}}
  steps:
  - name: charge
    arguments: {card: {input: card}}
    run:
      python:
        source: |
BODY
"""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            ["def main(card):", "    amount = {}", "    return amount['total']"],
            [
                "  charge failed: KeyError: 'total'",
                "    <step charge>:3 in main",
                "      1 | def main(card):",
                "      2 |     amount = {}",
                "    > 3 |     return amount['total']",
            ],
        ),
        (
            ["import shopp", "def main(card): pass"],
            [
                "  charge failed: CannotStart: ModuleNotFoundError: No module named 'shopp'",
                "    <step charge>:1 in <module>",
                "    > 1 | import shopp",
                "      2 | def main(card): pass",
            ],
        ),
    ],
)
def test_a_script_with_a_bug_shows_the_line(reactor: Reactor, write: Write, body: list[str], told: list[str]) -> None:
    folder = write({"reactor.yaml": BUGGY.replace("BODY", "\n".join(f"          {line}" for line in body))})
    answer = reactor("run", folder, "--set", "card=4242-canary")
    assert ending(answer.out, "buggy-run")[: len(told)] == told
    assert "canary" not in answer.out
    verbose = reactor("run", folder, "-v", "--set", "card=4242-canary").out
    assert "<step charge>" in verbose
    assert "canary" not in verbose
    status = json.loads(reactor("run", folder, "-o", "json", "--set", "card=4242-canary").out)["status"]
    assert status["failure"]["detail"]["source"]
    assert "canary" not in json.dumps(status)


def test_a_module_that_does_not_parse_shows_the_line(reactor: Reactor, write: Write) -> None:
    step = "  - name: two\n    run: {python: {handler: 'shop.bad:f'}}\n"
    folder = write(
        {"reactor.yaml": BUGGY.split("  steps:")[0] + "  steps:\n" + step, "shop/bad.py": "import os\ndef f(:\n"}
    )
    assert ending(reactor("run", folder).out, "buggy-run")[:4] == [
        "  two failed: CannotStart: SyntaxError: invalid syntax (bad.py, line 2)",
        "    shop/bad.py:2",
        "      1 | import os",
        "    > 2 | def f(:",
    ]
