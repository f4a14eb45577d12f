import pytest

from reactor_operator.api.blueprint import CannotLayOut, blueprint_of
from reactor_operator.api.planning import plan_of
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import ActionPlan, Backoff, OnFailure, Plan, RetryPolicy
from tests.unit.api.documents import PYTHON, sound, spec, step


def plan(*steps: dict[str, object], **fields: object) -> Plan:
    return plan_of(blueprint_of(sound(*steps, **fields)), pending_timeout_ms=600_000)


def test_edges_come_from_wait_for_sources_and_expressions() -> None:
    made = plan(
        step("a"),
        step("b-c"),
        step("d"),
        step("e"),
        step(
            "z",
            waitFor=["a"],
            arguments={"x": {"result": "d"}, "y": {"expr": "results.e.id"}},
            when="results.b_c.ok && results['a'].ok",
        ),
    )
    assert made.steps["z"].needs == ("a", "b-c", "d", "e")
    assert made.steps["a"].dependents == ("z",)
    assert made.steps["b-c"].dependents == ("z",)
    assert made.steps["z"].dependents == ()


def test_steps_keep_the_order_of_the_manifest() -> None:
    made = plan(step("b", waitFor=["a"]), step("a"))
    assert list(made.steps) == ["b", "a"]
    assert [one.index for one in made.steps.values()] == [0, 1]


def test_what_is_unset_has_the_documented_defaults() -> None:
    made = plan(step("a", undo=PYTHON, compensate=PYTHON))
    rollback = RetryPolicy(max_attempts=5, backoff=Backoff.EXPONENTIAL, base_delay_ms=1_000)
    assert made.parallelism == 100
    assert made.on_failure is OnFailure.DRAIN
    assert made.infrastructure_retries == 5
    assert made.timeout_ms is None
    assert made.rollback_deadline_ms == 86_400_000
    assert made.pending_timeout_ms == 600_000
    assert made.steps["a"].run == ActionPlan(retries=RetryPolicy(max_attempts=1), timeout_ms=None, retry_on=None)
    assert made.steps["a"].undo == ActionPlan(retries=rollback)
    assert made.steps["a"].compensate == ActionPlan(retries=rollback)
    assert not made.steps["a"].continues_on_error


def test_a_step_overrides_the_defaults_whole() -> None:
    made = plan(
        step("a", retries={"backoff": "linear"}, timeout="5s", retryOn=["Error"], onError={"action": "Continue"}),
        step("b"),
        defaults={"retries": {"maxAttempts": 7, "baseDelay": "3s"}, "timeout": "1m"},
    )
    assert made.steps["a"].run == ActionPlan(
        retries=RetryPolicy(max_attempts=1, backoff=Backoff.LINEAR),
        timeout_ms=5_000,
        retry_on=frozenset({FailureKind.ERROR}),
    )
    assert made.steps["a"].continues_on_error
    assert made.steps["b"].run == ActionPlan(
        retries=RetryPolicy(max_attempts=7, base_delay_ms=3_000), timeout_ms=60_000
    )


def test_cleanup_takes_the_retries_of_the_rollback_and_the_timeout_of_the_defaults() -> None:
    made = plan(
        step(
            "a",
            timeout="5s",
            retries={"maxAttempts": 9},
            undo=PYTHON,
            compensate={**PYTHON, "timeout": "2s", "retries": {}},
        ),
        defaults={"timeout": "1m"},
        rollback={"retries": {"maxAttempts": 2, "maxDelay": "10s", "jitterPercent": 0}},
    )
    rollback = RetryPolicy(max_attempts=2, max_delay_ms=10_000, jitter_percent=0)
    assert made.steps["a"].undo == ActionPlan(retries=rollback, timeout_ms=60_000)
    assert made.steps["a"].compensate == ActionPlan(retries=RetryPolicy(), timeout_ms=2_000)
    assert made.rollback_deadline_ms == 86_400_000


def test_cleanup_may_list_the_kinds_after_which_it_is_attempted_again() -> None:
    made = plan(step("a", undo={**PYTHON, "retryOn": ["Timeout"]}, compensate=PYTHON, retryOn=["Error"]))
    assert made.steps["a"].undo is not None
    assert made.steps["a"].undo.retry_on == frozenset({FailureKind.TIMEOUT})
    assert made.steps["a"].compensate is not None
    assert made.steps["a"].compensate.retry_on is None


def test_steps_that_say_the_same_share_their_policies() -> None:
    made = plan(
        step("a", timeout="5s", retries={"maxAttempts": 9}), step("b", timeout="5s", retries={"maxAttempts": 9})
    )
    assert made.steps["a"].run is made.steps["b"].run


def test_limits_of_the_run_are_milliseconds() -> None:
    made = plan(
        step("a"),
        timeout="1h30m",
        parallelism=3,
        onFailure="terminate",
        infrastructureRetries=0,
        rollback={"deadline": "500ms"},
    )
    assert (made.timeout_ms, made.parallelism, made.infrastructure_retries) == (5_400_000, 3, 0)
    assert (made.on_failure, made.rollback_deadline_ms) == (OnFailure.TERMINATE, 500)


def test_a_graph_that_was_never_checked_is_refused() -> None:
    unsound = ReactorSpec.model_validate(spec(step("a", waitFor=["b"])))
    with pytest.raises(CannotLayOut, match="unknown step b"):
        blueprint_of(unsound)


def test_a_step_reads_what_its_sources_name_also_around_it_and_not_what_it_only_waits_for() -> None:
    inner = step("inner", arguments={"value": {"result": "read"}, "other": {"expr": "results.told"}})
    outer: dict[str, object] = {"name": "outer", "waitFor": ["awaited"], "compose": {"steps": [inner]}}
    made = plan(step("read"), step("told"), step("awaited"), outer)
    assert made.steps["outer"].reads == ()
    assert made.steps["outer"].needs == ("awaited", "read", "told")
    assert made.steps["outer/inner"].reads == ("read", "told")
