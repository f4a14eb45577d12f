"""What is next for a signal, as a table: by its run, by what is stored of that, by the time, and by what it asks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reactor_operator.api.signal import SignalPhase
from reactor_operator.changes.signal_object import SignalObject, parse_signal
from reactor_operator.changes.signal_rules import (
    WAITS,
    Answer,
    HandIn,
    Keep,
    Next,
    Recorded,
    Remove,
    Seen,
    Wait,
    next_of,
    request_to,
)
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

    def test_an_id_that_no_interrupt_waits_by(self) -> None:
        asked = made(action="resume", runRef=None, correlationId="order-1", reactorRef={"name": "order"})
        assert asked.target == RunRef("shop", "", "")
        found = parse_signal(
            {"spec": {"action": "resume", "correlationId": "order-1", "reactorRef": {"name": "order"}}, "metadata": {}}
        )
        assert "correlationId" in rejected(next_of(found, replace(NOW, run=None)))


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
