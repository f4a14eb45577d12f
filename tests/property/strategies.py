"""Random plans: graphs with every policy the engine knows, small enough to shrink to something readable."""

from hypothesis import strategies as st

from reactor_operator.engine.failures import RETRYABLE_KINDS, FailureKind
from reactor_operator.engine.plan import ActionPlan, Backoff, OnFailure, Plan, RetryPolicy, StepPlan

TASK_KINDS = (
    FailureKind.ERROR,
    FailureKind.FATAL,
    FailureKind.TIMEOUT,
    FailureKind.NO_OUTCOME,
    FailureKind.INVALID_RESULT,
    FailureKind.INVALID_ARGUMENTS,
    FailureKind.CANNOT_START,
)

retry_policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 3),
    backoff=st.sampled_from(Backoff),
    base_delay_ms=st.sampled_from([0, 1, 1000]),
    max_delay_ms=st.sampled_from([1, 5000]),
    jitter_percent=st.sampled_from([0, 10, 100]),
)
action_plans = st.builds(
    ActionPlan,
    retries=retry_policies,
    timeout_ms=st.sampled_from([None, 500, 5000]),
    retry_on=st.none() | st.frozensets(st.sampled_from(RETRYABLE_KINDS), max_size=3),
    checks_in=st.booleans(),
)


@st.composite
def plans(draw: st.DrawFn, max_steps: int = 7) -> Plan:
    """Draw an acyclic plan: a step needs only steps drawn before it, then the manifest order is shuffled."""
    count = draw(st.integers(1, max_steps))
    names = [f"s{number}" for number in range(count)]
    needs = {
        name: tuple(draw(st.lists(st.sampled_from(names[:number]), unique=True, max_size=3)) if number else ())
        for number, name in enumerate(names)
    }
    written = draw(st.permutations(names))
    steps = {
        name: StepPlan(
            path=name,
            index=index,
            needs=needs[name],
            dependents=tuple(other for other in written if name in needs[other]),
            run=draw(action_plans),
            compensate=draw(st.none() | action_plans),
            undo=draw(st.none() | action_plans),
            continues_on_error=draw(st.integers(0, 4)) == 0,
        )
        for index, name in enumerate(written)
    }
    return Plan(
        steps=steps,
        parallelism=draw(st.integers(1, 4)),
        on_failure=draw(st.sampled_from(OnFailure)),
        infrastructure_retries=draw(st.integers(0, 2)),
        timeout_ms=draw(st.sampled_from([None, None, 3000])),
        rollback_deadline_ms=draw(st.sampled_from([86_400_000, 86_400_000, 2000])),
        pending_timeout_ms=draw(st.sampled_from([100, 600_000])),
    )
