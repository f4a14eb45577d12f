"""What people ask of a run: annotations `reactor.run/ACTION[.ID]`, and entries of `status.requests`.

In: annotations and status of a run, which anyone may have written. Out: requests, and what removes them once they are
answered. Never here: a decision; a request that makes no sense is handed on as one, so that it is answered too.

Without an id of its own a request is known by what it says, until it is taken away: taking it away counts, in the
annotation `reactor.run/answered.ACTION`, in the same patch. So it is answered once however often it is read, also by
another operator; and asked for again, it is another request.

Total: an empty value, `true` and `{}` mean the same; an object says more; of a cancel and an undo any other text is the
reason. `false` of a suspend lets the run go on; other text is no reason there, for `off` must not hold a run still.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson

from reactor_operator.engine.events import (
    CancelRequested,
    RequestUnreadable,
    ResumeRequested,
    RetryRequested,
    Signal,
    SkipRequested,
    SuspendRequested,
    UndoRequested,
)
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.identity import digest_of
from reactor_operator.engine.signals import action_of
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.ports import RunObject, RunRef
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry

ACTIONS = ("cancel", "undo", "retry", "skip", "resume", "suspend")
_PREFIX = "reactor.run/"
_COUNT = "reactor.run/answered."
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_LIMIT = 8
_ID_LIMIT = 200
VALUE_LIMIT = 64 * 1024
"""Bytes of JSON that a payload or the arguments of a request may have."""
_FIELDS = {
    "cancel": frozenset({"reason"}),
    "undo": frozenset({"reason", "delete"}),
    "retry": frozenset({"reason", "step", "arguments", "assume"}),
    "skip": frozenset({"reason", "step", "payload"}),
    "resume": frozenset({"reason", "step", "payload", "mode", "dryRun"}),
    "suspend": frozenset({"reason", "suspend"}),
}
_EXPECTED = {
    "retry": 'a JSON object such as {"step": "charge"}',
    "skip": 'a JSON object such as {"step": "charge"}',
    "resume": 'a JSON object such as {"step": "approve", "payload": {"approved": true}}',
    "suspend": 'true, false, or a JSON object such as {"reason": "the courier is away"}',
}
_OF_AN_INTERRUPT = frozenset({"resume", "skip"})
_ENVELOPE = frozenset({"id", "action", "by"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `id` is what the answer in `status.signals` is called; `removal` is the JSON patch that removes it.

    in_status: it is an entry of `status.requests`, which is a part of the subresource.
    """

    id: str
    event: Signal
    removal: list[dict[str, object]]
    in_status: bool = False
    values: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """What is asked for."""
        return action_of(self.event)

    def entry_for(self, ref: RunRef) -> Entry:
        """Return the request as an inbox entry; the same request is the same entry."""
        digest = digest_of(self.action, self.id)
        return Entry(run=ref.uid, digest=digest, body=encode_event(self.event), values=self.values)


class _Unreadable(Exception):
    """The request says something that has no meaning; the message says what."""


def parse_requests(run: RunObject) -> list[Request]:
    """Return what is asked of a run now, by annotation and in its status."""
    return [*parse_annotations(run.annotations), *parse_status_requests(run.status.get("requests"))]


def parse_annotations(annotations: Mapping[str, str]) -> list[Request]:
    """Return the requests among the annotations, at most a few."""
    found = []
    for key in sorted(annotations):
        action, _, message_id = key.removeprefix(_PREFIX).partition(".")
        if not key.startswith(_PREFIX) or action not in ACTIONS or key.endswith("."):
            continue
        value = annotations[key]
        count = annotations.get(_COUNT + action, "")
        name = message_id[:_ID_LIMIT] or f"annotation-{digest_of(key, value, *([count] if count else []))[:12]}"
        removal: list[dict[str, object]] = [
            {"op": "test", "path": _path_of(key), "value": value},
            *([] if message_id else _counted(action, annotations)),
            {"op": "remove", "path": _path_of(key)},
        ]
        said: object
        try:
            said = _said_in(action, value)
        except _Unreadable as problem:
            found.append(Request(name, _unreadable(name, action, "annotation", problem), removal))
            continue
        found.append(_request(name, action, said, "annotation", removal))
    return found[:_LIMIT]


