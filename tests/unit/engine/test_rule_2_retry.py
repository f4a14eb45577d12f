"""Rule 2, attempts: retried after a backoff, while attempts remain and the kind is listed and retryable."""

import pytest

from reactor_operator.engine.failures import RETRYABLE_KINDS, FailureKind
from reactor_operator.engine.identity import Action, Task, jitter_fraction
from reactor_operator.engine.plan import ActionPlan, Backoff, RetryPolicy
from reactor_operator.engine.state import RunPhase, StepPhase
from tests.unit.engine.driver import SECOND, START, Run, attempts, step

TASK_KINDS = [kind for kind in FailureKind if kind not in {FailureKind.UNCERTAIN, FailureKind.RUN_TIMEOUT}]
NEVER_RETRIED = [kind for kind in TASK_KINDS if kind not in RETRYABLE_KINDS]


@pytest.mark.parametrize("kind", RETRYABLE_KINDS)
def test_a_retryable_kind_is_retried_when_no_kinds_are_listed(kind: FailureKind) -> None:
    run = Run(step("a", run=attempts(2))).start().fails("a", kind)
    assert run.at("a") is StepPhase.RETRYING
    assert run.wakes().launches == ["a.run.1.1.1", "a.run.1.2.1"]


@pytest.mark.parametrize("kind", NEVER_RETRIED)
def test_a_kind_that_is_not_retryable_is_never_retried_even_when_listed(kind: FailureKind) -> None:
    listed = ActionPlan(retries=RetryPolicy(max_attempts=9), retry_on=frozenset({kind}))
    run = Run(step("a", run=listed)).start().fails("a", kind)
    assert run.launches == ["a.run.1.1.1"]
    assert run.phase is RunPhase.FAILED


def test_a_failure_that_says_it_is_not_retryable_is_not_retried() -> None:
    run = Run(step("a", run=attempts(9))).start().fails("a", retryable=False)
    assert run.phase is RunPhase.FAILED


def test_a_kind_that_is_listed_is_retried() -> None:
    listed = ActionPlan(retries=RetryPolicy(max_attempts=2), retry_on=frozenset({FailureKind.TIMEOUT}))
    assert Run(step("a", run=listed)).start().fails("a", FailureKind.TIMEOUT).at("a") is StepPhase.RETRYING


def test_a_retryable_kind_that_is_not_listed_is_not_retried() -> None:
    listed = ActionPlan(retries=RetryPolicy(max_attempts=2), retry_on=frozenset({FailureKind.TIMEOUT}))
    assert Run(step("a", run=listed)).start().fails("a", FailureKind.ERROR).phase is RunPhase.FAILED


def test_an_empty_list_retries_nothing() -> None:
    never = ActionPlan(retries=RetryPolicy(max_attempts=2), retry_on=frozenset())
    assert Run(step("a", run=never)).start().fails("a").phase is RunPhase.FAILED


def test_attempts_end_with_the_last_one() -> None:
    run = Run(step("a", run=attempts(3))).start().fails("a").wakes().fails("a").wakes().fails("a", message="third")
    assert run.launches == ["a.run.1.1.1", "a.run.1.2.1", "a.run.1.3.1"]
    assert run.phase is RunPhase.FAILED
    assert run.header.failure is not None
    assert run.header.failure.attempts == 3
    assert run.header.failure.failure.message == "third"


def test_one_attempt_is_made_when_nothing_is_said() -> None:
    run = Run(step("a")).start().fails("a")
    assert run.launches == ["a.run.1.1.1"]
    assert run.phase is RunPhase.FAILED


def test_a_retry_blocks_nothing() -> None:
    run = Run(step("a", run=attempts(2)), step("b"), step("c", ["b"])).start().fails("a")
    assert "c" in run.succeeds("b").open


