"""Facts: what is told to the world outside, once and in order, and that telling changes nothing of a run."""

from dataclasses import replace

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce, Notify
from reactor_operator.engine.decide import recovering, stillborn
from reactor_operator.engine.facts import LOST_FACTS, PENDING_LIMIT, Fact, FactKind
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.notices import ANNOUNCED
from reactor_operator.engine.plan import Endpoint, NotificationPlan, Plan
from reactor_operator.engine.state import DeadNotice, Notices, RunPhase, RunState
from tests.unit.engine.driver import DONE_ONCE, Run, Written, attempts, chain, failure, step

AUDIT = NotificationPlan(name="audit", kinds=frozenset(FactKind), endpoint=Endpoint(url="http://audit"))


class Told(Run):
    """A run that keeps what was ordered to be sent, and the facts."""

    def __init__(self, *steps: Written, notifications: tuple[NotificationPlan, ...] = (AUDIT,), **more: object) -> None:
        self.sent: list[Notify] = []
        self.facts: list[Fact] = []
        super().__init__(*steps, notifications=notifications, **more)  # type: ignore[arg-type]

    def _check(self, before: RunState, events: tuple[ev.Event, ...]) -> None:
        self.sent += [one for one in self.last.actions if isinstance(one, Notify)]
        self.facts += self.last.facts
        if not any(isinstance(event, ev.NotificationEnded) for event in events):  # the shell tells these once
            super()._check(before, events)

    @property
    def kinds(self) -> list[str]:
        return [one.fact.kind.value for one in self.sent]


def ended(notice: Notify, *, delivered: bool = True, message: str = "") -> ev.NotificationEnded:
    return ev.NotificationEnded(
        notification=notice.notification,
        sequence=notice.fact.sequence,
        kind=notice.fact.kind,
        delivered=delivered,
        message=message,
    )


def test_a_run_that_succeeds_tells_its_start_and_its_end() -> None:
    run = Told(*chain("a", "b")).start().succeeds("a").succeeds("b")
    assert run.kinds == ["run.started", "run.succeeded"]
    assert run.facts == [
        Fact(sequence=1, kind=FactKind.RUN_STARTED, at=run.now, phase=RunPhase.RUNNING),
        Fact(sequence=2, kind=FactKind.RUN_SUCCEEDED, at=run.now, phase=RunPhase.SUCCEEDED),
    ]


def test_a_run_that_fails_tells_the_step_what_could_not_be_undone_and_the_end() -> None:
    run = Told(*chain("a", "b", undo=DONE_ONCE)).start().succeeds("a").fails("b", message="no stock").fails("a")
    assert run.kinds == ["run.started", "step.failed", "rollback.failed", "run.failed"]
    _, failed, rollback, end = run.facts
    assert (failed.step, failed.failure, failed.message) == ("b", FailureKind.ERROR, "no stock")
    assert (rollback.step, rollback.phase) == ("a", RunPhase.ROLLING_BACK)
    assert (end.step, end.failure, end.message, end.phase) == ("b", FailureKind.ERROR, "no stock", RunPhase.FAILED)


def test_a_step_that_is_attempted_again_is_not_told_before_no_attempt_is_left() -> None:
    run = Told(step("a", run=attempts(2))).start().fails("a")
    assert run.kinds == ["run.started"]
    assert run.later(1_000).fails("a").kinds == ["run.started", "step.failed", "run.failed"]


def test_every_way_to_end_has_a_kind_of_its_own() -> None:
    assert Told(*chain("a", "b")).start().halts("a").kinds[-1] == "run.halted"
    assert Told(*chain("a", "b")).start().is_cancelled().succeeds("a").kinds[-1] == "run.cancelled"
    undone = Told(*chain("a", undo=DONE_ONCE)).start().succeeds("a").is_to_be_undone().succeeds("a")
    assert undone.kinds == ["run.started", "run.succeeded", "run.undone"]


