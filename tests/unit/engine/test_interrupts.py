"""Interrupts: a payload from outside is the result of a step; what ends the wait otherwise, and what is answered."""

from typing import Any

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Notify
from reactor_operator.engine.decide import decide_together
from reactor_operator.engine.elements import has_ended
from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.facts import FactKind
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.interrupting import CONSUMED_KEPT
from reactor_operator.engine.plan import Endpoint, NotificationPlan
from reactor_operator.engine.signals import ANSWERS_KEPT
from reactor_operator.engine.state import ElementPhase, RunPhase, StepPhase
from tests.unit.engine.driver import (
    DONE_ONCE,
    MINUTE,
    TERMINATE,
    Evaluation,
    Run,
    attempts,
    compose,
    elements,
    interrupt,
    mapped,
    step,
    value,
)


def opens(otherwise: str | None = None, correlation: str = "") -> Evaluation:
    """Evaluate an interrupt to: open under this id, with this value for when nobody sends one."""

    def tell(path: str, round_: int) -> ev.Event:
        value_ = None if otherwise is None else value(otherwise)
        return ev.StepEvaluated(
            path=path, round=round_, proceed=True, correlation=correlation, otherwise=value_, fallback=value("fallback")
        )

    return tell


def waiting(**how: Any) -> Run:
    """A run whose interrupt a is open, with a step after it."""
    return Run(interrupt("a", **how), step("b", ["a"])).start(a=opens("otherwise", "order-7"))


class TestResume:
    def test_the_payload_is_the_result_and_the_run_goes_on(self) -> None:
        run = waiting().is_resumed("a")
        assert (run.at("a"), run.step("a").result) == (StepPhase.SUCCEEDED, value("yes"))
        assert list(run.open) == ["b"]
        assert run.answer == (True, "")
        assert run.header.signals[-1].step == "a"

    def test_no_payload_is_null(self) -> None:
        assert waiting().is_resumed("a", None).step("a").result is None

    def test_a_repeated_request_changes_nothing(self) -> None:
        run = waiting().is_resumed("a")
        before = run.state
        assert run.is_resumed("a").state is before

    def test_a_second_one_is_told_that_it_is_closed(self) -> None:
        run = waiting().is_resumed("a").is_resumed("a", request="again")
        assert run.answer == (False, "interrupt a is closed: it is Succeeded")
        assert run.step("a").result == value("yes")

    def test_of_two_at_once_the_first_counts(self) -> None:
        run = waiting(judged=True)
        run.feed(*(ev.ResumeRequested(id=name, step="a", payload=value(name)) for name in ("one", "two")))
        assert run.step("a").result == value("one")
        assert [(one.id, one.accepted) for one in run.header.signals] == [("one", True), ("two", False)]

    @pytest.mark.parametrize(
        ("path", "told"),
        [
            ("c", "the run has no step c"),
            ("b", "step b is a task, expected an interrupt"),
            ("later", "interrupt later is not open yet"),
            ("a[0]/x", "the run has no step a[0]/x that is open"),
        ],
    )
    def test_what_is_no_open_interrupt_is_refused(self, path: str, told: str) -> None:
        run = Run(interrupt("a"), step("b"), interrupt("later", ["b"])).start()
        assert run.is_resumed(path).answer == (False, told)

    def test_what_was_found_under_an_id_is_for_the_round_in_which_it_was_found(self) -> None:
        run = waiting(timeout_ms=MINUTE, active=True).wakes().is_retried()
        told = (False, "interrupt a is closed: what waited under the id was its round 1")
        assert run.is_resumed("a", round=1).answer == told
        assert run.at("a") is StepPhase.WAITING
        assert run.is_resumed("a", request="again", round=2).answer == (True, "")

    def test_what_was_found_under_an_id_is_over_also_before_it_opens_anew(self) -> None:
        run = Run(compose("s", interrupt("a"), step("x"), run=attempts(2))).start().fails("s/x")
        assert run.at("s/a") is StepPhase.PENDING
        assert "what waited under the id" in run.is_resumed("s/a", round=1).answer[1]

    def test_approvers_are_asked_for(self) -> None:
        run = waiting(approvers=True)
        assert not run.is_resumed("a").answer[0]
        assert "approvers alone" in run.answer[1]
        assert run.is_resumed("a", request="again", approved=True).answer == (True, "")

    def test_a_request_that_was_consumed_resumes_no_other_round_however_late_it_comes(self) -> None:
        run = Run(interrupt("a"), step("b", ["a"]), step("c")).start().is_resumed("a").fails("b").fails("c")
        assert run.phase is RunPhase.FAILED
        run.is_retried()
        for number in range(ANSWERS_KEPT):
            run.is_carried_over("unknown", request=f"{number}")
        assert "go" not in [one.id for one in run.header.signals]
        before = run.state
        run.feed(ev.ResumeRequested(id="go", step="a", payload=value("yes")))
        assert run.state is before

    def test_what_is_remembered_of_consumed_requests_is_bounded(self) -> None:
        names = [f"a{number}" for number in range(CONSUMED_KEPT + 1)]
        run = Run(*map(interrupt, names)).start()
        for name in names:
            run.is_resumed(name, request=name)
        assert run.header.consumed == tuple(names[1:])


