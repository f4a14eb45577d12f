"""What people were told of a run: its status, read back to see whether the store has lost something, and for how long a
run that is not stored yet has waited.

In: a run as the API server has it. Out: single facts of its status. Total: any status has an answer.
Never here: a status taken for the truth about a run.
"""

from collections.abc import Mapping
from dataclasses import replace

from reactor_operator.engine.failures import render_message
from reactor_operator.engine.signals import ANSWERS_KEPT
from reactor_operator.engine.state import ENDED, RunPhase, RunState, SignalAnswer
from reactor_operator.kube.fields import maps_at, text_at
from reactor_operator.kube.moments import parse_moment
from reactor_operator.ports import RunObject
from reactor_operator.status.conditions import QUEUED


def told_sequence(run: RunObject) -> int:
    """Return the revision that the run's status was rendered from; 0 where none was."""
    store = run.status.get("store")
    sequence = store.get("sequence") if isinstance(store, Mapping) else None
    return sequence if isinstance(sequence, int) else 0


def told_end(run: RunObject) -> bool:
    """Tell whether the status says that the run has ended."""
    return text_at(run.status, "phase") in ENDED


def told_recovering(run: RunObject) -> bool:
    """Tell whether the status says that state was lost: a state that knows nothing of it is an older copy."""
    return run.status.get("phase") == RunPhase.RECOVERING.value


def told_wait(run: RunObject, now: int) -> int:
    """Return since when (int ms) the run waits for what it names. The time in which it was queued does not count."""
    if run.status.get("phase") != RunPhase.PENDING.value:
        return run.created_at
    told = [one for one in maps_at(run.status, "conditions") if text_at(one, "type") == "Reconciling"]
    if any(text_at(one, "reason") == QUEUED for one in told):
        return now
    since = [moment for one in told if (moment := parse_moment(text_at(one, "lastTransitionTime"))) is not None]
    return min(max([run.created_at, *since]), max(now, run.created_at))


def told_reactor(run: RunObject) -> str:
    """Return the name of the reactor in the run's spec."""
    reference = run.spec.get("reactorRef")
    name = reference.get("name") if isinstance(reference, Mapping) else None
    return name if isinstance(name, str) else ""


def told_answers(run: RunObject) -> tuple[SignalAnswer, ...]:
    """Return the answers in the status of a run that waits to be opened: nothing else keeps them until it is."""
    if run.status.get("phase") != RunPhase.PENDING.value:
        return ()
    return tuple(
        SignalAnswer(
            id=text_at(one, "id"),
            action=text_at(one, "action"),
            accepted=text_at(one, "phase") == "Accepted",
            reason=render_message(text_at(one, "reason")),
            by=text_at(one, "by"),
            at=parse_moment(text_at(one, "at")) or 0,
        )
        for one in maps_at(run.status, "signals")[-ANSWERS_KEPT:]
    )


def with_answers(state: RunState, told: tuple[SignalAnswer, ...]) -> RunState:
    """Return a new state that knows what was answered before there was one, so that none of it is answered again."""
    known = {(answer.id, answer.action) for answer in told}
    more = tuple(answer for answer in state.header.signals if (answer.id, answer.action) not in known)
    return replace(state, header=replace(state.header, signals=(*told, *more)[-ANSWERS_KEPT:])) if told else state
