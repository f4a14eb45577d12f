"""A run that never started: how it ends when it is cancelled first, and what is answered to whatever is asked of it."""

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce, Notify
from reactor_operator.engine.decide import withdrawn
from reactor_operator.engine.facts import FactKind
from reactor_operator.engine.plan import Endpoint, NotificationPlan
from reactor_operator.engine.signals import answer_unstarted
from reactor_operator.engine.state import Header, RunPhase, SignalAnswer, Stage
from tests.unit.engine.driver import START, plan_of, step

ANSWER = SignalAnswer(id="1", action="cancel", accepted=True, reason="too late", by="ann", at=START)
AUDIT = NotificationPlan(name="audit", kinds=frozenset(FactKind), endpoint=Endpoint(url="http://audit"))


def test_it_is_over_and_says_why() -> None:
    decision = withdrawn("uid", "too late", (ANSWER,), START)
    assert decision.state.header == Header(
        uid="uid",
        stage=Stage.OVER,
        phase=RunPhase.CANCELLED,
        now=START,
        started_at=START,
        finished_at=START,
        cancel_reason="too late",
        announcements=1,
        signals=(ANSWER,),
    )
    assert dict(decision.state.remaining) == {"": 0}
    assert decision.actions == (Announce(ordinal=1, reason="Cancelled", message="too late", warning=True),)
    assert not decision.state.steps


def test_without_a_reason_it_says_that_it_never_started() -> None:
    assert withdrawn("uid", "", (), START).state.header.cancel_reason == "cancelled before it started"


def test_whoever_is_told_of_the_ends_of_runs_is_told_of_it() -> None:
    decision = withdrawn("uid", "too late", (), START, plan_of(step("a"), notifications=(AUDIT,)))
    [notice] = [action for action in decision.actions if isinstance(action, Notify)]
    assert (notice.fact.kind, notice.fact.phase, notice.fact.message) == (
        FactKind.RUN_CANCELLED,
        RunPhase.CANCELLED,
        "too late",
    )
    assert decision.facts == (notice.fact,)


@pytest.mark.parametrize(
    ("event", "accepted", "reason"),
    [
        (ev.CancelRequested(id="1", reason="too late", by="ann"), True, "too late"),
        (ev.UndoRequested(id="1", reason="too late", by="ann"), False, "the run has not started"),
        (ev.RetryRequested(id="1", reason="too late", by="ann"), False, "the run has not started"),
        (ev.SkipRequested(id="1", step="a", reason="too late", by="ann"), False, "the run has not started"),
        (ev.SuspendRequested(id="1", reason="too late", by="ann"), True, "too late"),
        (ev.SuspendRequested(id="1", by="ann", suspended=False), True, "the run is not suspended"),
        (ev.RequestUnreadable(id="1", action="skip", reason="no JSON", by="ann"), False, "no JSON"),
        (ev.RequestUnreadable(id="1", action="skip", reason="", by="ann"), False, "it has no meaning"),
    ],
    ids=["cancel", "undo", "retry", "skip", "suspend", "go on", "unreadable", "meaningless"],
)
def test_only_a_cancel_and_a_suspend_make_sense(event: ev.Signal, accepted: bool, reason: str) -> None:
    action = event.action if isinstance(event, ev.RequestUnreadable) else type(event).__name__.removesuffix("Requested")
    expected = SignalAnswer(id="1", action=action.lower(), accepted=accepted, reason=reason, by="ann", at=START)
    assert answer_unstarted(event, START) == expected