class TestPayloads:
    def test_a_bad_one_is_refused_with_every_error_and_another_may_follow(self) -> None:
        run = waiting(judged=True, max_attempts=3)
        run.bad["bad"] = ("payload.x: found none", "payload.y: not a number")
        run.is_resumed("a", request="bad")
        answer = run.header.signals[-1]
        assert (answer.accepted, answer.errors) == (False, run.bad["bad"])
        assert answer.reason == "the payload is invalid: send another one (2 attempts left)"
        state = run.step("a").interrupt
        assert state is not None
        assert (state.rejected, state.rejection) == (1, "payload.x: found none; payload.y: not a number")
        assert run.is_resumed("a").at("a") is StepPhase.SUCCEEDED

    def test_the_last_attempt_fails_the_step(self) -> None:
        run = Run(step("first", undo=DONE_ONCE), interrupt("a", ["first"], judged=True, max_attempts=2)).start()
        run.succeeds("first")
        for name in ("one", "two"):
            run.bad[name] = ("no",)
            run.is_resumed("a", request=name)
        assert run.why_it_failed == ("a", FailureKind.INVALID_PAYLOAD)
        assert run.reversals == ["first undo"]
        assert run.answer == (False, "the payload is invalid, and the step has failed with it")

    def test_without_a_limit_any_number_may_be_wrong(self) -> None:
        run = waiting(judged=True)
        for number in range(50):
            run.bad[str(number)] = ("no",)
            run.is_resumed("a", request=str(number))
        assert run.answer == (False, "the payload is invalid: send another one")
        assert run.at("a") is StepPhase.WAITING

    def test_strict_fails_at_once_and_the_milder_mode_may_be_asked_for(self) -> None:
        run = waiting(judged=True, strict=True)
        run.bad = {"mild": ("no",), "hard": ("no",)}
        assert run.is_resumed("a", request="mild", mild=True).at("a") is StepPhase.WAITING
        assert run.is_resumed("a", request="hard").why("a").kind is FailureKind.INVALID_PAYLOAD

    @pytest.mark.parametrize("errors", [(), ("no",)])
    def test_a_dry_run_tells_and_counts_for_nothing(self, errors: tuple[str, ...]) -> None:
        run = waiting(judged=True, strict=True)
        before = run.step("a")
        run.bad["try"] = errors
        run.is_resumed("a", request="try", dry_run=True)
        assert run.step("a") == before
        assert run.answer == ((False, "the payload is invalid") if errors else (True, "it would be accepted"))
        assert run.header.signals[-1].errors == errors
        assert run.header.consumed == ()

    def test_an_interrupt_that_closes_while_a_payload_is_judged_says_so(self) -> None:
        run = waiting(judged=True)
        request = ev.ResumeRequested(id="late", step="a", payload=value("yes"))
        run.asks(request)
        run.is_cancelled()
        run.feed(ev.PayloadJudged(request=request, payload=request.payload))
        assert not run.answer[0]
        assert run.phase is RunPhase.CANCELLED

    def test_the_payload_with_its_defaults_is_the_result(self) -> None:
        run = waiting(judged=True)
        request = ev.ResumeRequested(id="go", step="a", payload=value("{}"))
        run.feed(ev.PayloadJudged(request=request, payload=value("filled")))
        assert run.step("a").result == value("filled")