def _path_of(key: str) -> str:
    return "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")


def _counted(action: str, annotations: Mapping[str, str]) -> list[dict[str, object]]:
    """Return the part of a removal that counts it, so that the same words, said again later, are another request.

    A patch cannot test that there is no count yet, so before the first one all annotations must be what was read.
    """
    path, count = _path_of(_COUNT + action), annotations.get(_COUNT + action, "")
    one_more = int(count) + 1 if _NUMBER.fullmatch(count) else 1
    unchanged: dict[str, object] = {"op": "test", "path": path, "value": count}
    if not count:
        unchanged = {"op": "test", "path": "/metadata/annotations", "value": dict(annotations)}
    return [unchanged, {"op": "add", "path": path, "value": str(one_more)}]


def parse_status_requests(requests: object) -> list[Request]:
    """Return the requests of `status.requests`, at most a few. One without an id or an action is answered as well."""
    found = []
    for place, one in enumerate(requests if isinstance(requests, list) else []):
        path = f"/status/requests/{place}"
        removal: list[dict[str, object]] = [
            {"op": "test", "path": path, "value": one},
            {"op": "remove", "path": path},
        ]
        said = one if isinstance(one, dict) else {}
        name, action = said.get("id"), said.get("action")
        by = said["by"] if isinstance(said.get("by"), str) else "status"
        id_ = name[:_ID_LIMIT] if isinstance(name, str) and name else f"request-{digest_of(_told(one))[:12]}"
        if not isinstance(name, str) or not name or action not in ACTIONS:
            problem = _Unreadable(f"expected an id and an action, one of {', '.join(ACTIONS)}")
            shown = action if isinstance(action, str) and action else "unknown"
            found.append(Request(id_, _unreadable(id_, shown[:64], by, problem), removal, in_status=True))
            continue
        inner = {key: value for key, value in said.items() if key not in _ENVELOPE}
        found.append(_request(id_, action, inner, by, removal, in_status=True))
    return found[:_LIMIT]


def request_of(
    name: str, action: str, said: Mapping[str, object], by: str, *, approved: bool = False, round_: int = 0
) -> Request:
    """Return a request that comes by itself. `approved`: whoever asks is known to be one who may approve. `round_`: as
    in the events."""
    asked = _request(name, action, said, by, [])
    match asked.event:
        case ResumeRequested() as event:
            return replace(asked, event=replace(event, approved=approved, round=round_))
        case SkipRequested() as event:
            return replace(asked, event=replace(event, round=round_))
        case _:
            return asked


def said_at(step: str, said: Mapping[str, object], action: str) -> tuple[Mapping[str, object], str]:
    """Return what is said to a run about the interrupt that was found under a correlation id; a text says what is wrong
    with the step that it names already. What concerns no single interrupt is as it was."""
    named = said.get("step", "")
    if action not in _OF_AN_INTERRUPT or named == step:
        return said, ""
    wrong = f"step: found {named!r}, expected {step!r}, which waits under the id, or none" if named else ""
    return {**said, "step": step}, wrong


def _request(
    name: str, action: str, said: object, by: str, removal: list[dict[str, object]], *, in_status: bool = False
) -> Request:
    values: dict[str, bytes] = {}
    event: Signal
    try:
        event = _event(name, action, said, by[:_ID_LIMIT], values)
    except _Unreadable as problem:
        event, values = _unreadable(name, action, by, problem), {}
    return Request(name, event, removal, in_status, values)


