"""However many elements a map has, it is told in counts: a bar on a terminal, elsewhere a line now and then."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from reactor_operator.cli.elements import PAUSE_SECONDS, TOLD_AT_ONCE, Pace, Ticker, render_counts, render_rate
from reactor_operator.cli.progress import Lines
from reactor_operator.cli.run_view import RunView, StepView
from reactor_operator.cli.story import render_story
from reactor_operator.cli.tree import Tree
from tests.unit.cli.runs import run, step


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def counts(succeeded: int = 0, total: int | None = 10_000, **more: int) -> dict[str, int]:
    known = {} if total is None else {"total": total}
    return {**known, "running": 0, "succeeded": succeeded, "failed": 0, "skipped": 0, **more}


def mapping(phase: str = "Running", *, name: str = "rows", **fields: object) -> RunView:
    return run("Running", step(name, phase, **{"map": counts(), **fields}))


def view(look: RunView) -> StepView:
    (found,) = look.maps
    return found


@pytest.mark.parametrize(
    ("phase", "elements", "told"),
    [
        ("Running", counts(1_188, failed=12), "1,200/10,000 (12 failed)"),
        ("Running", counts(1_200), "1,200/10,000"),
        ("Running", counts(700, total=None), "700"),
        ("Succeeded", counts(9_988, failed=12), "10,000 elements, 12 failed"),
        ("Succeeded", counts(9_000, skipped=1_000), "10,000 elements, 1,000 skipped"),
        ("Succeeded", counts(1, total=1), "1 element"),
        ("Succeeded", counts(0, total=0), "0 elements"),
        ("Failed", counts(7, failed=1), "8/10,000 elements, 1 failed"),
        ("Cancelled", counts(7, total=None), "7 elements"),
        ("Undoing", counts(10_000, undone=250), "250 undone"),
        ("Undone", counts(10_000, undone=10_000), "10,000 elements undone"),
        ("Compensated", counts(3, failed=1, undone=3), "3 elements undone"),
    ],
)
def test_a_map_is_told_in_counts(phase: str, elements: dict[str, int], told: str) -> None:
    assert render_counts(phase, view(mapping(phase, map=elements)).map) == told


def told(looks: list[tuple[float, RunView]], clock: Clock) -> list[str]:
    out = io.StringIO()
    lines = Lines(out, clock)
    lines.begin("order-1", "checkout", ["rows"])
    for later, look in looks:
        clock.now += later
        lines.show(look)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()[1:]]


def test_a_hundred_thousand_elements_are_a_line_every_few_seconds_and_one_at_the_end() -> None:
    moving = [(0.0025, mapping(map=counts(done, 100_000, failed=done // 1_000))) for done in range(0, 100_000, 50)]
    ended = mapping("Succeeded", map=counts(99_900, 100_000, failed=100))
    clock = Clock()
    lines = told([*moving, (0.0, ended)], clock)
    assert lines == ["rows Succeeded 5.0s 100,000 elements, 100 failed"]
    slow = [(5 * later, look) for later, look in moving]
    lines = told([*slow, (0.0, ended)], clock)
    assert len(lines) == 25 // PAUSE_SECONDS
    assert lines[0].startswith("rows Running 20,0")
    assert lines[-1].endswith("100,000 elements, 100 failed")


def test_a_map_that_fails_says_in_which_element_and_how_far_it_came() -> None:
    why = {"kind": "Error", "message": "element 7: ValueError: no"}
    looks = [mapping(map=counts(6, 10)), mapping("Failed", map=counts(6, 10, failed=1), failure=why)]
    (line,) = told([(1.0, look) for look in looks], Clock())
    assert line == "rows Failed 1.0s element 7: ValueError: no (7/10 elements, 1 failed)"


def test_a_map_that_does_not_move_says_nothing_more() -> None:
    ticker, clock = Ticker(clock := Clock()), clock
    look = view(mapping(map=counts(5)))
    assert ticker.due([look]) == []
    clock.now += PAUSE_SECONDS
    assert ticker.due([look]) == [look]
    clock.now += PAUSE_SECONDS
    assert ticker.due([look]) == []
    assert ticker.due([further := view(mapping(map=counts(6)))]) == [further]


def test_of_many_maps_some_are_told_of_at_a_time_and_the_others_next() -> None:
    ticker = Ticker(clock := Clock())
    maps = [replace(view(mapping(map=counts(5))), name=f"map-{number}") for number in range(TOLD_AT_ONCE + 2)]
    assert ticker.due(maps) == []
    clock.now += PAUSE_SECONDS
    assert ticker.due(maps) == maps[:TOLD_AT_ONCE]
    clock.now += PAUSE_SECONDS
    assert ticker.due(maps) == maps[TOLD_AT_ONCE:]


def test_the_pace_is_that_of_the_last_seconds() -> None:
    pace = Pace(clock := Clock())
    for done in (0, 100, 200, 300):
        pace.look(view(mapping(map=counts(done))))
        clock.now += 1.0
    assert pace.rate("rows") == pytest.approx(75)
    for done in range(310, 510, 10):
        pace.look(view(mapping(map=counts(done))))
        clock.now += 1.0
    assert pace.rate("rows") == pytest.approx(10, rel=0.2)
    clock.now += 60
    assert (pace.rate("rows") or 0) < 1, "it stands still"
    pace.look(view(mapping("Undoing", map=counts(500, undone=1))))
    assert pace.rate("rows") is None, "it has turned back a moment ago"
    assert pace.rate("another") is None
    assert [render_rate(rate) for rate in (0.25, 12.4, 1_234.5)] == ["0.2/s", "12/s", "1,234/s"]


def drawn(*looks: RunView) -> list[str]:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=40, record=True)
    tree = Tree(console)
    for look in looks:
        tree.show(look)
    console.print(tree)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_a_terminal_shows_a_bar_with_counts_and_failures_and_at_the_end_the_counts() -> None:
    line = drawn(mapping(map=counts(4_988, failed=12)))[1]
    assert line.endswith("s  ━━━━━━━━────────  5,000/10,000  12 failed")
    assert "rows  Running     0.0" in line
    assert "━" not in drawn(mapping(map=counts(50, total=None)))[1], "nobody knows how much is left"
    assert drawn(mapping("Succeeded", map=counts(10_000)))[1].endswith("rows  Succeeded   10,000 elements")


def test_beneath_the_tree_stands_how_many_elements_were_taken_back() -> None:
    look = run("RollingBack", step("rows", "Undoing", map=counts(10_000, undone=250)))
    lines = drawn(look)
    assert lines[1].endswith("rows  Succeeded   10,000 elements")
    assert lines[3].endswith("rows  Undoing  250 undone")


def test_the_story_of_a_run_tells_the_counts_beside_the_step() -> None:
    why = {"kind": "Error", "message": "element 7: no"}
    look = run("Failed", step("rows", "Failed", attempts=1, map=counts(7, failed=1), failure=why))
    row = render_story(look, now=0.0).splitlines()[-1]
    assert row.split("   ")[-1].strip() == "8/10,000 elements, 1 failed · Error: element 7: no"