class TestTimeouts:
    def test_an_active_one_fails_when_its_time_has_come(self) -> None:
        run = waiting(timeout_ms=MINUTE, active=True)
        assert run.last.wake_at == run.now + MINUTE
        run.wakes()
        assert (run.why("a").kind, run.why("a").message) == (FailureKind.TIMEOUT, "no signal came within 60s")
        assert run.phase is RunPhase.FAILED
        assert run.unreversed == []

    def test_it_may_end_with_a_value_instead(self) -> None:
        run = waiting(timeout_ms=MINUTE, active=True, continues=True).wakes()
        assert (run.at("a"), run.step("a").result) == (StepPhase.SUCCEEDED, value("otherwise"))
        assert list(run.open) == ["b"]

    def test_a_lazy_one_waits_until_somebody_asks(self) -> None:
        run = waiting(timeout_ms=MINUTE)
        assert run.last.wake_at is None
        assert run.later(2 * MINUTE).at("a") is StepPhase.WAITING
        run.is_resumed("a")
        assert run.answer == (False, "interrupt a is closed: no signal came in time")
        assert run.why("a").kind is FailureKind.TIMEOUT

    def test_a_dry_run_finds_a_lazy_one_closed_and_leaves_it(self) -> None:
        run = waiting(timeout_ms=MINUTE).later(2 * MINUTE).is_resumed("a", dry_run=True)
        assert not run.answer[0]
        assert run.at("a") is StepPhase.WAITING

    def test_a_resume_that_is_read_with_the_timeout_wins(self) -> None:
        run = waiting(timeout_ms=MINUTE, active=True)
        run.now += MINUTE - 1
        run.feed(ev.ResumeRequested(id="go", step="a", payload=value("yes")))
        run.later(1)
        assert (run.at("a"), run.answer[0]) == (StepPhase.SUCCEEDED, True)

    def test_the_other_way_round_the_resume_is_told_so(self) -> None:
        run = waiting(timeout_ms=MINUTE, active=True).wakes().is_resumed("a")
        assert run.answer == (False, "the run has ended: Failed")

    def test_an_optional_one_is_ignored(self) -> None:
        run = Run(interrupt("a", optional=True, timeout_ms=MINUTE, active=True), step("b", ["a"])).start(a=opens())
        run.wakes()
        assert (run.at("a"), run.step("a").result) == (StepPhase.IGNORED, value("fallback"))
        assert list(run.open) == ["b"]

    def test_a_clock_that_steps_back_ends_no_wait_and_begins_none_anew(self) -> None:
        run = waiting(timeout_ms=MINUTE, active=True)
        run.later(-10 * MINUTE)
        assert run.at("a") is StepPhase.WAITING
        assert run.later(11 * MINUTE).at("a") is StepPhase.FAILED


class TestPaused:
    def test_a_run_is_paused_only_when_nothing_else_can_run(self) -> None:
        run = Run(interrupt("a"), step("b", run=attempts(2))).start()
        assert run.phase is RunPhase.RUNNING
        run.fails("b")
        assert run.phase is RunPhase.RUNNING  # another attempt is due
        assert run.wakes().succeeds("b").phase is RunPhase.PAUSED
        assert run.is_resumed("a").phase is RunPhase.SUCCEEDED

    def test_several_may_be_open_at_once(self) -> None:
        run = Run(interrupt("a"), compose("c", interrupt("b"))).start()
        assert (run.phase, run.state.waiting) == (RunPhase.PAUSED, ("a", "c/b"))
        assert run.is_resumed("c/b", request="one").phase is RunPhase.PAUSED
        assert run.is_resumed("a", request="two").phase is RunPhase.SUCCEEDED

    def test_suspended_is_said_before_paused(self) -> None:
        run = waiting().is_suspended()
        assert run.phase is RunPhase.SUSPENDED
        assert run.is_resumed("a").answer == (True, "")
        assert not run.open
        assert list(run.is_suspended(False).open) == ["b"]

    def test_an_open_interrupt_takes_no_room(self) -> None:
        run = Run(interrupt("a"), step("b"), step("c"), parallelism=1).start()
        assert list(run.open) == ["b"]

    def test_people_are_told_where_they_want_to_know(self) -> None:
        to = NotificationPlan(
            name="mail", kinds=frozenset({FactKind.INTERRUPT_OPENED}), endpoint=Endpoint(url="http://x")
        )
        run = Run(interrupt("a"), notifications=(to,)).start(a=opens(correlation="order-7"))
        (fact,) = run.last.facts
        assert (fact.kind, fact.step, fact.message) == (FactKind.INTERRUPT_OPENED, "a", "order-7")


