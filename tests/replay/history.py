"""A recorded history: a reactor, what happened to a run of it step by step, and what the engine made of each step.

In: the text of `histories/NAME.json`, or a `History`. Out: the other of the two; the plan of its reactor.
Never here: a decision, or a comparison (see `replaying`).

Documents are those of the store's codec, as JSON objects: `events`, `orders`, `header` and `steps` of a step of the
history are what the inbox, the outbox and the records hold. A step with `evaluating` is one that no commit ends at: the
engine still waits there for what it asked (`asked`). What changes of maps is `filed` (see there).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.check import check_spec
from reactor_operator.api.planning import plan_of
from reactor_operator.engine.actions import Effect, EngineAction, Evaluation, JudgePayload
from reactor_operator.engine.draft import Decision
from reactor_operator.engine.events import Event
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import Header
from reactor_operator.store.codec import encode_action, encode_header, encode_step
from tests.replay.filed import Document, Filed, evaluating_in, event_document, filed_by

FOLDER = Path(__file__).parent / "histories"
PENDING_TIMEOUT_MS = 600_000
_WIDTH = 118
_OF_MAPS = ("elements", "outcomes", "pages", "dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryStep:
    """One call of `decide_together`: the events that were told at `now`, and what came of it.

    `asked` are evaluations, `orders` effects, both in order; `steps` are those that changed, by path, and `header` is
    empty where it did not change. `maps` is what changed of maps.
    """

    now: int
    events: Sequence[Document]
    asked: Sequence[Document] = ()
    orders: Sequence[Document] = ()
    wake_at: int | None = None
    evaluating: Sequence[str] = ()
    header: Document = field(default_factory=dict)
    steps: Mapping[str, Document] = field(default_factory=dict)
    maps: Filed = field(default_factory=Filed)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One run from its beginning to its end; `spec` is that of its Reactor."""

    name: str
    about: str
    uid: str
    start: int
    spec: Document
    steps: Sequence[HistoryStep]


def plan_from(spec: Document) -> Plan:
    """Lay out the spec of a Reactor as the operator does when a run starts."""
    return _planned(json.dumps(spec))


@lru_cache(maxsize=64)
def _planned(spec: str) -> Plan:
    checked = check_spec(json.loads(spec))
    assert checked.spec is not None, f"the reactor is not sound: {'; '.join(map(str, checked.problems))}"
    return plan_of(blueprint_of(checked.spec), pending_timeout_ms=PENDING_TIMEOUT_MS)


def describe(before: Header | None, events: Sequence[Event], now: int, decision: Decision) -> HistoryStep:
    """Return the step of a history that one decision is. `before` is the header as it is stored by then, if it is."""
    state = decision.state
    return HistoryStep(
        now=now,
        events=[event_document(event) for event in events],
        asked=[_asked(action) for action in decision.actions if isinstance(action, Evaluation)],
        orders=[json.loads(encode_action(action)) for action in decision.actions if isinstance(action, Effect)],
        wake_at=decision.wake_at,
        evaluating=evaluating_in(state),
        header={} if state.header == before else json.loads(encode_header(state.header)),
        steps={path: json.loads(encode_step(state.steps[path])) for path in sorted(decision.touched)},
        maps=filed_by(decision.filing),
    )


def _asked(action: EngineAction) -> Document:
    """Render an evaluation, which is answered inside the fold and therefore has no form in the store."""
    if isinstance(action, JudgePayload):
        return {"type": type(action).__name__, "request": action.request.id}
    names = ("path", "round", "page", "scope", "task")
    told = {name: getattr(action, name) for name in names if hasattr(action, name)}
    return {"type": type(action).__name__, **{name: getattr(value, "key", value) for name, value in told.items()}}


def histories() -> list[str]:
    """Return the names of all that are recorded."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def read_history(name: str) -> History:
    """Return the history that is recorded under this name."""
    return parse_history(name, (FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def parse_history(name: str, text: str) -> History:
    """Return the history that `render_history` rendered."""
    document = json.loads(text)
    return History(
        name=name,
        about=document["about"],
        uid=document["uid"],
        start=document["start"],
        spec=document["reactor"],
        steps=[_parsed(step) for step in document["history"]],
    )


def _parsed(step: Document) -> HistoryStep:
    named = {("wake_at" if key == "wakeAt" else key): value for key, value in step.items()}
    maps = Filed(**{name: named.pop(name) for name in _OF_MAPS if name in named})
    return HistoryStep(**named, maps=maps)


def render_history(history: History) -> str:
    """Return the text of a history: the same for the same history; what is empty is left out."""
    document = {
        "about": history.about,
        "uid": history.uid,
        "start": history.start,
        "reactor": history.spec,
        "history": [_rendered(step) for step in history.steps],
    }
    return _laid_out(document, 0, 0) + "\n"


def _rendered(step: HistoryStep) -> Document:
    document: Document = {
        "now": step.now,
        "events": step.events,
        "asked": step.asked,
        "orders": step.orders,
        "wakeAt": step.wake_at,
        "evaluating": step.evaluating,
        "header": step.header,
        "steps": step.steps,
        **{name: getattr(step.maps, name) for name in _OF_MAPS},
    }
    return {name: value for name, value in document.items() if value or name == "events"}


def _laid_out(value: Any, indent: int, taken: int) -> str:
    """Render JSON: what fits on a line is one line, anything else one line for each of its members."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or 2 * indent + taken + len(flat) <= _WIDTH:
        return flat
    inner = "  " * (indent + 1)
    if isinstance(value, dict):
        names = [json.dumps(name, ensure_ascii=False) + ": " for name in value]
        opened, closed = "{}"
    else:
        names = [""] * len(value)
        opened, closed = "[]"
    members = value.values() if isinstance(value, dict) else value
    lines = [
        inner + name + _laid_out(member, indent + 1, len(name) + 1) for name, member in zip(names, members, strict=True)
    ]
    return opened + "\n" + ",\n".join(lines) + "\n" + "  " * indent + closed
