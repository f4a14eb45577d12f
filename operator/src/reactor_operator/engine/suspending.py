"""Holding still and going on: what the spec of a run says of it, and what people ask. The last word counts.

In: a draft and one such word. Out: the run suspended, or not; or why a request is refused.
Never here: what a suspended run leaves undone (whoever would do it asks `is_held`).
Source of the rules: DESIGN 4, rule 9; docs/decisions/0020.
"""

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.events import SpecChanged, SuspendRequested
from reactor_operator.engine.facts import FactKind
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.state import Goal, Header, Stage, Suspension, suspended_in_spec

_NAME_LIMIT = 256
_NEVER_HELD = {Goal.CANCEL: "cancelled", Goal.UNDO: "undone"}


def spec_changed(draft: Draft, event: SpecChanged) -> None:
    """Hold still from now on, or go on. A word of an older generation that comes late changes nothing.

    Another generation that says of it what the one before said is about something else: what was requested stands.
    """
    header = draft.header
    if event.generation <= header.generation:
        return
    draft.set(generation=event.generation)  # told also when the run is over: `kubectl wait` looks at it
    if event.suspended == suspended_in_spec(header):
        return
    draft.set(suspension=None)
    if header.stage is Stage.OVER:
        draft.set(suspended=event.suspended)  # for whoever takes the run up again; nobody is told, for nothing goes on
    elif event.suspended != header.suspended:
        words = "spec.suspend is " + ("true" if event.suspended else "false")
        _turn(draft, event.suspended, words, "")


def refuse_suspend(draft: Draft, event: SuspendRequested) -> str:
    """Return why the run cannot hold still, empty where it can; it can always go on."""
    header = draft.header
    goes_on = header.goal in _NEVER_HELD and header.stage is not Stage.RECOVERING
    if goes_on and event.suspended:
        doing = _NEVER_HELD[header.goal]
        return f"the run is being {doing}, which goes on also where it is suspended: wait for its end"
    return ""


def already_so(suspended: bool, event: SuspendRequested) -> str:
    """Return that a request asks for what already is so, empty where it does not."""
    if event.suspended != suspended:
        return ""
    return "the run is suspended already" if suspended else "the run is not suspended"


def suspend(draft: Draft, event: SuspendRequested) -> None:
    """Hold still from now on, or go on, until somebody asks for the other or the spec says another thing."""
    header = draft.header
    if event.suspended == header.suspended:
        return
    by, reason = render_message(event.by)[:_NAME_LIMIT], render_message(event.reason)
    draft.set(suspension=Suspension(in_spec=suspended_in_spec(header), by=by, reason=reason))
    _turn(draft, event.suspended, why_requested(draft.header), reason)


def why_requested(header: Header) -> str:
    """Return who asked for what `suspended` says, and why, as people read it; empty where nobody did."""
    asked = header.suspension
    if asked is None:
        return ""
    known = ": ".join(word for word in (asked.by, asked.reason) if word)
    return "on request" + (f" ({known})" if known else "")


def _turn(draft: Draft, suspended: bool, why: str, reason: str) -> None:
    draft.set(suspended=suspended)
    draft.announce("Suspended" if suspended else "Resumed", why)
    draft.tell(FactKind.RUN_SUSPENDED if suspended else FactKind.RUN_RESUMED, message=reason)
