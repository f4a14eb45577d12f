"""A run is told in one line for each transition: failures with their message, undos newest first, and how it ended."""

import io
import re

import pytest
from rich.console import Console

from reactor_operator.cli.progress import Lines, render_end
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.stopwatch import Stopwatch
from reactor_operator.cli.transitions import transitions
from reactor_operator.cli.tree import Tree
from tests.unit.cli.runs import ROLLED_BACK, run, step


def told(*looks: RunView) -> list[str]:
    out = io.StringIO()
    lines = Lines(out)
    lines.begin("order-1", "checkout", ["reserve", "charge"])
    for look in looks:
        lines.show(look)
    lines.end(looks[-1])
    return out.getvalue().splitlines()


def test_a_rolled_back_run_is_told_line_by_line() -> None:
    found = [re.sub(r"\b\d\.\d\ds", "", line).rstrip() for line in told(*ROLLED_BACK)]  # measured by a real clock
    assert found == [
        "order-1  (checkout)",
        "  reserve  Succeeded",
        "  charge   Retrying        attempt 1 failed: Timeout: no answer within 30s",
        "  charge   Failed            card declined (after 2 attempts)",
        "  charge   Compensated",
        "  reserve  Undone",
        "order-1  Failed in 1.3s · charge: card declined · rolled back: charge, reserve",
    ]


def test_the_same_look_twice_tells_nothing_new() -> None:
    twice = [line.split("  ")[1:3] for line in told(*(look for look in ROLLED_BACK for _ in range(2)))]
    assert twice == [line.split("  ")[1:3] for line in told(*ROLLED_BACK)]


def test_looks_that_were_missed_lose_no_outcome() -> None:
    phases = [line.split()[1] for line in told(ROLLED_BACK[0], ROLLED_BACK[-1])[1:-1]]
    assert phases == ["Failed", "Compensated", "Undone"]


def test_steps_that_succeed_together_are_told_in_order_of_completion() -> None:
    look = run("Running", step("a", "Succeeded", completion=2), step("b", "Succeeded", completion=1))
    assert [one.step for one in transitions(None, look, Stopwatch())] == ["b", "a"]


@pytest.mark.parametrize(
    ("phase", "fields", "detail"),
    [
        ("Ignored", {"failure": {"kind": "Error", "message": "no mail"}}, "no mail"),
        ("RollbackFailed", {"rollbackFailure": {"kind": "Error", "message": "bank away"}}, "bank away"),
        ("Running", {"reason": "ImagePullBackOff: shop:2"}, "ImagePullBackOff: shop:2"),
    ],
)
def test_what_went_wrong_is_told_with_its_message(phase: str, fields: dict[str, object], detail: str) -> None:
    before = run("Running", step("a", "Running"))
    (first, *_) = transitions(before, run("Running", step("a", phase, **fields)), Stopwatch())
    assert first.detail == detail


def test_a_step_without_compensate_is_told_as_failed_once() -> None:
    looks = [
        run("Running", step("a", "Running")),
        run("RollingBack", step("a", "Failed", failure={"kind": "ExitCode", "message": "exit code 3"})),
        run("Failed", step("a", "Failed", failure={"kind": "ExitCode", "message": "exit code 3"})),
    ]
    ((_, phase, _, *why),) = [line.split() for line in told(*looks) if " a " in line]
    assert (phase, why) == ("Failed", ["ExitCode:", "exit", "code", "3"])


def test_durations_are_measured_where_a_status_has_whole_seconds_only() -> None:
    now = 100.0
    watch = Stopwatch(lambda: now)
    watch.look(run("Running", step("a", "Running", startedAt="2025-01-01T10:00:00Z")).steps.values())
    now = 100.3
    done = run("Running", step("a", "Succeeded", startedAt="2025-01-01T10:00:00Z", finishedAt="2025-01-01T10:00:00Z"))
    watch.look(done.steps.values())
    assert watch.seconds(done.steps["a"]) == pytest.approx(0.3)


def test_a_step_that_was_not_seen_to_begin_has_the_seconds_of_its_status() -> None:
    done = run("Running", step("a", "Succeeded", startedAt="2025-01-01T10:00:00Z", finishedAt="2025-01-01T10:01:05Z"))
    (one,) = transitions(None, done, Stopwatch())
    assert one.took == 65


def test_what_could_not_be_reversed_is_named_at_the_end() -> None:
    failures = [{"step": "charge", "kind": "Uncertain", "message": "no undo, no compensate"}]
    look = run("Failed", rollback={"state": "Incomplete", "undone": ["ship"], "failures": failures})
    assert render_end(look) == (
        "order-1  Failed · rolled back: ship · NOT rolled back: charge: Uncertain: no undo, no compensate"
    )


@pytest.mark.parametrize(
    ("rollback", "message", "told"),
    [
        ({"undone": ["a", "b"]}, "a mistake (rolled back: a, b)", "a mistake · rolled back: a, b"),
        ({"undone": ["a"]}, "wrong (again) (rolled back: a)", "wrong (again) · rolled back: a"),
        (
            {"undone": ["b"], "failures": [{"step": "a", "kind": "Error", "message": "no"}]},
            "(rollback incomplete: a)",
            "rolled back: b · NOT rolled back: a: Error: no",
        ),
    ],
)
def test_what_was_reversed_is_told_once(rollback: dict[str, object], message: str, told: str) -> None:
    assert render_end(run("Undone", rollback=rollback, message=message)) == f"order-1  Undone · {told}"


def drawn(*looks: RunView, height: int = 40) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=height, record=True)
    tree = Tree(console)
    for look in looks:
        tree.show(look)
    console.print(tree)
    return console.export_text()


def test_the_tree_shows_steps_and_beneath_them_the_rollback_newest_first() -> None:
    lines = [line.rstrip() for line in drawn(*ROLLED_BACK).splitlines()]
    assert lines[0] == "order-1  (checkout)  Failed"
    assert "✔ reserve  Succeeded" in lines[1]
    assert "✘ charge   Failed" in lines[2]
    assert "2 attempts" in lines[2]
    assert "card declined" in lines[2]
    assert lines[3].endswith("rollback, newest first")
    assert "↶ charge   Compensated" in lines[4]
    assert "↶ reserve  Undone" in lines[5]
    assert lines[6] == "Failed in 1.3s", "the rest stands above"


def test_a_run_with_more_steps_than_lines_shows_those_that_matter_and_counts_the_rest() -> None:
    many = [step(f"s{number}", "Succeeded", completion=number + 1) for number in range(300)]
    text = drawn(run("Running", *many, step("busy", "Running"), step("bad", "Failed", failure={"message": "no"})))
    assert "busy" in text
    assert "bad" in text
    assert "300 Succeeded" in text
    assert len(text.splitlines()) < 10