class TestClosing:
    def test_a_cancel_closes_it(self) -> None:
        run = waiting().is_cancelled()
        assert (run.at("a"), run.phase) == (StepPhase.CANCELLED, RunPhase.CANCELLED)

    def test_the_failure_of_another_step_closes_it_and_nothing_of_it_is_reversed(self) -> None:
        run = Run(interrupt("a"), step("b")).start().fails("b")
        assert (run.at("a"), run.phase, run.unreversed) == (StepPhase.CANCELLED, RunPhase.FAILED, [])
        assert run.is_resumed("a").answer == (False, "the run has ended: Failed")

    def test_it_stays_open_while_a_failed_step_is_cleaned_up(self) -> None:
        run = Run(interrupt("a"), step("b", compensate=DONE_ONCE), step("c", ["a"])).start().begins("b").fails("b")
        assert run.is_resumed("a").answer == (True, "")
        assert list(run.open) == ["b"]
        assert list(run.continues("b").open) == ["c"]

    def test_a_scope_that_keeps_its_failure_closes_and_asks_again(self) -> None:
        run = Run(compose("s", interrupt("a"), step("x"), run=attempts(2))).start().fails("s/x")
        assert run.at("s/a") is StepPhase.PENDING
        run.wakes()
        assert run.at("s/a") is StepPhase.WAITING
        assert run.is_resumed("s/a").succeeds("s/x").phase is RunPhase.SUCCEEDED

    def test_a_halt_closes_it(self) -> None:
        run = Run(interrupt("a"), step("b")).start().halts("b")
        assert (run.at("a"), run.phase) == (StepPhase.CANCELLED, RunPhase.HALTED)

    def test_a_retry_asks_again(self) -> None:
        run = waiting(timeout_ms=MINUTE, active=True).wakes().is_retried()
        assert (run.at("a"), run.step("a").round, run.phase) == (StepPhase.WAITING, 2, RunPhase.PAUSED)
        assert run.is_resumed("a").answer == (True, "")

    def test_a_retry_of_what_failed_after_it_keeps_the_payload(self) -> None:
        run = waiting().is_resumed("a").fails("b").is_retried()
        assert (run.step("a").result, list(run.open)) == (value("yes"), ["b"])

    def test_it_may_be_skipped(self) -> None:
        run = waiting(timeout_ms=MINUTE, active=True).is_carried_over("a", "by hand")
        assert (run.at("a"), run.step("a").result, list(run.open)) == (StepPhase.SKIPPED, value("by hand"), ["b"])
        assert run.later(2 * MINUTE).at("a") is StepPhase.SKIPPED

    def test_a_skip_of_what_was_found_under_an_id_is_for_an_open_interrupt_of_that_round_alone(self) -> None:
        told = (False, "interrupt a is closed: what waited under the id was its round 1")
        asked = ev.SkipRequested(id="skip", step="a", round=1)
        run = waiting(timeout_ms=MINUTE, active=True).wakes()
        assert (run.phase, run.feed(asked).answer) == (RunPhase.FAILED, told)
        assert (run.is_retried().feed(evolve(asked, {"id": "2"})).answer, run.at("a")) == (told, StepPhase.WAITING)
        assert run.feed(evolve(asked, {"id": "3", "round": 2})).answer == (True, "")

    def test_an_undo_closes_it_and_takes_back_what_was_before(self) -> None:
        run = Run(step("first", undo=DONE_ONCE), interrupt("a", ["first"])).start().succeeds("first")
        run.is_to_be_undone()
        assert (run.at("a"), run.reversals) == (StepPhase.CANCELLED, ["first undo"])
        assert run.succeeds("first").phase is RunPhase.UNDONE

    def test_the_timeout_of_the_run_counts_the_wait(self) -> None:
        run = Run(interrupt("a"), timeout_ms=MINUTE).start().wakes()
        assert run.why_it_failed == ("", FailureKind.RUN_TIMEOUT)
        assert run.at("a") is StepPhase.CANCELLED


