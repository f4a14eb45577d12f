"""The state of a run as the status of its ReactorRun: a projection of at most 256 KiB.

In: what the run was started with, its plan and state, and the documents small enough to show. Out: `status` as JSON.
Never here: a request, or a clock: `duration` of a run that goes on is as of its latest event, so the same state renders
to the same bytes and nothing is written for nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import orjson

from reactor_operator.api.duration import render_duration
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import (
    DONE,
    ENDED,
    Goal,
    Header,
    Notices,
    RollbackState,
    RunFailure,
    RunPhase,
    RunState,
    SignalAnswer,
    StepPhase,
    StepState,
    is_held,
)
from reactor_operator.engine.suspending import why_requested
from reactor_operator.engine.values import ValueRef
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.kube.moments import render_moment
from reactor_operator.ports import RunRef
from reactor_operator.status.conditions import render_conditions
from reactor_operator.status.failures import render_rollback_failures, render_run_failure, wanted_details
from reactor_operator.status.interrupts import render_interrupts, taking_payloads
from reactor_operator.status.maps import reason_of
from reactor_operator.status.steps import render_result, render_steps, shown_values

STATUS_LIMIT = 256 * 1024
RESULT_LIMIT = 16 * 1024
_LISTED = 500
_ANSWERS_KEPT = 20
_MESSAGE_LIMIT = 1024
_WORDS_LIMIT = 253
_ROOM_FOR_THE_REST = 8 * 1024
_NAMED = 5
_VERBS = {
    StepPhase.RUNNING: "running",
    StepPhase.COMPENSATING: "compensating",
    StepPhase.UNDOING: "undoing",
    StepPhase.RETRYING: "retrying",
    StepPhase.WAITING: "waiting for a signal:",
}
_TROUBLED = frozenset({StepPhase.COMPENSATING, StepPhase.RETRYING})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a run was started with, and which state of which store this is."""

    run: RunRef
    generation: int
    reactor_name: str
    reactor_uid: str = ""
    reactor_generation: int = 0
    digest: str = ""
    incarnation: str = ""
    sequence: int = 0


def wanted_values(plan: Plan, state: RunState) -> frozenset[ValueRef]:
    """Return the documents that `render_status` shows in place; fetch them first."""
    wanted = {*shown_values(plan, state), *wanted_details(state)}
    result = state.header.result
    if result is not None and not result.encrypted and result.size <= RESULT_LIMIT:
        wanted.add(result)
    return frozenset(wanted)


def render_status(
    facts: RunFacts, plan: Plan, state: RunState, values: Mapping[str, bytes], *, stalled: str = ""
) -> dict[str, object]:
    """Return the status of a run. `stalled` says why the operator cannot go on with it, if it cannot."""
    header = state.header
    generation = max(facts.generation, header.generation)
    message = " ".join((stalled or _message(header, plan, state, facts.run.name)).split())
    status: dict[str, object] = {
        "phase": header.phase.value,
        "message": message,
        "progress": _progress(plan, state) if header.taken is None else "",
        "duration": _duration(header),
        "observedGeneration": generation,
        "startedAt": render_moment(header.started_at),
        "store": {"incarnation": facts.incarnation, "sequence": facts.sequence},
        "rollback": _rollback(state, values),
        "conditions": render_conditions(header, generation, message, stalled=stalled),
    }
    held_up = (path for path in plan.steps if path in state.steps and reason_of(state, path))
    if waiting := _names(chain((path for path, _, _ in taking_payloads(plan, state)), held_up)):
        status["waiting"] = waiting
    if interrupts := render_interrupts(plan, state):
        status["interrupts"] = interrupts
    if facts.digest:
        status["reactor"] = {
            "name": facts.reactor_name,
            "uid": facts.reactor_uid,
            "generation": facts.reactor_generation,
            "digest": facts.digest,
        }
    if header.finished_at is not None:
        status["finishedAt"] = render_moment(header.finished_at)
    if header.taken is not None:
        taken = header.taken
        moment = render_moment(taken.ended_at)
        status["takenFrom"] = {"name": taken.run, "uid": taken.uid, "finishedAt": moment}
    if header.failure is not None:
        status["failure"] = render_run_failure(header.failure, values)
    if header.notices.ordered:
        status["notifications"] = _notices(header.notices)
    if header.signals:
        status["signals"] = [_signal(answer) for answer in header.signals]
    shown = {header.result.digest} if header.result is not None and header.result.size <= RESULT_LIMIT else set()
    status |= render_result(header.result, values, shown)
    room = STATUS_LIMIT - _ROOM_FOR_THE_REST - len(orjson.dumps(status))
    status["steps"], status["stepsOmitted"] = render_steps(facts.run, plan, state, values, room)
    return status


def render_pending(
    generation: int,
    message: str,
    since: int,
    *,
    queued: bool = False,
    answers: Sequence[SignalAnswer] = (),
    told: Sequence[JsonObject] = (),
) -> dict[str, object]:
    """Return the status of a run that waits since `since` (int ms) for its Reactor, or (`queued`) for its turn.

    `answers` are those to what people ask of it now, `told` those that its status has: nothing else keeps them.
    """
    header = Header(phase=RunPhase.PENDING, started_at=since, now=since)
    known = {(text_at(one, "id"), text_at(one, "action")) for one in told}
    signals = [*told, *(_signal(answer) for answer in answers if (answer.id, answer.action) not in known)]
    return {
        "phase": RunPhase.PENDING.value,
        "message": message[:_MESSAGE_LIMIT],
        "observedGeneration": generation,
        "conditions": render_conditions(header, generation, message, queued=queued),
        **({"signals": signals[-_ANSWERS_KEPT:]} if signals else {}),
    }


