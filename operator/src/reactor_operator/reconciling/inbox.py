"""What waits in the inbox of a run, as events in the order in which they are decided on.

In: entries of a snapshot. Out: events, and groups of them. Never here: a decision.
"""

from collections.abc import Sequence

from reactor_operator.engine import events as ev
from reactor_operator.engine.signals import action_of
from reactor_operator.store.codec import decode_event

ASKED_BEFORE = "state of this run was lost after this was asked: look at what its steps did, then ask again"
NEEDS_WHAT_IS_LOST = (
    "a document that this needs is gone from the store: look at what the steps of this run did, undo that by hand, and "
    "start another run where that is right"
)


def events_of(inbox: Sequence[tuple[int, bytes]]) -> list[ev.Event]:
    """Return what waits, outcomes first, then signals: a cancel must not close a task whose outcome is recorded."""
    events = [decode_event(body) for _, body in inbox]
    return sorted(events, key=lambda event: isinstance(event, ev.Signal | ev.SpecChanged))


def last_of(inbox: Sequence[tuple[int, bytes]]) -> int:
    """Return the position of the last entry, 0 where none waits."""
    return max((position for position, _ in inbox), default=0)


def refused_if_old(event: ev.Event, refusal: str) -> ev.Event:
    """Return a request that would set a run going as one that is refused, and why. A cancel only ends it, and one to
    suspend it only holds it.
    """
    if isinstance(event, ev.SuspendRequested) and event.suspended:
        return event
    sets_going = ev.UndoRequested | ev.RetryRequested | ev.SkipRequested | ev.ResumeRequested | ev.SuspendRequested
    if isinstance(event, sets_going):
        return ev.RequestUnreadable(id=event.id, action=action_of(event), reason=refusal, by=event.by)
    return event


def groups_of(events: list[ev.Event]) -> list[list[ev.Event]]:
    """Return the events in groups to be decided on together, in order. A halt ends its group: what follows is later."""
    groups: list[list[ev.Event]] = [[]]
    for event in events:
        groups[-1].append(event)
        if isinstance(event, ev.TaskHalted):
            groups.append([])
    return [group for group in groups if group]