def test_holding_still_and_going_on_is_told() -> None:
    run = Told(*chain("a", "b")).start().is_suspended().is_suspended(False)
    assert run.kinds == ["run.started", "run.suspended", "run.resumed"]
    assert [one.message for one in run.facts] == ["", "", ""]
    run.is_held(reason="look first").is_held(False, "on", reason="all is well")
    assert [(one.kind, one.message) for one in run.facts[3:]] == [
        (FactKind.RUN_SUSPENDED, "look first"),
        (FactKind.RUN_RESUMED, "all is well"),
    ]


def test_a_retried_run_goes_on_counting_and_does_not_start_again() -> None:
    run = Told(step("a")).start().fails("a").is_retried().succeeds("a")
    assert run.kinds == ["run.started", "step.failed", "run.failed", "run.succeeded"]
    assert [fact.sequence for fact in run.facts] == [1, 2, 3, 4]


def test_after_a_loss_no_fact_has_the_number_of_another_one_that_was_told_in_what_was_lost() -> None:
    """A receiver drops what has an id that it has seen: it would believe that the run succeeded."""
    run = Told(step("a")).start()
    kept, run_open = run.state, dict(run.open)
    run.succeeds("a")
    stopped = recovering(kept.header, run.now)
    run.state, run.open = replace(kept, header=recovering(stopped, run.now), ready=()), run_open
    run.feed(ev.CancelRequested(id="1"))
    assert [(one.kind, one.sequence) for one in run.facts] == [
        (FactKind.RUN_STARTED, 1),
        (FactKind.RUN_SUCCEEDED, 2),
        (FactKind.RUN_CANCELLED, 2 + LOST_FACTS),
    ]


def test_a_run_that_can_never_start_is_told_as_failed() -> None:
    plan = Plan(steps={}, notifications=(AUDIT,))
    decision = stillborn("uid", failure(FailureKind.INVALID_INPUTS, "total: expected a number"), 5, plan)
    (notice,) = (action for action in decision.actions if isinstance(action, Notify))
    assert (notice.fact.kind, notice.fact.failure, notice.fact.sequence) == (
        FactKind.RUN_FAILED,
        FailureKind.INVALID_INPUTS,
        1,
    )


def test_each_notification_is_told_what_it_wants_under_the_same_number() -> None:
    failures = NotificationPlan(
        name="pager", kinds=frozenset({FactKind.RUN_FAILED}), endpoint=Endpoint(url="http://pager")
    )
    run = Told(step("a"), notifications=(AUDIT, failures)).start().fails("a")
    assert [(one.notification, one.fact.sequence) for one in run.sent] == [
        ("audit", 1),
        ("audit", 2),
        ("audit", 3),
        ("pager", 3),
    ]
    assert run.header.notices == Notices(ordered=4)


def test_without_anybody_to_tell_nothing_is_kept_and_nothing_is_ordered() -> None:
    run = Told(step("a"), notifications=()).start().fails("a")
    assert (run.facts, run.sent, run.header.told, run.header.notices) == ([], [], 0, Notices())


def test_an_observed_run_has_facts_and_sends_none() -> None:
    run = Told(step("a"), notifications=(), observed=True).start().succeeds("a")
    assert [fact.kind for fact in run.facts] == [FactKind.RUN_STARTED, FactKind.RUN_SUCCEEDED]
    assert run.sent == []


def test_what_became_of_a_notice_is_counted_also_after_the_end_and_changes_nothing_else() -> None:
    run = Told(step("a")).start().succeeds("a")
    before = run.state
    run.feed(ended(run.sent[0])).feed(ended(run.sent[1], delivered=False, message="the endpoint answered 500"))
    assert (run.header.notices.delivered, run.header.notices.dead, run.header.notices.pending) == (1, 1, 0)
    last = run.header.notices.last_failure
    assert last is not None
    assert (last.notification, last.kind, last.message) == ("audit", "run.succeeded", "the endpoint answered 500")
    assert (run.phase, run.state.steps, run.header.finished_at) == (
        before.header.phase,
        before.steps,
        before.header.finished_at,
    )
    assert run.reasons[-1] == "NotificationDead"


def test_of_many_dead_notices_people_are_told_of_the_first_ones() -> None:
    run = Told(step("a")).start()
    for number in range(15):
        notice = replace(run.sent[0], fact=replace(run.sent[0].fact, sequence=number + 1))
        run.feed(ended(notice, delivered=False, message="away"))
    assert run.reasons.count("NotificationDead") == ANNOUNCED
    assert run.header.notices.dead == 15


