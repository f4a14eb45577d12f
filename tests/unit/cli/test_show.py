"""A run's story fits one screen and leaves out nothing that went wrong; a table of runs reads like kubectl's."""

import json

import pytest
import yaml

from reactor_operator.cli.documents import render_documents
from reactor_operator.cli.moments import parse_moment, render_age, render_took
from reactor_operator.cli.options import Output
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.show import render_runs
from reactor_operator.cli.story import render_story
from reactor_operator.cli.tables import render_columns
from reactor_operator.cli.yaml_source import parse_documents
from tests.unit.cli.runs import ROLLED_BACK, run, step

NOW = parse_moment("2025-01-01T10:05:00Z") or 0.0


def test_the_story_of_a_rolled_back_run() -> None:
    assert render_story(ROLLED_BACK[-1], now=NOW).splitlines() == [
        "order-1  Failed  (0/2)",
        "  reactor checkout · namespace shop · started 5m ago · took 1.3s",
        "  failed: charge: card declined (after 2 attempts)",
        "",
        "STEP      PHASE         ATTEMPTS   TOOK",
        "reserve   Undone        1",
        "charge    Compensated   2                 Error: card declined",
        "",
        "ROLLBACK  Complete: charge, reserve (in this order)",
    ]


def test_the_story_ends_with_the_result_or_where_it_is() -> None:
    assert render_story(run("Succeeded", result={"paid": 42}), now=NOW).endswith('\nRESULT  {"paid": 42}')
    assert render_story(run("Succeeded", result=None), now=NOW).endswith("\nRESULT  null")
    kept = run("Succeeded", resultRef={"digest": "abc", "size": 70000})
    assert render_story(kept, now=NOW).endswith("\nRESULT  70,000 bytes, kept in the store")


def test_a_story_tells_what_was_not_reversed_and_what_was_answered() -> None:
    look = run(
        "Cancelled",
        step("charge", "RollbackFailed", rollbackFailure={"kind": "Error", "message": "bank away"}),
        rollback={
            "state": "Incomplete",
            "undone": [],
            "failures": [{"step": "charge", "kind": "Error", "message": "bank away"}],
        },
        signals=[{"action": "cancel", "phase": "Rejected", "reason": "the run has ended"}],
    )
    story = render_story(look, now=NOW)
    assert "not reversed: bank away" in story
    assert "ROLLBACK  Incomplete\n  not reversed: charge: bank away" in story
    assert "cancel: Rejected: the run has ended" in story


def test_a_run_without_a_status_is_pending() -> None:
    assert render_story(RunView({"metadata": {"name": "x"}}), now=NOW).startswith("x  Pending")


@pytest.mark.parametrize("status", [None, 7, [], {"steps": {"a": 1}, "rollback": [], "phase": 3, "failure": "x"}])
def test_an_odd_status_is_shown_as_far_as_it_makes_sense(status: object) -> None:
    assert render_story(RunView({"metadata": {"name": "x"}, "status": status}), now=NOW).startswith("x  Pending")


def test_the_table_of_runs() -> None:
    table = render_runs([ROLLED_BACK[-1], ROLLED_BACK[1]], all_namespaces=False, now=NOW)
    assert table.splitlines() == [
        "NAME      REACTOR    PHASE     PROGRESS   AGE   DURATION   MESSAGE",
        "order-1   checkout   Failed    0/2        5m    1.3s       charge: card declined",
        "order-1   checkout   Running              5m",
    ]
    assert render_runs([ROLLED_BACK[0]], all_namespaces=True, now=NOW).startswith("NAMESPACE   NAME")


@pytest.mark.parametrize(
    ("phase", "code"), [("Succeeded", 0), ("Halted", 0), ("Failed", 1), ("Cancelled", 1), ("Undone", 1), ("Paused", 3)]
)
def test_the_exit_code_tells_how_a_run_was_left(phase: str, code: int) -> None:
    assert run(phase).exit_code == code


def test_columns_align_wide_letters_and_leave_out_empty_ones() -> None:
    assert render_columns([("a", "", "x"), ("日本", "", "y")]) == ["a      x", "日本   y"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.004, "0.00s"), (0.21, "0.2s"), (9.94, "9.9s"), (59.6, "1m00s"), (42, "42s"), (65, "1m05s"), (7320, "2h02m")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert render_took(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5s"), (119, "119s"), (150, "2m30s"), (3600, "60m"), (200_000, "2d")]
)
def test_ages_are_those_of_kubectl(seconds: float, text: str) -> None:
    assert render_age(seconds) == text


def test_yaml_says_to_kubectl_what_the_object_says() -> None:
    value = {
        "a": "on",
        "b": "y",
        "c": "012",
        "d": "1:30",
        "e": "l1\nl2\n",
        "f": ["", None, True, 1.5],
        "g": "2001-01-01",
    }
    text = render_documents([value], Output.YAML)
    (document,) = parse_documents(text, "f")
    assert document.value == value
    assert yaml.safe_load(text)["a"] == "on"
    assert "e: |\n" in text


def test_several_objects_are_one_json_document_and_several_yaml_documents() -> None:
    objects = [{"a": 1}, {"b": "é"}]
    assert json.loads(render_documents(objects, Output.JSON)) == {"apiVersion": "v1", "kind": "List", "items": objects}
    assert json.loads(render_documents(objects[:1], Output.JSON)) == {"a": 1}
    assert len(parse_documents(render_documents(objects, Output.YAML), "f")) == 2


def test_what_became_of_notifications_is_told_in_one_line() -> None:
    last = {"notification": "audit", "event": "run.failed", "message": "answered 500\x1b[2J"}
    told = {"pending": 1, "delivered": 2, "dead": 3, "lastFailure": last}
    story = render_story(run("Failed", notifications=told), now=NOW)
    assert "\nNOTIFICATIONS  2 delivered, 1 pending, 3 dead (audit, run.failed: answered 500\ufffd[2J)" in story
    assert "NOTIFICATIONS" not in render_story(run("Failed"), now=NOW)
