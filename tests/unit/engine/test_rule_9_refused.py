"""Rule 9: why a request is refused, word by word: a person reads it, and is told what to do instead."""

from collections.abc import Callable

import pytest

from reactor_operator.engine import events as ev
from tests.unit.engine.driver import DONE_ONCE, Run, attempts, chain, step, value
from tests.unit.engine.situations import lose

UNDO = DONE_ONCE


def two_steps() -> Run:
    return Run(*chain("a", "b", undo=UNDO)).start().succeeds("a")


def failed() -> Run:
    """The second of two steps has failed; the first stands, for it declares no undo."""
    return Run(*chain("a", "b"), finals=[step("tell")]).start().succeeds("a").fails("b").succeeds("tell")


def not_undone(*names: str) -> Run:
    """A run that failed, and none of whose steps could be undone."""
    run = Run(*(step(name, undo=UNDO) for name in names), step("z", names)).start()
    for name in names:
        run.succeeds(name)
    run.fails("z")
    for name in reversed(names):
        run.fails(name)
    return run


ROLLED_BACK_WHEN_LOST = "the run was being rolled back when its state was lost: undo it, or cancel it"
NEVER_BEGAN = "the run could never start, or its definition is lost: start another run"
STANDS = "step a has not failed: its result stands, and other arguments would change nothing"
RETRYING_ONLY = "while a run goes on only a step that is Retrying or Waiting can be skipped"

REFUSED: dict[str, tuple[Callable[[], Run], str]] = {
    "undo of nothing": (
        lambda: lose(Run()).is_to_be_undone(),
        "what the run did is not known: its state was lost, or it never started",
    ),
    "undo during a cancel": (
        lambda: two_steps().is_cancelled().is_to_be_undone(),
        "the run is being cancelled already",
    ),
    "undo of a rollback that is suspended": (
        lambda: two_steps().fails("b").is_suspended().is_to_be_undone(),
        "the run is being rolled back already",
    ),
    "retry of nothing": (lambda: lose(Run()).is_retried(), NEVER_BEGAN),
    "retry of a rollback that was lost": (lambda: lose(two_steps().fails("b")).is_retried(), ROLLED_BACK_WHEN_LOST),
    "retry of a step that is not there": (
        lambda: failed().is_retried(step="x", arguments=value("other")),
        "the run has no step x",
    ),
    "retry with another that stands": (lambda: failed().is_retried(standing=("y",)), "the run has no step y"),
    "retry with another that is undone": (lambda: failed().is_retried(undone=("b", "z")), "the run has no step z"),
    "retry with arguments for a step that stands": (
        lambda: failed().is_retried(step="a", arguments=value("other")),
        STANDS,
    ),
    "retry on top of what may stand": (
        lambda: not_undone("a", "b").is_retried(),
        "a, b could not be reversed: undo the run again, or say assume: {a: standing} or {a: undone}",
    ),
    "retry on top of much that may stand": (
        lambda: not_undone(*"abcdefg").is_retried(),
        "a, b, c, d, e could not be reversed: undo the run again, or say assume: {a: standing} or {a: undone}",
    ),
    "retry when a part of it is said": (
        lambda: not_undone("a", "b").is_retried(undone=("a",)),
        "b could not be reversed: undo the run again, or say assume: {b: standing} or {b: undone}",
    ),
    "skip of a step that is not there": (lambda: failed().is_carried_over("x"), "the run has no step x"),
    "skip of a finally step": (
        lambda: failed().is_carried_over("tell"),
        "step tell is a finally step: it runs at every end, and its failure changes nothing",
    ),
    "skip of a step that stands": (
        lambda: failed().is_carried_over("a"),
        "step a is Succeeded: only one that failed, or was reversed, can be skipped",
    ),
    "skip of a step that runs": (
        lambda: two_steps().is_carried_over("b"),
        f"step b is Running: {RETRYING_ONLY}",
    ),
    "skip on top of what may stand": (
        lambda: not_undone("a").is_carried_over("z"),
        "a could not be reversed: undo the run again, or say assume: {a: standing} or {a: undone}",
    ),
    "any but a cancel while the finally steps run": (
        lambda: Run(step("a"), finals=[step("tell")]).start().fails("a").is_retried(),
        "the run ends now as Failed, its finally steps run: wait for its end, or cancel them",
    ),
    "cancel during a cancel": (
        lambda: two_steps().is_cancelled("first").is_cancelled("second"),
        "the run is being cancelled already",
    ),
    "one without a meaning": (
        lambda: two_steps().feed(ev.RequestUnreadable(id="x", action="retry", reason="")),
        "it has no meaning",
    ),
    "one that says what is wrong with it": (
        lambda: two_steps().feed(ev.RequestUnreadable(id="x", action="retry", reason="step: found 7")),
        "step: found 7",
    ),
}


@pytest.mark.parametrize(("run", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_request_is_refused_with_the_reason(run: Callable[[], Run], reason: str) -> None:
    assert run().answer == (False, reason)


def test_names_of_a_request_are_cut_and_its_reason_is_made_printable() -> None:
    run = two_steps().is_cancelled("i" * 300, "a\x1bb" + "c" * 2_000, "w" * 300)
    answer = run.header.signals[-1]
    assert (answer.id, answer.by, answer.at) == ("i" * 256, "w" * 256, run.now)
    assert answer.reason == "a\N{REPLACEMENT CHARACTER}b" + "c" * 1_020 + "…"
    assert run.header.cancel_reason == answer.reason


def test_the_same_id_may_ask_for_something_else() -> None:
    run = Run(step("a", run=attempts(2))).start().fails("a").is_retried("one").is_cancelled("one")
    assert [(one.action, one.accepted) for one in run.header.signals] == [("retry", False), ("cancel", True)]