def test_telling_changes_no_order_of_the_run() -> None:
    def orders(run: Run) -> list[object]:
        return [run.launches, run.retired, run.reasons, run.reversals]

    def story(run: Run) -> Run:
        return run.start().succeeds("a").fails("b").succeeds("a")

    steps = chain("a", "b", undo=DONE_ONCE)
    assert orders(story(Told(*steps))) == orders(story(Run(*steps)))


def test_one_more_than_may_wait_is_dead_at_once() -> None:
    run = Told(step("a")).start()
    run.state = replace(run.state, header=replace(run.header, notices=Notices(ordered=PENDING_LIMIT - 1)))
    run.fails("a")
    notices = run.header.notices
    assert run.kinds == ["run.started", "step.failed"]
    assert (notices.ordered, notices.pending, notices.dead) == (PENDING_LIMIT + 1, PENDING_LIMIT, 1)
    assert notices.last_failure == DeadNotice(
        notification="audit",
        kind=FactKind.RUN_FAILED,
        sequence=3,
        message="not sent: 1000 events of this run wait already",
        at=run.now,
    )


@pytest.mark.parametrize("words", ["x" * 5_000, "bell \a and \x1b[2J"])
def test_words_are_short_and_move_no_cursor(words: str) -> None:
    run = Told(step("a")).start().fails("a", message=words)
    message = run.facts[-1].message
    assert len(message) <= 1_024
    assert message.isprintable()


def test_a_run_is_announced_to_people_as_before() -> None:
    run = Told(step("a")).start().fails("a")
    assert [one.ordinal for one in run.told if isinstance(one, Announce)] == list(range(1, len(run.told) + 1))


def test_one_that_is_dead_is_told_with_all_that_is_known_of_it() -> None:
    run = Told(step("a")).start()
    run.feed(ended(run.sent[0], delivered=False, message="the endpoint answered 500"))
    assert run.header.notices.last_failure == DeadNotice(
        notification="audit", kind=FactKind.RUN_STARTED, sequence=1, message="the endpoint answered 500", at=run.now
    )
    [told] = [one for one in run.last.actions if isinstance(one, Announce)]
    words = "Notification audit was not told of run.started (event 1): the endpoint answered 500"
    assert (told.reason, told.message, told.warning) == ("NotificationDead", words, True)


def test_a_fact_says_when_where_and_why_and_is_sent_where_its_notification_says() -> None:
    run = Told(*chain("a", "b", undo=DONE_ONCE)).start().succeeds("a").later(5).fails("b", message="no stock")
    assert run.facts[1] == Fact(
        sequence=2,
        kind=FactKind.STEP_FAILED,
        at=run.now,
        phase=RunPhase.RUNNING,
        step="b",
        failure=FailureKind.ERROR,
        message="no stock",
    )
    assert {notice.endpoint for notice in run.sent} == {AUDIT.endpoint}
    run.fails("a", FailureKind.TIMEOUT, "too slow")
    assert (run.facts[2].failure, run.facts[2].message) == (FailureKind.TIMEOUT, "too slow")


def test_a_cancel_of_a_rollback_tells_why_it_was_cancelled_not_why_the_run_failed() -> None:
    run = Told(*chain("a", "b", undo=DONE_ONCE)).start().succeeds("a").fails("b").is_cancelled(reason="enough")
    run.succeeds("a")
    assert (run.facts[-1].kind, run.facts[-1].failure) == (FactKind.RUN_CANCELLED, None)
    assert (run.facts[-1].step, run.facts[-1].message) == ("", "enough")


def test_an_end_that_went_well_has_nothing_to_say() -> None:
    end = Told(step("a")).start().succeeds("a").facts[-1]
    assert (end.step, end.failure, end.message) == ("", None, "")


def test_the_numbers_jump_once_however_often_the_loss_is_found() -> None:
    once = recovering(replace(Told(step("a")).start().header, told=3), 1)
    assert (once.told, recovering(once, 2).told) == (3 + LOST_FACTS, 3 + LOST_FACTS)
