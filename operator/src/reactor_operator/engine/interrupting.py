"""Interrupts: steps that wait for a payload from outside, which becomes their result.

In: a draft and an interrupt of it, opened, resumed, or open for too long. Out: the step waiting, done or failed.
Never here: who may ask and whether a payload is what its schema says (the shell judges that); the answer (`signals`).
Source of the rules: DESIGN 6.
"""

from collections.abc import Iterator

from reactor_operator.engine import events as ev
from reactor_operator.engine.draft import Draft
from reactor_operator.engine.elements import plan_at
from reactor_operator.engine.ending import fail_for_good
from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.facts import FactKind
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.forward import complete
from reactor_operator.engine.launching import NOT_WAITING
from reactor_operator.engine.plan import InterruptPlan, Plan, StepPlan
from reactor_operator.engine.state import InterruptState, RunState, StepPhase, StepState, Timer

CONSUMED_KEPT = 256
"""Requests that resumed an interrupt, of which a run knows that they must not resume another."""
REJECTION_LIMIT = 256
"""Characters kept of why a payload was refused."""


def open_interrupt(draft: Draft, event: ev.StepEvaluated) -> None:
    """Wait for a payload from now on; a timer ends the wait where the interrupt is active."""
    path, plan = event.path, interrupt_plan(draft, event.path)
    expires_at = None if plan.timeout_ms is None else draft.now + plan.timeout_ms
    timed = plan.active and expires_at is not None
    draft.put(
        path,
        phase=StepPhase.WAITING,
        arguments=event.arguments,
        fallback=event.fallback,
        started_at=draft.now,
        timer=Timer.TIMEOUT if timed else None,
        due_at=expires_at if timed else None,
        interrupt=InterruptState(correlation=event.correlation, expires_at=expires_at, otherwise=event.otherwise),
    )
    draft.root.tell(FactKind.INTERRUPT_OPENED, step=path, message=event.correlation)


def interrupt_plan(draft: Draft, path: str) -> InterruptPlan:
    """Return how a step waits for its payload."""
    plan = draft.plan.steps[path].interrupt
    assert plan is not None, f"step {path!r} is no interrupt"
    return plan


def state_of(draft: Draft, path: str) -> InterruptState:
    """Return what is known of an interrupt that was opened."""
    state = draft.step(path).interrupt
    assert state is not None, f"interrupt {path!r} was never opened"
    return state


def is_expired(draft: Draft, path: str) -> bool:
    """Tell whether an open interrupt has waited for too long."""
    expires_at = state_of(draft, path).expires_at
    return expires_at is not None and expires_at <= draft.now


def expire(draft: Draft, path: str) -> None:
    """End the wait without a payload: with the value that stands for one, or as a failure."""
    plan, state = interrupt_plan(draft, path), state_of(draft, path)
    draft.put(path, **NOT_WAITING)
    if plan.continues:
        complete(draft, path, state.otherwise)
    else:
        message = f"no signal came within {(plan.timeout_ms or 0) / 1000:.12g}s"
        fail_for_good(draft, path, Failure(kind=FailureKind.TIMEOUT, message=message, retryable=False))


def resume(draft: Draft, event: ev.PayloadJudged) -> None:
    """The payload is what the interrupt waits for: it is the result."""
    path = event.request.step
    draft.put(path, **NOT_WAITING)
    complete(draft, path, event.payload)


def reject(draft: Draft, event: ev.PayloadJudged) -> str:
    """The payload is none that the interrupt takes: count it; return what that means for the interrupt, in words."""
    path = event.request.step
    plan, state = interrupt_plan(draft, path), state_of(draft, path)
    why = render_message("; ".join(event.errors))
    rejected = state.rejected + 1
    draft.put(path, interrupt=evolve(state, {"rejected": rejected, "rejection": why[:REJECTION_LIMIT]}))
    strict = plan.strict and not event.request.mild
    if strict or (plan.max_attempts is not None and rejected >= plan.max_attempts):
        draft.put(path, **NOT_WAITING)
        said = why if strict else f"{rejected} payloads were refused, the last one: {why}"
        failure = Failure(kind=FailureKind.INVALID_PAYLOAD, message=render_message(said), retryable=False)
        fail_for_good(draft, path, failure)
        return "the payload is invalid, and the step has failed with it"
    if plan.max_attempts is None:
        return "the payload is invalid: send another one"
    left = plan.max_attempts - rejected
    return f"the payload is invalid: send another one ({left} attempt{'' if left == 1 else 's'} left)"


def over_already(path: str, round_: int) -> str:
    """Say of an interrupt that was found open in a round that it is so no more."""
    return f"interrupt {path} is closed: what waited under the id was its round {round_}"


def open_interrupts(plan: Plan, state: RunState) -> Iterator[tuple[str, StepPlan, StepState]]:
    """Yield the interrupts that wait for a signal: those of the run, then those in elements of its maps."""
    for path in state.waiting:
        yield path, plan.steps[path], state.step(path)
    for of, flight in state.elements.items():
        mapped = plan.steps[of].map
        if mapped is not None and mapped.interrupts:
            for key, element in flight.items():
                yield from open_interrupts(plan_at(mapped, of, key), element)
