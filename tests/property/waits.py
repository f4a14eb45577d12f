"""The rules of interrupts at every moment (DESIGN 6), told from two states and what was said between them.

In: a state before and after a decision, and its events. Out: nothing, or an AssertionError that names the rule.
Never here: the engine's own notes of what waits (`waiting`, `paused`, `consumed`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reactor_operator.engine import events as ev
from reactor_operator.engine.elements import plan_at
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import OUTERMOST, Plan, StepKind, StepPlan
from reactor_operator.engine.state import (
    CLEANUP,
    DONE,
    MapState,
    RunState,
    SignalAnswer,
    Stage,
    StepPhase,
    StepState,
    is_held,
)
from reactor_operator.engine.values import ValueRef

_ANSWERS_KEPT = 20
Steps = dict[str, tuple[StepPlan, StepState]]


@dataclass
class Waits:
    """What was seen of the interrupts of one run.

    ever:     paths of those that were open once.   consumed: ids of the requests that resumed one.
    answered: how often each request was answered, by action and id.
    """

    ever: list[str] = field(default_factory=list)
    consumed: set[str] = field(default_factory=set)
    answered: dict[tuple[str, str], int] = field(default_factory=dict)

    def check(
        self, plan: Plan, before: RunState, after: RunState, events: tuple[ev.Event, ...], now: int
    ) -> dict[str, ValueRef | None]:
        """Hold one decision to the rules. Return what the interrupts that have ended with it gave."""
        new = self._check_answers(before, after)
        was, is_ = open_interrupts(plan, before), open_interrupts(plan, after)
        requests = {request.id: request for event in events for request in _requests_in(event)}
        taken: dict[str, ev.ResumeRequested] = {}
        for answer in new:
            if answer.action == "resume" and answer.accepted and not requests[answer.id].dry_run:
                assert answer.step in was, f"{answer.id} resumed {answer.step}, which was not open"
                assert answer.step not in is_, f"{answer.step} was resumed, and is open"
                expires_at = _expiry_of(was[answer.step][1])
                late = expires_at is not None and expires_at <= max(now, before.header.now)
                assert not late, f"{answer.id} resumed {answer.step}, which nobody had resumed in time"
                assert answer.step not in taken, f"{answer.step} took two payloads"
                assert answer.id not in self.consumed, f"{answer.id} resumes {answer.step}, and was consumed before"
                self.consumed.add(answer.id)
                taken[answer.step] = requests[answer.id]
        self.ever += [path for path in is_ if path not in self.ever]
        steps, results = all_steps(plan, after), dict[str, ValueRef | None]()
        for path, (planned, step) in was.items():
            of_step = [answer for answer in new if answer.step == path]
            if path in is_:
                _check_open(step, is_[path][1], [one for one in of_step if not requests[one.id].dry_run])
            elif path in taken:
                results[path] = _payload_of(taken[path], events)
                _check_resumed(path, steps, results[path], events)
            else:
                _check_closed(path, planned, step, steps, events, of_step, max(now, before.header.now))
                results[path] = step.interrupt.otherwise if step.interrupt is not None else None
        return results

    def _check_answers(self, before: RunState, after: RunState) -> list[SignalAnswer]:
        """Each request has one answer, which stays; return the new ones."""
        keys = [(answer.action, answer.id) for answer in after.header.signals]
        assert len(keys) == len(set(keys)), f"a request has two answers: {keys}"
        told = {(answer.action, answer.id): answer for answer in before.header.signals}
        for answer in after.header.signals:
            known = told.get((answer.action, answer.id), answer)
            assert known == answer, f"{known} became {answer}"
        new = [answer for answer in after.header.signals if (answer.action, answer.id) not in told]
        for answer in new:
            key = (answer.action, answer.id)
            self.answered[key] = self.answered.get(key, 0) + 1
            again = self.answered[key] > 1 and len(self.answered) <= _ANSWERS_KEPT
            assert not again, f"{key} is answered a second time: {answer}"
        return new


def _expiry_of(step: StepState) -> int | None:
    assert step.interrupt is not None
    return step.interrupt.expires_at


def _requests_in(event: ev.Event) -> list[ev.ResumeRequested]:
    match event:
        case ev.ResumeRequested():
            return [event]
        case ev.PayloadJudged():
            return [event.request]
        case _:
            return []


def _payload_of(request: ev.ResumeRequested, events: tuple[ev.Event, ...]) -> ValueRef | None:
    judged = [event.payload for event in events if isinstance(event, ev.PayloadJudged) and event.request == request]
    return judged[0] if judged else request.payload


def _check_open(before: StepState, after: StepState, answers: list[SignalAnswer]) -> None:
    """What stays open has counted what it refused, and nothing else."""
    assert before.interrupt is not None
    assert after.interrupt is not None
    refused = sum(bool(answer.errors) for answer in answers)
    assert after.interrupt.rejected == before.interrupt.rejected + refused
    assert after.interrupt.expires_at == before.interrupt.expires_at
    assert after.round == before.round


def _check_resumed(path: str, steps: Steps, payload: ValueRef | None, events: tuple[ev.Event, ...]) -> None:
    """Its result is the payload, unless its element is gone or what is around it was closed at the same instant."""
    step = steps[path][1] if path in steps else None
    if step is None or (step.phase is StepPhase.PENDING and len(events) > 1):
        return
    assert step.phase is StepPhase.SUCCEEDED, f"{path} was resumed, and is {step.phase}"
    assert step.result == payload, f"{path} was resumed with {payload}, its result is {step.result}"


def _check_closed(
    path: str,
    planned: StepPlan,
    before: StepState,
    steps: Steps,
    events: tuple[ev.Event, ...],
    answers: list[SignalAnswer],
    now: int,
) -> None:
    """What is no longer open without a payload has a reason for that."""
    waits, state = planned.interrupt, before.interrupt
    assert waits is not None
    assert state is not None
    after = steps[path][1] if path in steps else None
    expired = state.expires_at is not None and state.expires_at <= now
    refused = any(answer.errors for answer in answers)
    match after.phase if after is not None else None:
        case StepPhase.SUCCEEDED:
            assert after is not None
            assert expired
            assert waits.continues, f"{path} succeeded, and nobody resumed it"
            assert after.result == state.otherwise
        case StepPhase.FAILED | StepPhase.IGNORED:
            assert after is not None
            assert after.failure is not None
            late = after.failure.kind is FailureKind.TIMEOUT and expired and not waits.continues
            assert late or (after.failure.kind is FailureKind.INVALID_PAYLOAD and refused), f"{path}: {after.failure}"
        case StepPhase.SKIPPED:
            assert any(isinstance(event, ev.SkipRequested) and event.step == path for event in events)
        case None | StepPhase.CANCELLED | StepPhase.PENDING:
            pass  # closed with what is around it
        case phase:
            raise AssertionError(f"{path} was open, and is {phase}")


def all_steps(plan: Plan, state: RunState) -> Steps:
    """Return every step that was touched, of the run and of elements in flight, by path."""
    found = {path: (plan.steps[path], step) for path, step in state.steps.items()}
    for element_plan, element in _elements(plan, state):
        found |= all_steps(element_plan, element)
    return found


def open_interrupts(plan: Plan, state: RunState) -> Steps:
    """Return the interrupts that wait for a payload, by path."""
    return {
        path: (planned, step)
        for path, (planned, step) in all_steps(plan, state).items()
        if step.phase is StepPhase.WAITING and planned.kind is StepKind.INTERRUPT
    }


def _elements(plan: Plan, state: RunState) -> Iterator[tuple[Plan, RunState]]:
    for of, flight in state.elements.items():
        mapped = plan.steps[of].map
        assert mapped is not None
        for key, element in flight.items():
            yield plan_at(mapped, of, key), element


def is_paused(plan: Plan, state: RunState) -> bool | None:
    """Tell whether nothing can go on before a signal comes; None where an evaluation is on its way."""
    header = state.header
    if state.evaluating or any(one.evaluating for _, one in _elements(plan, state)):
        return None
    if header.stage is not Stage.FORWARD or is_held(header):
        return False
    inner = [is_paused(*one) for one in _elements(plan, state)]
    if None in inner:
        return None
    if not all(inner) or any(_moves(plan, state, path) for path in plan.steps):
        return False
    return bool(inner) or any(step.phase is StepPhase.WAITING for step in state.steps.values())


def _moves(plan: Plan, state: RunState, path: str) -> bool:
    """Tell whether something goes on in a step itself, or could begin."""
    planned, step = plan.steps[path], state.step(path)
    if step.task is not None or step.phase is StepPhase.RETRYING or step.phase in CLEANUP:
        return True
    if step.phase is StepPhase.RUNNING and planned.map is not None:
        assert step.map is not None
        flight = state.elements.get(path, {})
        return not flight or _opens_more(planned, step.map, len(flight))
    return step.phase is StepPhase.PENDING and path not in plan.finals and _is_startable(plan, state, path)


def _is_startable(plan: Plan, state: RunState, path: str) -> bool:
    planned = plan.steps[path]
    inside = planned.scope in OUTERMOST or state.step(planned.scope).phase is StepPhase.RUNNING
    return inside and all(state.step(need).phase in DONE for need in planned.needs)


def _opens_more(planned: StepPlan, state: MapState, in_flight: int) -> bool:
    plan = planned.map
    assert plan is not None
    known = state.known if state.total is None else state.total
    barrier = plan.barrier and state.opened >= state.batch_end
    return state.failure is None and state.opened < known and in_flight < plan.batch_size and not barrier
