"""The closed set of failure kinds: what each says of the world, and whether trying again may help (DESIGN 3.1)."""

import pytest

from reactor_operator.engine.failures import (
    MESSAGE_LIMIT,
    RETRYABLE_KINDS,
    RULES,
    TELLS_CERTAINTY,
    Certainty,
    Failure,
    FailureKind,
    render_message,
)

CERTAIN_AND_RETRYABLE = {"Error", "ExitCode"}
CERTAIN = {"Fatal", "InvalidPayload"}
UNCERTAIN_AND_RETRYABLE = {"Timeout", "OutOfMemory", "NoOutcome", "ResultLost", "Http"}
UNCERTAIN = {"Lost", "InvalidResult", "Uncertain"}
NEVER_STARTED = {"InvalidArguments", "Expression", "CannotStart", "StoreQuota"}
OF_THE_RUN = {"InvalidInputs", "InvalidReactor", "ReactorNotFound", "RunTimeout", "TooManyRuns", "KeyConflict"}


def kinds(certainty: Certainty, *, retryable: bool) -> set[str]:
    return {kind.value for kind, rule in RULES.items() if rule.certainty is certainty and rule.retryable is retryable}


def test_every_kind_has_a_rule() -> None:
    assert set(RULES) == set(FailureKind)


def test_what_each_kind_says_of_the_world_and_whether_it_may_be_retried() -> None:
    assert kinds(Certainty.CERTAIN, retryable=True) == CERTAIN_AND_RETRYABLE
    assert kinds(Certainty.CERTAIN, retryable=False) == CERTAIN
    assert kinds(Certainty.UNCERTAIN, retryable=True) == UNCERTAIN_AND_RETRYABLE
    assert kinds(Certainty.UNCERTAIN, retryable=False) == UNCERTAIN
    assert kinds(Certainty.NEVER_STARTED, retryable=True) == set()
    assert kinds(Certainty.NEVER_STARTED, retryable=False) == NEVER_STARTED | OF_THE_RUN
    assert {kind.value for kind in RETRYABLE_KINDS} == CERTAIN_AND_RETRYABLE | UNCERTAIN_AND_RETRYABLE


@pytest.mark.parametrize("kind", list(FailureKind))
@pytest.mark.parametrize("said", [True, False])
def test_a_failure_may_narrow_what_its_kind_allows_and_never_widen_it(kind: FailureKind, said: bool) -> None:
    failure = Failure(kind=kind, message="bad", retryable=said)
    assert failure.may_retry is (said and RULES[kind].retryable)


@pytest.mark.parametrize("kind", list(FailureKind))
@pytest.mark.parametrize("told", list(Certainty))
def test_only_a_kind_that_leaves_it_open_lets_a_failure_tell_what_is_known_of_its_effects(
    kind: FailureKind, told: Certainty
) -> None:
    failure = Failure(kind=kind, message="bad", told=told)
    assert failure.certainty is (told if kind is FailureKind.HTTP else RULES[kind].certainty)
    assert {FailureKind.HTTP} == TELLS_CERTAINTY


def test_a_message_is_cut_and_cleaned_of_what_no_terminal_takes() -> None:
    assert render_message("a\x00b\x1b[31mc\ud800\n\td") == "a\ufffdb\ufffd[31mc\ufffd\n\td"
    assert len(render_message("x" * 10_000)) == MESSAGE_LIMIT
    assert render_message("x" * 10_000).endswith("…")
    assert render_message("x" * MESSAGE_LIMIT) == "x" * MESSAGE_LIMIT