def test_a_retry_starts_neither_before_its_time_nor_after() -> None:
    run = Run(step("a", run=attempts(2, base_delay_ms=5_000))).start().fails("a")
    assert run.last.wake_at == START + 5_000
    assert not run.later(4_999).open
    assert run.later(1).open["a"].attempt == 2


def test_a_success_after_a_failure_is_a_success() -> None:
    run = Run(step("a", run=attempts(2))).start().fails("a").wakes().succeeds("a")
    assert run.phase is RunPhase.SUCCEEDED
    assert run.step("a").run_attempts == 2
    assert run.step("a").failure is None


def test_the_next_attempt_names_the_task_whose_pod_must_be_dead_first() -> None:
    run = Run(step("a", run=attempts(2))).start().fails("a").wakes()
    assert run.orders[0].after is None
    assert run.orders[1].after == Task("a", Action.RUN, 1, 1, 1)


@pytest.mark.parametrize(
    ("backoff", "seconds"),
    [
        (Backoff.FIXED, [2, 2, 2, 2, 2]),
        (Backoff.LINEAR, [2, 4, 6, 8, 9]),
        (Backoff.EXPONENTIAL, [2, 4, 8, 9, 9]),
    ],
)
def test_the_pause_grows_as_the_backoff_says_up_to_max_delay(backoff: Backoff, seconds: list[int]) -> None:
    policy = attempts(6, backoff=backoff, base_delay_ms=2 * SECOND, max_delay_ms=9 * SECOND)
    run = Run(step("a", run=policy)).start()
    for pause in seconds:
        run.fails("a")
        assert run.last.wake_at == run.now + pause * SECOND
        run.wakes()


def test_an_exponential_pause_stays_a_small_number_however_many_attempts_were_made() -> None:
    run = Run(step("a", run=attempts(200, backoff=Backoff.EXPONENTIAL, max_delay_ms=10)))
    run.start()
    for _ in range(150):
        run.fails("a").wakes()
    assert run.fails("a").last.wake_at == run.now + 10


def pause_of(uid: str, jitter_percent: int, path: str = "a") -> int:
    policy = attempts(2, base_delay_ms=100_000, jitter_percent=jitter_percent)
    run = Run(step(path, run=policy), uid=uid).start().fails(path)
    assert run.last.wake_at is not None
    return run.last.wake_at - run.now


@pytest.mark.parametrize("jitter_percent", [0, 1, 10, 50, 100])
def test_jitter_shortens_the_pause_by_at_most_its_percentage(jitter_percent: int) -> None:
    pauses = [pause_of(f"run-{number}", jitter_percent) for number in range(100)]
    assert all(100_000 * (100 - jitter_percent) // 100 <= pause <= 100_000 for pause in pauses)
    spread = (max(pauses) - min(pauses)) / 1_000
    assert spread >= jitter_percent * 0.8


def test_jitter_is_the_same_for_the_same_task_and_differs_between_runs_steps_and_attempts() -> None:
    assert pause_of("run-1", 50) == pause_of("run-1", 50)
    assert len({pause_of("run-1", 50), pause_of("run-2", 50), pause_of("run-1", 50, "b")}) == 3
    fractions = {jitter_fraction("run-1", Task("a", Action.RUN, 1, attempt, 1)) for attempt in range(1, 50)}
    assert len(fractions) == 49
    assert all(0 <= fraction < 1 for fraction in fractions)


def test_a_closed_task_is_retired_and_one_that_overstayed_is_stopped_at_once() -> None:
    run = Run(step("a", run=attempts(2)), step("b", run=attempts(2))).start()
    run.fails("a").fails("b", FailureKind.TIMEOUT)
    assert [(r.task.path, r.stop, r.failed) for r in run.retired] == [("a", False, True), ("b", True, True)]


def test_a_task_that_succeeded_is_retired_without_being_stopped() -> None:
    run = Run(step("a")).start().succeeds("a")
    assert [(r.task.path, r.stop, r.failed) for r in run.retired] == [("a", False, False)]
