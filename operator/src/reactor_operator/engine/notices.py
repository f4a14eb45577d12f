"""What became of facts that were sent to notifications.

In: a draft and the report of whoever sends. Out: the counts that people read, and a word to them where a fact is dead.
Never here: an influence on the run. A notification never changes how a run goes or ends.
"""

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.events import NotificationEnded
from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.state import DeadNotice

ANNOUNCED = 10
"""Dead notices of one run that people are told of one by one; the status counts them all."""


def notification_ended(draft: Draft, event: NotificationEnded) -> None:
    """Count one. The caller sees to it that each is reported once: its order is in the outbox until then."""
    notices = draft.header.notices
    if event.delivered:
        draft.set(notices=evolve(notices, {"delivered": notices.delivered + 1}))
        return
    dead = DeadNotice(
        notification=event.notification,
        kind=event.kind,
        sequence=event.sequence,
        message=event.message,
        at=draft.now,
    )
    draft.set(notices=evolve(notices, {"dead": notices.dead + 1, "last_failure": dead}))
    if notices.dead >= ANNOUNCED:
        return
    words = f"Notification {event.notification} was not told of {event.kind} (event {event.sequence}): {event.message}"
    draft.announce("NotificationDead", words, warning=True)
