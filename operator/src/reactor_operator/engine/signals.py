"""Requests from people: each is answered once, accepted or refused with the reason.

In: a draft and a request. Out: the answer among the header's `signals`, and where it is accepted what it asks for.
Never here: who may ask (the shell has judged that).
"""

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.ending import cancel
from reactor_operator.engine.events import CancelRequested
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.state import Goal, SignalAnswer, Stage

_KEPT = 20
_NAME_LIMIT = 256


def cancel_requested(draft: Draft, event: CancelRequested) -> None:
    """Answer a cancel. One that was answered before changes nothing."""
    header = draft.header
    name = event.id[:_NAME_LIMIT]
    if any(answer.id == name and answer.action == "cancel" for answer in header.signals):
        return
    refused = ""
    if header.stage is Stage.OVER:
        refused = f"the run has ended: {header.phase}"
    elif header.goal is Goal.CANCEL:
        refused = "the run is being cancelled already"
    reason = render_message(event.reason)
    answer = SignalAnswer(
        id=name,
        action="cancel",
        accepted=not refused,
        reason=refused or reason,
        by=event.by[:_NAME_LIMIT],
        at=draft.now,
    )
    draft.set(signals=(*header.signals, answer)[-_KEPT:])
    if not refused:
        cancel(draft, reason)
