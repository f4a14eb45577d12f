"""Random plans: graphs with every policy the engine knows, small enough to shrink to something readable."""

from dataclasses import replace

from hypothesis import strategies as st

from reactor_operator.engine.failures import RETRYABLE_KINDS, FailureKind
from reactor_operator.engine.plan import (
    FINALLY,
    ROOT,
    ActionPlan,
    Backoff,
    OnFailure,
    Plan,
    RetryPolicy,
    StepKind,
    StepPlan,
)

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
    has_request=st.booleans(),
)

optional_actions = st.none() | action_plans
optional_retries = st.none() | st.builds(ActionPlan, retries=retry_policies)
booleans = st.booleans()
one_in_five = st.integers(0, 4).map(lambda drawn: drawn == 0)
counts = [st.integers(1, most) for most in range(8)]
"""`counts[n]` draws one to n. Made once: a strategy made anew for each draw is checked anew, which is half the time."""
kinds = {
    may_nest: st.sampled_from(
        [StepKind.TASK] * 6 + [StepKind.TRANSFORM] + ([StepKind.COMPOSE] * 2 + [StepKind.SWITCH]) * may_nest
    )
    for may_nest in (False, True)
}


@st.composite
def plans(draw: st.DrawFn, max_steps: int = 7) -> Plan:
    """Draw an acyclic plan, some of its steps with steps inside."""
    flat: list[StepPlan] = []
    draw_scope(draw, flat, ROOT, max_steps)
    for number in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        needs = (f"f{number - 1}",) if number and draw(booleans) else ()
        flat.append(StepPlan(path=f"f{number}", index=0, scope=FINALLY, needs=needs, run=draw(action_plans)))
    return Plan(
        steps={
            one.path: replace(
                one,
                index=index,
                dependents=tuple(other.path for other in flat if one.path in other.needs),
                children=tuple(other.path for other in flat if other.scope == one.path),
            )
            for index, one in enumerate(flat)
        },
        parallelism=draw(st.integers(1, 4)),
        on_failure=draw(st.sampled_from(OnFailure)),
        infrastructure_retries=draw(st.integers(0, 2)),
        timeout_ms=draw(st.sampled_from([None, None, 3000])),
        rollback_deadline_ms=draw(st.sampled_from([86_400_000, 86_400_000, 2000])),
        pending_timeout_ms=draw(st.sampled_from([100, 600_000])),
    )


def draw_scope(draw: st.DrawFn, flat: list[StepPlan], scope: str, most: int) -> None:
    """Draw the steps of a scope: one needs only those drawn before it, then the manifest order is shuffled."""
    names = [f"{scope}/s{number}" if scope else f"s{number}" for number in range(draw(counts[most]))]
    needs = {
        name: tuple(draw(st.lists(st.sampled_from(names[:number]), unique=True, max_size=3)) if number else ())
        for number, name in enumerate(names)
    }
    for name in draw(st.permutations(names)):
        draw_step(draw, flat, name, scope, needs[name])


def draw_step(draw: st.DrawFn, flat: list[StepPlan], path: str, scope: str, needs: tuple[str, ...]) -> None:
    """Draw a step: mostly a task, else a value, or (at most three deep) a compose or a switch and what is inside it."""
    inside = path.rpartition("[]")[2]  # of an element of a map
    may_nest = inside.count("/") + inside.count("[") < 2
    kind = draw(kinds[may_nest])
    node = StepPlan(path=path, index=0, kind=kind, scope=scope, needs=needs)
    if kind is StepKind.SWITCH:
        flat.append(node)
        for number in range(draw(counts[2])):
            draw_step(draw, flat, f"{path}[{number}]", path, ())
    elif kind is StepKind.TRANSFORM:
        flat.append(replace(node, continues_on_error=draw(booleans)))
    elif kind is StepKind.COMPOSE:
        retries = draw(optional_retries)
        compensate = draw(optional_actions)
        optional = draw(one_in_five)
        flat.append(
            replace(
                node,
                run=retries or ActionPlan(),
                compensate=compensate,
                continues_on_error=optional,
                contains_failures=retries is not None or compensate is not None or optional,
            )
        )
        draw_scope(draw, flat, path, 3)
    else:
        flat.append(
            replace(
                node,
                run=draw(action_plans),
                compensate=draw(optional_actions),
                undo=draw(optional_actions),
                continues_on_error=draw(one_in_five),
            )
        )
