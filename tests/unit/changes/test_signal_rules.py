"""What is next for a signal, as a table: by its run, by what is stored of that, by the time, and by what it asks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reactor_operator.api.signal import SignalPhase
from reactor_operator.changes.signal_object import (
    AwaitedId,
    FoundInterrupt,
    SignalObject,
    parse_signal,
    render_found,
)
from reactor_operator.changes.signal_rules import (
    WAITS,
    Answer,
    HandIn,
    Holder,
    Keep,
    Next,
    Recorded,
    Remove,
    Seen,
    Send,
    Wait,
    next_of,
    request_to,
)
from reactor_operator.engine.events import CancelRequested, ResumeRequested
from reactor_operator.engine.state import Header, SignalAnswer, StepPhase
from reactor_operator.ports import RunObject, RunRef
from reactor_operator.reconciling.signals import ACTIONS
from reactor_operator.reconciling.standing import Standing

CREATED_MS = 1_795_348_800_000
DAY_MS = 86_400_000
RUN = RunObject(
    ref=RunRef("shop", "order-1", "run-uid"), generation=1, created_at=0, spec={}, annotations={}, status={}
)
STORED = Standing()
NOW = Seen(now=CREATED_MS + 1_000, run=RUN, standing=STORED)


def made(status: Mapping[str, Any] | None = None, owner: str = "", **spec: Any) -> SignalObject:
    owners = [{"kind": "ReactorRun", "name": "order-1", "uid": owner}] if owner else []
    metadata = {
        "namespace": "shop",
        "name": "s",
        "uid": "signal-uid",
        "creationTimestamp": "2026-11-22T12:00:00Z",
        "ownerReferences": owners,
    }
    asked = {"runRef": {"name": "order-1"}, "action": "cancel", **spec}
    return parse_signal({"metadata": metadata, "spec": asked, "status": status or {}})


def is_over(phase: str = "Succeeded") -> RunObject:
    return replace(RUN, status={"phase": phase})


def rejected(found: Next) -> str:
    assert isinstance(found, Answer)
    assert found.phase is SignalPhase.REJECTED
    return found.reason


def test_a_request_is_named_after_its_object_unless_it_names_its_message_and_is_by_whoever_says_so() -> None:
    found = next_of(made(reason="why"), NOW)
    assert isinstance(found, HandIn)
    assert (found.request.id, found.request.action, found.request.event.by) == ("signal-signal-uid", "cancel", "signal")
    found = next_of(made(messageId="m", requestedBy="ann"), NOW)
    assert isinstance(found, HandIn)
    assert (found.request.id, found.request.event.by) == ("m", "ann")


class TestWaits:
    def test_for_a_run_that_is_not_there(self) -> None:
        assert next_of(made(), replace(NOW, run=None, standing=None)) == Wait(
            CREATED_MS + DAY_MS, "there is no run order-1 yet", owned=False
        )

    def test_for_a_run_that_is_not_stored_and_for_no_other_one(self) -> None:
        assert next_of(made(ttl="1h"), replace(NOW, standing=None)) == Wait(
            CREATED_MS + 3_600_000, "run order-1 has not started"
        )

    def test_while_its_run_is_being_deleted(self) -> None:
        found = next_of(made(), replace(NOW, run=replace(RUN, deleting=True)))
        assert isinstance(found, Wait)

    def test_until_its_time_is_over_and_then_it_is_expired_and_says_what_it_waited_for(self) -> None:
        late = replace(NOW, now=CREATED_MS + DAY_MS, run=None, standing=None)
        assert isinstance(next_of(made(), replace(late, now=late.now - 1)), Wait)
        assert next_of(made(), late) == Answer(
            phase=SignalPhase.EXPIRED, reason="it was not answered in time: there is no run order-1 yet"
        )

    def test_it_is_expired_also_where_nobody_looked_before_its_time_was_over(self) -> None:
        found = next_of(made(), replace(NOW, now=CREATED_MS + DAY_MS))
        assert isinstance(found, Answer)
        assert found.phase is SignalPhase.EXPIRED

    def test_what_the_run_has_still_to_read_never_expires(self) -> None:
        unread = Standing(unread=frozenset({("signal-signal-uid", "cancel")}))
        assert next_of(made(), replace(NOW, standing=unread, now=CREATED_MS + 2 * DAY_MS)) == Recorded()


class TestTooEarly:
    """The rule for what waits until its step moves on, by data alone: no step can be waited for here."""

    waits: Mapping[str, frozenset[StepPhase]] = {"skip": frozenset({StepPhase.PENDING})}
    asked = made(action="skip", step="approve")

    def seen(self, phase: StepPhase | None, run: RunObject = RUN) -> Seen:
        standing = Standing(phase_of=lambda path: phase if path == "approve" else None)
        return replace(NOW, standing=standing, waits=self.waits, run=run)

    def test_a_resume_is_too_early_while_its_step_is_pending(self) -> None:
        assert WAITS["resume"] == {StepPhase.PENDING}
        assert set(WAITS) == {"resume"}

    def test_it_waits(self) -> None:
        assert next_of(self.asked, self.seen(StepPhase.PENDING)) == Wait(
            CREATED_MS + DAY_MS, "step approve has not opened yet"
        )

    @pytest.mark.parametrize("phase", [StepPhase.WAITING, StepPhase.SUCCEEDED, StepPhase.UNDONE, None])
    def test_it_is_handed_in_once_the_step_moved_on_or_where_there_is_none(self, phase: StepPhase | None) -> None:
        assert isinstance(next_of(self.asked, self.seen(phase)), HandIn)

    def test_it_does_not_outlive_its_run_which_is_to_refuse_it(self) -> None:
        assert isinstance(next_of(self.asked, self.seen(StepPhase.PENDING, is_over())), HandIn)

    def test_another_action_does_not_wait(self) -> None:
        assert isinstance(next_of(made(action="retry", step="approve"), self.seen(StepPhase.PENDING)), HandIn)


class TestAnswers:
    def test_the_answer_of_the_run_is_that_of_the_signal(self) -> None:
        for accepted, phase in ((True, SignalPhase.ACCEPTED), (False, SignalPhase.REJECTED)):
            answer = SignalAnswer(id="m", action="cancel", accepted=accepted, reason="why")
            seen = replace(NOW, standing=Standing(header=Header(signals=(answer,))))
            assert next_of(made(messageId="m"), seen) == Answer(phase=phase, reason="why")
            assert isinstance(next_of(made(messageId="m", action="undo"), seen), HandIn)

    def test_it_is_told_also_after_its_time(self) -> None:
        answer = SignalAnswer(id="m", action="cancel", accepted=True)
        seen = replace(NOW, standing=Standing(header=Header(signals=(answer,))), now=CREATED_MS + 2 * DAY_MS)
        assert next_of(made(messageId="m"), seen) == Answer(phase=SignalPhase.ACCEPTED, reason="")

    def test_one_that_is_answered_stays_for_its_time_from_then_on(self) -> None:
        answered = made({"phase": "Accepted", "answeredAt": "2026-11-22T13:00:00Z"}, ttl="1h")
        at = CREATED_MS + 7_200_000
        assert next_of(answered, replace(NOW, now=at - 1)) == Keep(at)
        assert next_of(answered, replace(NOW, now=at)) == Remove()

    def test_one_that_is_answered_nobody_knows_when_stays_for_its_time_from_its_creation(self) -> None:
        for phase in ("Accepted", "Rejected", "Expired"):
            assert next_of(made({"phase": phase, "answeredAt": "x"}, ttl="never"), NOW) == Keep(CREATED_MS + DAY_MS)


class TestRefusals:
    def test_every_problem_of_its_spec(self) -> None:
        found = next_of(made(delete=True, step="a", dryrun=True, action="cancel"), NOW)
        assert isinstance(found, Answer)
        assert found.phase is SignalPhase.REJECTED
        assert "dryrun" in found.reason
        found = next_of(made(delete=True, step="a"), NOW)
        assert isinstance(found, Answer)
        assert [error.partition(":")[0] for error in found.errors] == ["spec.delete", "spec.step"]
        assert found.reason.startswith("2 problems: spec.delete")

    def test_many_problems_are_as_many_as_a_status_may_have(self) -> None:
        found = next_of(made(None, "", **dict.fromkeys(map(str, range(300)))), NOW)
        assert isinstance(found, Answer)
        assert len(found.errors) == 100

    def test_another_run_of_the_name(self) -> None:
        assert "spec.runUid: found other, expected run-uid" in rejected(next_of(made(runUid="other"), NOW))
        assert isinstance(next_of(made(runUid="run-uid"), NOW), HandIn)

    @pytest.mark.parametrize("run", [None, replace(RUN, ref=RunRef("shop", "order-1", "another"))])
    def test_a_run_that_is_gone_for_which_it_waited(self, run: RunObject | None) -> None:
        assert "is gone" in rejected(next_of(made(owner="run-uid"), replace(NOW, run=run)))
        assert isinstance(next_of(made(owner="run-uid"), NOW), HandIn)

    def test_an_ended_run_of_which_nothing_is_stored_or_an_older_state(self) -> None:
        for seen in (replace(NOW, run=is_over(), standing=None), replace(NOW, run=is_over(), outlived=True)):
            assert "the run is Succeeded, and its state is not stored" in rejected(next_of(made(), seen))
        assert isinstance(next_of(made(), replace(NOW, run=is_over())), HandIn)

    def test_who_approves_where_nobody_sees_to_it_that_this_is_true(self) -> None:
        asked = made(action="resume", step="a", asApprover=True, requestedBy="ann")
        seen = replace(NOW, actions=("resume",))
        assert "admissionPolicy.enabled" in rejected(next_of(asked, replace(seen, verified=False)))

    def test_an_action_that_no_run_takes(self) -> None:
        seen = replace(NOW, actions=("undo",))
        assert rejected(next_of(made(), seen)) == "spec.action: found cancel, expected one of undo"
        assert NOW.actions == ACTIONS


BY_ID: dict[str, Any] = {
    "action": "resume",
    "correlationId": "order/7",
    "reactorRef": {"name": "checkout"},
    "payload": 1,
    "messageId": "m",
}
OPEN = Holder(step="approve", round=2)
FOUND = FoundInterrupt(run="order-1", uid="run-uid", step="approve", round=2)
WAITING = replace(NOW, holder=OPEN)
NOTHING = "no interrupt of reactor checkout waits under the id 'order/7'"


def by_id(found: FoundInterrupt | None = None, owner: str = "", ttl: str = "24h", **spec: Any) -> SignalObject:
    """A signal by correlation id; a field of None is not there."""
    asked = {name: value for name, value in {**BY_ID, "ttl": ttl, **spec}.items() if value is not None}
    owners = [{"kind": "ReactorRun", "name": "order-1", "uid": owner}] if owner else []
    metadata = {
        "namespace": "shop",
        "name": "s",
        "uid": "signal-uid",
        "creationTimestamp": "2026-11-22T12:00:00Z",
        "ownerReferences": owners,
    }
    status = {} if found is None else {"found": render_found(found)}
    return parse_signal({"metadata": metadata, "spec": asked, "status": status})


def closed(ms_before_the_signal: int) -> Seen:
    return replace(NOW, holder=replace(OPEN, closed_at=CREATED_MS - ms_before_the_signal))


def knows(**header: Any) -> Standing:
    return Standing(header=Header(**header))


class TestIds:
    def test_it_is_looked_at_by_its_id_until_that_was_found_and_by_its_run_from_then_on(self) -> None:
        assert by_id().target == AwaitedId("shop", "checkout", "order/7")
        assert by_id(FOUND).target == RunRef("shop", "order-1", "")
        assert made().target == RunRef("shop", "order-1", "")

    def test_what_a_status_says_of_it_counts_as_a_whole_or_not_at_all(self) -> None:
        for part in ({"uid": ""}, {"round": "2"}, {"run": 7}, {"step": None}):
            status = {"found": {**render_found(FOUND), **part}}
            assert parse_signal({"spec": BY_ID, "metadata": {}, "status": status}).found is None
        assert parse_signal({"spec": {}, "metadata": {}, "status": {"found": render_found(FOUND)}}).found is None

    def test_where_it_is_open_the_signal_is_to_say_so_before_anything_is_asked(self) -> None:
        for message in ("m", None):
            assert next_of(by_id(messageId=message), WAITING) == Send(FOUND)

    def test_another_step_than_the_one_that_was_found_is_refused_and_the_same_is_not(self) -> None:
        assert rejected(next_of(by_id(step="sign"), WAITING)) == (
            "spec.step: found 'sign', expected 'approve', which waits under the id, or none"
        )
        assert next_of(by_id(step="approve"), WAITING) == Send(FOUND)
        assert next_of(by_id(action="retry", payload=None, step="sign"), WAITING) == Send(FOUND)

    def test_another_run_than_the_one_that_it_names_is_not_asked(self) -> None:
        assert "spec.runUid: found other, expected run-uid" in rejected(next_of(by_id(runUid="other"), WAITING))
        assert next_of(by_id(runUid="run-uid"), WAITING) == Send(FOUND)

    def test_with_a_message_it_waits_for_one_that_is_not_open_yet(self) -> None:
        wait = Wait(CREATED_MS + 3_600_000, f"{NOTHING} yet", owned=False)
        assert next_of(by_id(ttl="1h"), replace(NOW, run=None, standing=None)) == wait
        assert next_of(by_id(ttl="1h"), replace(WAITING, run=None)) == wait, "its run is gone, or going"

    def test_without_one_it_is_rejected_at_once_and_told_how_to_have_it_wait(self) -> None:
        for nowhere in (replace(NOW, run=None, standing=None), replace(WAITING, run=None)):
            assert rejected(next_of(by_id(messageId=None), nowhere)) == (
                f"{NOTHING}; a signal is kept until one does where it has spec.messageId"
            )

    def test_it_expires_as_others_do(self) -> None:
        late = CREATED_MS + DAY_MS
        assert next_of(by_id(), replace(NOW, now=late, run=None, standing=None)) == Answer(
            phase=SignalPhase.EXPIRED, reason=f"it was not answered in time: {NOTHING} yet"
        )
        assert next_of(by_id(), replace(WAITING, now=late)) == Answer(
            phase=SignalPhase.EXPIRED, reason="it was not answered in time"
        )

    @pytest.mark.parametrize(
        ("message", "closed_ms_before", "waits"),
        [
            ("m", 3_599_999, False),
            ("m", -1_000, False),
            ("m", 3_600_000, True),
            (None, 3_600_000, False),
            (None, 1, False),
        ],
    )
    def test_one_that_closed_within_its_time_is_closed_and_an_earlier_one_is_another(
        self, message: str | None, closed_ms_before: int, waits: bool
    ) -> None:
        found = next_of(by_id(messageId=message, ttl="1h"), closed(closed_ms_before))
        if waits:
            assert isinstance(found, Wait)
        else:
            assert rejected(found) == "interrupt approve is closed: nothing waits under the id 'order/7'"

    def test_a_message_that_was_answered_before_it_closed_has_the_same_answer(self) -> None:
        refused = SignalAnswer(id="m", action="resume", accepted=False, reason="why", errors=("payload: no",))
        assert next_of(by_id(), replace(closed(1), standing=knows(signals=(refused,)))) == Answer(
            phase=SignalPhase.REJECTED, reason="why", errors=("payload: no",)
        )
        consumed = replace(closed(1), standing=knows(consumed=("m",)), run=None)
        assert next_of(by_id(), consumed) == Answer(phase=SignalPhase.ACCEPTED, reason="")
        assert rejected(next_of(by_id(messageId="other"), consumed))
        assert rejected(next_of(by_id(action="skip"), consumed))

    def test_one_that_the_run_has_still_to_read_is_for_that_run(self) -> None:
        unread = replace(closed(1), standing=Standing(unread=frozenset({("m", "resume")})))
        assert next_of(by_id(), unread) == Send(FOUND)
        assert rejected(next_of(by_id(), replace(unread, run=None)))

    def test_a_message_that_another_signal_brought_is_for_where_that_was_sent(self) -> None:
        elsewhere = replace(FOUND, run="order-0", uid="another")
        for seen in (WAITING, replace(NOW, run=None, standing=None), closed(1)):
            assert next_of(by_id(), replace(seen, sent=elsewhere)) == Send(elsewhere)
            assert "found 'sign', expected 'approve'" in rejected(
                next_of(by_id(step="sign"), replace(seen, sent=elsewhere))
            )

    def test_once_found_it_is_the_request_to_that_interrupt_in_that_round(self) -> None:
        found = next_of(by_id(FOUND), NOW)
        assert isinstance(found, HandIn)
        event = found.request.event
        assert isinstance(event, ResumeRequested)
        assert (event.id, event.step, event.round, event.approved) == ("m", "approve", 2, False)
        approving = next_of(by_id(FOUND, asApprover=True, requestedBy="ann", messageId=None), NOW)
        assert isinstance(approving, HandIn)
        assert isinstance(approving.request.event, ResumeRequested)
        assert (approving.request.id, approving.request.event.approved) == ("signal-signal-uid", True)

    def test_what_concerns_the_run_is_asked_of_the_run(self) -> None:
        found = next_of(by_id(FOUND, action="cancel", payload=None), NOW)
        assert isinstance(found, HandIn)
        assert found.request.event == CancelRequested(id="m", by="signal")

    def test_who_approves_where_nobody_sees_to_it_that_this_is_true(self) -> None:
        approving = by_id(asApprover=True, requestedBy="ann")
        assert "admissionPolicy.enabled" in rejected(next_of(approving, replace(WAITING, verified=False)))

    @pytest.mark.parametrize("run", [None, replace(RUN, ref=RunRef("shop", "order-1", "another"))])
    @pytest.mark.parametrize("owner", ["", "run-uid", "another"])
    def test_once_found_it_is_for_no_other_run(self, run: RunObject | None, owner: str) -> None:
        assert rejected(next_of(by_id(FOUND, owner), replace(NOW, run=run))) == (
            "run order-1 is gone, for which this waited"
        )

    def test_once_found_it_does_not_wait_for_another_round_of_the_step(self) -> None:
        anew = Standing(phase_of=lambda path: StepPhase.PENDING)
        assert isinstance(next_of(by_id(FOUND), replace(NOW, standing=anew)), HandIn)

    def test_a_run_is_told_what_it_owns_alone_once_it_was_found(self) -> None:
        request = request_to(by_id(FOUND, "run-uid"), "run-uid", verified=True)
        assert request is not None
        assert isinstance(request.event, ResumeRequested)
        assert request.event.step == "approve"
        for other in (by_id(None, "run-uid"), by_id(FOUND), by_id(replace(FOUND, uid="another"), "run-uid")):
            assert request_to(other, "run-uid", verified=True) is None


@pytest.mark.parametrize("odd", [{}, {"metadata": None, "spec": 3, "status": []}, {"spec": {"runRef": []}}])
def test_an_odd_object_is_rejected(odd: dict[str, Any]) -> None:
    assert rejected(next_of(parse_signal(odd), replace(NOW, run=None)))


def test_a_run_that_recovers_is_told_what_it_owns_alone_and_nothing_that_is_not_for_it_to_answer() -> None:
    """Whoever creates a signal may write an owner into it."""
    for mine in (made(owner="run-uid"), made(owner="run-uid", runUid="run-uid")):
        request = request_to(mine, "run-uid", verified=True)
        assert request is not None
        assert request.action == "cancel"
    for other in (
        made(),
        made(owner="another"),
        made(owner="run-uid", runUid="another"),
        made(owner="run-uid", delete=True),
        made(owner="run-uid", action="suspend"),
        made({"phase": "Accepted"}, owner="run-uid"),
    ):
        assert request_to(other, "run-uid", verified=True) is None
    approving = made(owner="run-uid", action="resume", step="a", asApprover=True, requestedBy="ann")
    assert request_to(approving, "run-uid", verified=False) is None