def _event(name: str, action: str, said: object, by: str, values: dict[str, bytes]) -> Signal:
    if not isinstance(said, Mapping):
        raise _Unreadable("expected an object")
    unknown = sorted(set(map(str, said)) - _FIELDS[action])
    if unknown:
        expected = ", ".join(sorted(_FIELDS[action]))
        raise _Unreadable(f"unknown field {unknown[0][:64]!r} in {action}, expected {expected}")
    reason = _text(said, "reason")
    match action:
        case "cancel":
            return CancelRequested(id=name, reason=reason, by=by)
        case "undo":
            return UndoRequested(id=name, reason=reason, by=by, delete=_flag(said, "delete"))
        case "retry":
            standing, undone = _assumed(said.get("assume"))
            arguments = _arguments(said, values)
            step = _text(said, "step")
            if arguments is not None and not step:
                raise _Unreadable("arguments without a step: expected step, the one that they are for")
            return RetryRequested(
                id=name, reason=reason, by=by, step=step, arguments=arguments, standing=standing, undone=undone
            )
        case "suspend":
            suspended = _flag(said, "suspend", default=True)
            return SuspendRequested(id=name, reason=reason, by=by, suspended=suspended)
        case "resume":
            mode, step = said.get("mode"), _text(said, "step")
            if mode not in (None, "flexible", "strict"):
                raise _Unreadable("mode: expected flexible: a signal may ask for the milder mode")
            if not step:
                raise _Unreadable("expected step, the interrupt that is resumed")
            payload = _keep(said["payload"], values) if "payload" in said else None
            return ResumeRequested(
                id=name,
                step=step,
                payload=payload,
                mild=mode == "flexible",
                dry_run=_flag(said, "dryRun"),
                reason=reason,
                by=by,
            )
        case _:
            step = _text(said, "step")
            if not step:
                raise _Unreadable("expected step, the one that is skipped")
            value = _keep(said["payload"], values) if "payload" in said else None
            return SkipRequested(id=name, step=step, value=value, reason=reason, by=by)


def _said_in(action: str, value: str) -> object:
    text = value.strip()
    if text in ("", "true", "{}"):
        return {}
    if len(text) > VALUE_LIMIT:
        raise _Unreadable(f"found {len(text)} characters, expected at most {VALUE_LIMIT}")
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        said = text
    if action in ("cancel", "undo") and not isinstance(said, dict):
        return {"reason": said if isinstance(said, str) else text}
    if action == "suspend" and said is False:
        return {"suspend": False}
    if not isinstance(said, dict):
        raise _Unreadable(f"expected {_EXPECTED[action]}")
    return said


def _text(said: Mapping[str, object], name: str) -> str:
    found = said.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise _Unreadable(f"{name}: expected text")
    return render_message(found)


def _flag(said: Mapping[str, object], name: str, *, default: bool = False) -> bool:
    found = said.get(name)
    if found is None:
        return default
    if not isinstance(found, bool):
        raise _Unreadable(f"{name}: expected true or false")
    return found


def _assumed(assume: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if assume is None:
        return (), ()
    if not isinstance(assume, Mapping) or any(value not in ("standing", "undone") for value in assume.values()):
        raise _Unreadable("assume: expected an object of steps, each standing or undone")
    steps = sorted(map(str, assume))
    return tuple(s for s in steps if assume[s] == "standing"), tuple(s for s in steps if assume[s] == "undone")


def _arguments(said: Mapping[str, object], values: dict[str, bytes]) -> ValueRef | None:
    arguments = said.get("arguments")
    if arguments is None:
        return None
    if not isinstance(arguments, Mapping):
        raise _Unreadable("arguments: expected an object")
    return _keep(arguments, values)


def _keep(value: object, values: dict[str, bytes]) -> ValueRef:
    document = _json(value)
    if len(document) > VALUE_LIMIT:
        raise _Unreadable(f"found {len(document)} bytes of JSON, expected at most {VALUE_LIMIT}")
    ref = reference_to(document)
    values[ref.digest] = document
    return ref


def _told(one: object) -> bytes | str:
    """Return what tells one entry from others. It may be nested deeper than it can be written."""
    try:
        return orjson.dumps(one)
    except TypeError:
        pass
    try:
        return repr(one)
    except RecursionError:
        return "nested too deeply"


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        raise _Unreadable("found JSON that is nested too deeply") from None


def _unreadable(name: str, action: str, by: str, problem: _Unreadable) -> RequestUnreadable:
    return RequestUnreadable(id=name, action=action, reason=render_message(str(problem)), by=by[:_ID_LIMIT])