def _progress(plan: Plan, state: RunState) -> str:
    done = sum(1 for step in state.steps.values() if step.phase in DONE)
    return f"{done}/{len(plan.steps)}"


def _duration(header: Header) -> str:
    end = header.finished_at if header.finished_at is not None else header.now
    took = max(end - header.started_at, 0)
    return render_duration(took if took < 10_000 else took - took % 1000)


def _message(header: Header, plan: Plan, state: RunState, name: str) -> str:
    """Return the one sentence that says most: why it ended, else what it waits for, else what it does."""
    if header.phase in ENDED:
        return _last_words(header)
    touched = [(path, state.steps[path]) for path in plan.steps if path in state.steps]
    reasons = ((path, reason_of(state, path)) for path, _ in touched)
    waiting = next((f"{path}: {reason}" for path, reason in reasons if reason), "")
    held = _held(header, name) if is_held(header) else ""
    if header.failure is not None:
        said = f"rolling back: {_where(header.failure)}"[:_MESSAGE_LIMIT]
        return _joined(held, said, _doing(touched), waiting)
    if header.goal is Goal.UNDO:
        said = "undoing" + (f": {header.undo_reason}" if header.undo_reason else "")
        return _joined(said, _doing(touched), waiting)
    if header.goal is Goal.CANCEL:
        names = _names(path for path, step in touched if step.task is not None)
        return f"cancelling, waiting for {names}" if names else "cancelling"
    if header.phase is RunPhase.PAUSED:
        return f"waiting for a signal: {_names(path for path, _, _ in taking_payloads(plan, state))}"
    return _joined(held, waiting or _doing(touched) + _trouble(touched))


def _held(header: Header, name: str) -> str:
    """Return who holds the run still, and how it goes on."""
    if header.suspension is None:
        return f"suspended by spec.suspend: set it to false, or call `reactor suspend {name} --off`, to go on"
    return f"suspended {why_requested(header)[:_MESSAGE_LIMIT]}: call `reactor suspend {name} --off` to go on"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _doing(touched: Sequence[tuple[str, StepState]]) -> str:
    """Return what is done now: `running a, b; retrying c`."""
    named = ((verb, _names(path for path, step in touched if step.phase is phase)) for phase, verb in _VERBS.items())
    return "; ".join(f"{verb} {names}" for verb, names in named if names)


def _trouble(touched: Sequence[tuple[str, StepState]]) -> str:
    """Return why the first step that is compensated or attempted again failed, as the end of a sentence."""
    failures = (step.failure for _, step in touched if step.phase in _TROUBLED and step.failure is not None)
    return next((f" after {failure.kind}: {failure.message}"[:_MESSAGE_LIMIT] for failure in failures), "")


def _names(paths: Iterable[str]) -> str:
    first = list(islice(paths, _NAMED + 1))
    return ", ".join(first[:_NAMED]) + (" …" if len(first) > _NAMED else "")


def _last_words(header: Header) -> str:
    if header.phase is RunPhase.CANCELLED:
        words = header.cancel_reason or "cancelled on request"
    elif header.phase is RunPhase.UNDONE:
        words = header.undo_reason or "undone on request"
    elif header.phase is RunPhase.HALTED:
        words = header.halt_reason or "halted by a step"
    elif header.failure is not None:
        words = _where(header.failure)
    else:
        words = ""
    if header.rollback is RollbackState.COMPLETE:
        words += f" (rolled back: {', '.join(header.undone[:5])}{' …' if len(header.undone) > 5 else ''})"
    elif header.rollback is RollbackState.INCOMPLETE:
        left = ", ".join(dict.fromkeys(failure.step for failure in header.rollback_failures[:5]))
        words += f" (rollback incomplete: {left or 'cancelled'})"
    if header.taken is not None:
        taken = header.taken
        source = f"taken from run {taken.run} ({taken.uid}) that ended at {render_moment(taken.ended_at)}"
        words = ": ".join(filter(None, (source, words.strip())))
    return words.strip()[:_MESSAGE_LIMIT]


def _where(failure: RunFailure) -> str:
    words = f"{failure.failure.kind}: {failure.failure.message}"
    return f"{failure.step}: {words}" if failure.step else words


def _rollback(state: RunState, values: Mapping[str, bytes]) -> dict[str, object]:
    header = state.header
    return {
        "state": header.rollback.value,
        "undone": list(header.undone[:_LISTED]),
        "failures": render_rollback_failures(state, values),
    }


def _notices(notices: Notices) -> dict[str, object]:
    rendered: dict[str, object] = {
        "pending": notices.pending,
        "delivered": notices.delivered,
        "dead": notices.dead,
    }
    if (last := notices.last_failure) is not None:
        rendered["lastFailure"] = {
            "notification": last.notification,
            "event": last.kind,
            "sequence": last.sequence,
            "message": last.message,
            "at": render_moment(last.at),
        }
    return rendered


def _signal(answer: SignalAnswer) -> dict[str, object]:
    rendered: dict[str, object] = {
        "id": answer.id[:_WORDS_LIMIT],
        "action": answer.action,
        "phase": "Accepted" if answer.accepted else "Rejected",
        "at": render_moment(answer.at),
    }
    if answer.step:
        rendered["step"] = answer.step
    if answer.reason:
        rendered["reason"] = answer.reason
    if answer.errors:
        rendered["errors"] = list(answer.errors)
    return rendered | ({"by": answer.by[:_WORDS_LIMIT]} if answer.by else {})