class TestInMaps:
    def test_each_element_waits_in_its_place_of_the_window(self) -> None:
        run = Run(mapped("m", interrupt("ask"), batch_size=2)).start(m=elements(3))
        assert (run.in_flight("m"), run.phase) == (["m[0]", "m[1]"], RunPhase.PAUSED)
        run.is_resumed("m[1]", "yes")
        assert run.in_flight("m") == ["m[0]", "m[2]"]
        assert run.is_resumed("m[1]", request="again").answer[0] is False
        run.is_resumed("m[0]", request="zero").is_resumed("m[2]", request="two")
        assert run.phase is RunPhase.SUCCEEDED
        assert [one.result for one in run.outcomes("m").values()] == [value("yes")] * 3

    def test_what_was_found_under_an_id_in_an_element_is_for_its_round_alone(self) -> None:
        run = Run(mapped("m", interrupt("ask"), batch_size=2)).start(m=elements(2))
        told = (False, "interrupt m[1] is closed: what waited under the id was its round 2")
        assert run.is_resumed("m[1]", round=2).answer == told
        assert run.feed(ev.SkipRequested(id="skip", step="m[1]", round=2)).answer == told
        assert run.is_resumed("m[1]", request="again", round=1).answer == (True, "")
        assert run.feed(ev.SkipRequested(id="other", step="m[0]", round=1)).phase is RunPhase.SUCCEEDED

    def test_one_may_be_skipped_and_its_value_is_the_result_of_the_element(self) -> None:
        run = Run(mapped("m", interrupt("ask"), batch_size=1), step("after", ["m"])).start(m=elements(2))
        assert run.is_carried_over("m[0]", "by hand").answer == (True, "")
        assert run.in_flight("m") == ["m[1]"]
        assert run.is_resumed("m[0]", request="late").answer[0] is False
        assert run.is_carried_over("m[0]", request="again").answer == (False, "the run has no step m[0] that is open")
        run.is_carried_over("m[1]", request="null")
        assert list(run.open) == ["after"]
        told = [(one.phase, one.result) for one in run.outcomes("m").values()]
        assert told == [(ElementPhase.SKIPPED, value("by hand")), (ElementPhase.SKIPPED, None)]

    def test_a_step_beside_others_may_be_skipped(self) -> None:
        body = (step("before"), interrupt("ask", ["before"]), step("after", ["ask"], run=attempts(2)))
        run = Run(mapped("m", *body)).start(m=elements(1))
        refused = (
            "step m[0]/before is Running: while a run goes on only a step that is Retrying or Waiting can be skipped"
        )
        assert run.is_carried_over("m[0]/before", request="1").answer == (False, refused)
        run.succeeds("m[0]/before").is_carried_over("m[0]/ask", "x", request="2")
        assert (run.answer, list(run.open)) == ((True, ""), ["m[0]/after"])
        run.fails("m[0]/after").is_carried_over("m[0]/after", "y", request="3")
        assert (run.answer, run.phase) == ((True, ""), RunPhase.SUCCEEDED)

    def test_it_is_known_of_which_elements_nothing_waits_any_more(self) -> None:
        lines = mapped("lines", interrupt("ask"), batch_size=1)
        run = Run(mapped("rows", lines, step("after", ["lines"]), batch_size=1))
        known = {"rows": elements(2), "rows[0]/lines": elements(3), "rows[1]/lines": elements(1)}
        run.start(paths=known).is_resumed("rows[0]/lines[0]")

        def ended(path: str) -> bool:
            return has_ended(run.plan, run.state, path)

        assert ended("rows[0]/lines[0]")
        waits = ("rows", "rows[0]", "rows[0]/lines", "rows[0]/lines[1]", "rows[0]/lines[2]", "rows[1]", "rows[9]/after")
        assert not any(map(ended, waits))
        run.is_resumed("rows[0]/lines[1]", request="1").is_resumed("rows[0]/lines[2]", request="2")
        run.succeeds("rows[0]/after")
        assert all(map(ended, ("rows[0]", "rows[0]/lines[2]", "rows[0]/after")))
        assert not ended("rows[1]/lines[0]")

    def test_people_are_told_of_each(self) -> None:
        to = NotificationPlan(
            name="mail", kinds=frozenset({FactKind.INTERRUPT_OPENED}), endpoint=Endpoint(url="http://x")
        )
        inner = mapped("rows", mapped("lines", interrupt("ask")), step("after", ["lines"]))
        run = Run(inner, notifications=(to,)).start(paths={"rows": elements(1), "rows[0]/lines": elements(2)})
        (fact,) = run.last.facts
        assert (fact.step, fact.sequence) == ("rows[0]/lines[1]", 3)
        assert [one for one in run.last.actions if isinstance(one, Notify)]

    def test_steps_around_it_go_on_in_each_element(self) -> None:
        body = (step("before"), interrupt("ask", ["before"]), step("after", ["ask"]))
        run = Run(mapped("m", *body)).start(m=elements(2)).succeeds("m[0]/before")
        phases = [run.phase, run.is_resumed("m[0]/ask").succeeds("m[1]/before").phase, run.succeeds("m[0]/after").phase]
        assert phases == [RunPhase.RUNNING, RunPhase.RUNNING, RunPhase.PAUSED]
        assert run.is_resumed("m[1]/ask", request="two").succeeds("m[1]/after").phase is RunPhase.SUCCEEDED

    def test_one_in_a_map_in_a_map(self) -> None:
        run = Run(mapped("rows", mapped("lines", interrupt("ask"), batch_size=1), step("after", ["lines"])))
        run.start(paths={"rows": elements(1), "rows[0]/lines": elements(2)})
        assert run.phase is RunPhase.PAUSED
        run.is_resumed("rows[0]/lines[0]").is_resumed("rows[0]/lines[1]", request="two")
        assert (run.answer, list(run.open)) == ((True, ""), ["rows[0]/after"])

    def test_elements_that_find_no_room_are_not_held_back_before_a_commit(self) -> None:
        """Where the next fold had nothing to begin, an element within an element stayed Running though all waits."""
        run = Run(mapped("rows", mapped("lines", interrupt("ask"), batch_size=1), step("after", ["lines"])))
        run.start(paths={"rows": elements(1), "rows[0]/lines": elements(2)})
        trial = ev.ResumeRequested(id="trial", step="rows[0]/lines[0]", dry_run=True)
        tried = decide_together(run.plan, run.state, [trial], run.now, begins=False)
        assert (tried.wake_at, tried.state.header.phase) == (None, RunPhase.PAUSED)

    def test_a_timeout_fails_its_element_and_with_it_the_map(self) -> None:
        run = Run(mapped("m", interrupt("ask", timeout_ms=MINUTE, active=True))).start(m=elements(2)).wakes()
        assert run.why_it_failed == ("m", FailureKind.TIMEOUT)
        assert run.phase is RunPhase.FAILED

    def test_the_others_are_closed_when_the_map_fails(self) -> None:
        body = (step("x"), interrupt("ask", ["x"]))
        run = Run(mapped("m", *body), on_failure=TERMINATE).start(m=elements(2)).succeeds("m[0]/x").fails("m[1]/x")
        assert run.phase is RunPhase.FAILED

    def test_elements_hold_still_where_the_run_is_suspended(self) -> None:
        body = (interrupt("ask"), step("after", ["ask"]))
        run = Run(mapped("m", *body)).start(m=elements(1)).is_suspended().is_resumed("m[0]/ask")
        assert (run.answer[0], list(run.open), run.phase) == (True, [], RunPhase.SUSPENDED)
        assert list(run.is_suspended(False).open) == ["m[0]/after"]
