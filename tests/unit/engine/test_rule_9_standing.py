"""Rule 9: what a person says is standing keeps standing, whatever kept it from being reversed."""

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RunPhase, StepPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, Run, chain, chooses, compose, step, switch, value

UNDO = COMPENSATE = DONE_ONCE


def launched_after(run: Run, before: int) -> list[str]:
    return run.launches[before:]


def test_a_step_whose_cleanup_came_too_late_does_not_run_again() -> None:
    steps = (step("a", compensate=COMPENSATE), step("b", undo=UNDO), step("c", ["b"]))
    run = Run(*steps, rollback_deadline_ms=MINUTE).start().succeeds("b").fails("c").later(2 * MINUTE)
    run.fails("a", FailureKind.TIMEOUT)
    assert [path for path, _ in run.unreversed] == ["a", "b"]
    before = len(run.launches)
    run.is_retried(standing=("a", "b"))
    assert run.answer == (True, "")
    assert launched_after(run, before) == ["c.run.2.1.1"]
    assert (run.at("a"), run.step("a").round, run.unreversed) == (StepPhase.SUCCEEDED, 1, [])
    assert run.succeeds("c").phase is RunPhase.SUCCEEDED


def test_a_step_does_not_run_again_because_what_it_depends_on_does() -> None:
    run = Run(*chain("a", "b", "c", undo=UNDO)).start().succeeds("a").succeeds("b", "kept").fails("c")
    run.fails("b").succeeds("a")
    before = len(run.launches)
    run.is_retried(standing=("b",)).succeeds("a").succeeds("c")
    assert launched_after(run, before) == ["a.run.2.1.1", "c.run.2.1.1"]
    assert (run.phase, run.at("b"), run.step("b").round) == (RunPhase.SUCCEEDED, StepPhase.SUCCEEDED, 1)


def test_it_keeps_standing_inside_a_compose_that_begins_anew() -> None:
    inside = compose("s", step("x", undo=UNDO), step("y", ["x"]), needs=["a"])
    run = Run(step("a", undo=UNDO), inside).start().succeeds("a").succeeds("s/x").fails("s/y").fails("s/x")
    before = len(run.succeeds("a").launches)
    run.is_retried(standing=("s/x",)).succeeds("a").succeeds("s/y")
    assert launched_after(run, before) == ["a.run.2.1.1", "s/y.run.2.1.1"]
    assert run.phase is RunPhase.SUCCEEDED


def test_a_compose_that_stands_is_not_entered_again() -> None:
    inside = compose("s", step("x", undo=UNDO), step("y", ["x"]), compensate=COMPENSATE)
    run = Run(inside, step("z", ["s"])).start().succeeds("s/x").fails("s/y").succeeds("s/x").fails("s")
    assert (run.phase, run.unreversed) == (RunPhase.FAILED, [("s", FailureKind.ERROR)])
    run.is_retried(standing=("s",))
    assert (list(run.open), run.at("s"), run.at("s/x")) == (["z"], StepPhase.SUCCEEDED, StepPhase.SKIPPED)
    assert run.step("s/x").finished_at == run.now
    run.fails("z").is_retried("again")
    assert list(run.open) == ["z"]


def test_a_body_of_a_switch_that_stands_is_the_one_that_is_chosen() -> None:
    either = switch("r", step("[0]", undo=UNDO), step("[1]"), needs=["a"])
    run = Run(step("a", undo=UNDO), either, step("z", ["r"])).start({"r": chooses("[0]")})
    run.succeeds("a").succeeds("r[0]", "kept").fails("z").fails("r[0]").succeeds("a")
    run.answers["r"] = chooses("[1]")
    run.is_retried(standing=("r[0]",)).succeeds("a")
    assert (list(run.open), run.step("r").result) == (["z"], run.step("r[0]").result)
    assert run.succeeds("z").phase is RunPhase.SUCCEEDED


def test_what_is_assumed_of_a_step_that_was_reversed_changes_nothing() -> None:
    run = Run(*chain("a", "b", undo=UNDO)).start().succeeds("a").fails("b").succeeds("a")
    assert list(run.is_retried(standing=("a",)).open) == ["a"]


def test_it_is_refused_where_its_result_is_not_known_and_another_step_reads_it() -> None:
    run = Run(step("a"), step("b", ["a"], reads=("a",))).start().fails("a", FailureKind.TIMEOUT)
    assert run.is_retried(standing=("a",)).answer == (
        False,
        "step a never succeeded, so its result is not known, and step b reads it: "
        "undo the run again, or reverse it by hand and say assume: {a: undone}",
    )


def test_what_it_gave_before_it_could_not_be_reversed_is_read_again() -> None:
    run = Run(step("a", undo=UNDO), step("b", ["a"], reads=("a",))).start().succeeds("a", "1").fails("b").fails("a")
    assert run.is_retried(standing=("a",)).answer == (True, "")
    assert (list(run.open), run.step("a").result) == (["b"], value("1"))


def test_the_fallback_of_a_step_that_was_ignored_is_read_again() -> None:
    steps = (step("a", continues_on_error=True), step("b", ["a"], reads=("a",)))
    run = Run(*steps).start().fails("a", FailureKind.TIMEOUT).fails("b")
    assert [path for path, _ in run.unreversed] == ["a"]
    assert run.is_retried(standing=("a",)).answer == (True, "")
    assert list(run.open) == ["b"]


def test_a_step_that_only_waits_for_it_goes_on() -> None:
    run = Run(step("a"), step("b", ["a"])).start().fails("a", FailureKind.TIMEOUT)
    assert list(run.is_retried(standing=("a",)).open) == ["b"]


def test_a_finally_step_that_reads_it_is_content_with_null() -> None:
    run = Run(step("a"), finals=[step("tell", reads=("a",))]).start().fails("a", FailureKind.TIMEOUT).succeeds("tell")
    assert run.is_retried(standing=("a",)).answer == (True, "")


def test_a_step_that_read_it_before_and_stands_does_not_matter() -> None:
    steps = (step("a", undo=UNDO), step("b", ["a"], reads=("a",)), step("c", ["b"]))
    run = Run(*steps).start().succeeds("a", "1").succeeds("b").fails("c").fails("a")
    assert run.is_retried(standing=("a",)).answer == (True, "")
    assert list(run.open) == ["c"]
