"""The inbox: what waits for a signal, the longest wait first, with the schema where it is known for certain."""

from typing import Any

from reactor_operator.cli.inbox import Schemas, render_waiting, waiting_of
from reactor_operator.cli.moments import parse_moment
from reactor_operator.cli.run_view import RunView
from tests.unit.cli.runs import run

NOW = parse_moment("2025-01-01T10:05:00Z") or 0.0
SCHEMA = {"type": "boolean"}
OPEN = {
    "step": "rows[7]/approve",
    "correlationId": "order-7",
    "openedAt": "2025-01-01T10:00:00Z",
    "expiresAt": "2025-01-01T12:05:00Z",
    "attemptsLeft": 2,
    "lastRejection": "payload: \x1b[2J is no\nboolean",
}
PINNED = {"name": "checkout", "uid": "r", "generation": 3}


def paused(*interrupts: Any, phase: str = "Paused") -> RunView:
    return run(phase, interrupts=list(interrupts), reactor=PINNED)


def reactor(generation: int = 3, uid: str = "r") -> dict[str, Any]:
    steps = [{"name": "approve", "interrupt": {"payloadSchema": SCHEMA}}, {"name": "plain", "interrupt": {}}]
    rows = {"name": "rows", "map": {"source": {"value": [1]}, "steps": steps}}
    return {"metadata": {"name": "checkout", "uid": uid, "generation": generation}, "spec": {"steps": [rows]}}


def test_the_table_says_since_when_and_how_long_it_waits() -> None:
    lines = render_waiting(list(waiting_of(paused(OPEN))), all_namespaces=False, now=NOW).splitlines()
    assert lines[0].split() == ["RUN", "STEP", "ID", "SINCE", "LEFT", "ATTEMPTS", "REFUSED"]
    assert lines[1].split()[:6] == ["order-1", "rows[7]/approve", "order-7", "5m", "120m", "2"]
    assert "\x1b" not in lines[1]
    assert len(lines) == 2


def test_a_lazy_one_whose_time_is_over_says_so() -> None:
    late = {**OPEN, "expiresAt": "2025-01-01T10:01:00Z"}
    assert "over" in render_waiting(list(waiting_of(paused(late))), all_namespaces=True, now=NOW)


def test_what_has_ended_or_is_of_another_reactor_does_not_wait() -> None:
    assert list(waiting_of(paused(OPEN, phase="Failed"))) == []
    assert list(waiting_of(paused(OPEN), "other")) == []
    assert [one["step"] for one in waiting_of(paused(OPEN, phase="Running"), "checkout")] == ["rows[7]/approve"]


def test_the_schema_is_that_of_the_reactor_that_the_run_keeps_to() -> None:
    (one,) = waiting_of(paused(OPEN))
    assert Schemas([reactor()]).of(one) == {"payloadSchema": SCHEMA}
    assert Schemas([reactor(generation=4)]).of(one) == {}
    assert Schemas([reactor(uid="another")]).of(one) == {}
    assert Schemas([]).of(one) == {}


def test_one_without_a_schema_or_of_an_unknown_step_has_none() -> None:
    (plain,) = waiting_of(paused({**OPEN, "step": "rows[0]/plain"}))
    (unknown,) = waiting_of(paused({**OPEN, "step": "nobody"}))
    assert Schemas([reactor()]).of(plain) == Schemas([reactor()]).of(unknown) == {}
