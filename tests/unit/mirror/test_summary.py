"""What a list shows of a run, whatever the object holds."""

from typing import Any

import pytest

from reactor_operator.mirror.summary import MESSAGE_LIMIT, RunSummary, summary_of
from tests.unit.mirror.made import a_run, run_object

NOON = 1_767_268_800_000


def test_it_is_told_from_the_object() -> None:
    run = a_run(
        "order-1",
        at="2026-01-01T12:00:00Z",
        phase="Paused",
        message="waiting for a signal: approve",
        progress="1/3",
        startedAt="2026-01-01T12:00:01Z",
        reactor={"uid": "r", "generation": 4},
        interrupts=[{"step": "approve", "openedAt": "2026-01-01T12:00:02Z", "correlationId": "o-1", "approvers": True}],
    )
    assert (run.namespace, run.name, run.uid, run.reactor) == ("shop", "order-1", "uid-order-1", "x")
    assert (run.phase, run.progress, run.message) == ("Paused", "1/3", "waiting for a signal: approve")
    assert (run.created_at, run.started_at, run.finished_at) == (NOON, NOON + 1000, None)
    (waits,) = run.waiting
    assert (waits.step, waits.opened_at, waits.expires_at, waits.correlation_id) == (
        "approve",
        NOON + 2000,
        None,
        "o-1",
    )
    assert (waits.approvers, run.reactor_uid, run.reactor_generation) == (True, "r", 4)


def test_a_run_of_which_nothing_was_said_is_pending() -> None:
    assert (a_run("new").phase, a_run("new").message) == ("Pending", "")


def test_a_message_is_cut_and_on_one_line() -> None:
    run = a_run("r", message="no\nstock " + "x" * 500)
    assert run.message.startswith("no stock x")
    assert (len(run.message), run.message[-1]) == (MESSAGE_LIMIT, "…")


def test_what_an_ended_run_left_open_waits_no_more() -> None:
    assert a_run("r", phase="Failed", interrupts=[{"step": "ask"}]).waiting == ()


def test_an_interrupt_that_is_listed_twice_waits_once() -> None:
    assert len(a_run("r", phase="Paused", interrupts=[{"step": "ask"}, {"step": "ask"}]).waiting) == 1


@pytest.mark.parametrize(
    "run",
    [
        {},
        {"metadata": None, "spec": [], "status": 7},
        {"metadata": {"name": 7, "creationTimestamp": "soon"}, "status": {"phase": 1, "interrupts": [None, {}]}},
        run_object("r", at="9999-12-31T23:59:59-23:59"),
    ],
)
def test_no_object_is_so_strange_that_it_has_none(run: dict[str, Any]) -> None:
    assert isinstance(summary_of(run), RunSummary)
