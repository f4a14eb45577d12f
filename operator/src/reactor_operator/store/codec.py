"""Engine values as bytes and back: what the store keeps of a run, its inbox and its outbox.

In: frozen dataclasses of `engine`. Out: compact JSON, the same bytes for the same value, and values again.
Never here: bytes from outside (the gateway and the pod watcher parse those), or a decision about what they mean.

The form: one object per dataclass, fields by name, fields at their default left out, so that a plain step takes well
under 300 bytes. A task is its key, a reference is `DIGEST:SIZE`, and members of a union carry `type`. A field that
this version does not know is ignored, for a newer operator may have written it; an unknown `type` is refused, for
dropping a fact or an order silently is worse than stopping.
"""

import dataclasses
import functools
import json
import operator
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, cast

import orjson

from reactor_operator.engine import actions, events
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.history import Transition
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import Header, RunState, StepState
from reactor_operator.engine.values import ValueRef

_ABSENT: Any = object()
_TAG = "type"
_ACTIONS = {action.value: action for action in Action}


class Unreadable(Exception):
    """Stored bytes are not what this version writes: they were damaged, or a newer version wrote them."""


def encode_event(event: events.Event) -> bytes:
    """Render an event for the inbox."""
    return _render_tagged(event)


def encode_plain_success(task_key: str) -> bytes:
    """Render `TaskSucceeded` of a task that brings nothing, a fifth of the work: what most elements of maps say."""
    return b'{"type":"TaskSucceeded","task":%b}' % _dump(task_key)


def decode_event(body: bytes) -> events.Event:
    """Return the event that `encode_event` rendered. Raises Unreadable."""
    return cast("events.Event", _parse_tagged("event", _event_types(), body))


def encode_action(action: actions.Effect) -> bytes:
    """Render an action for the outbox."""
    return _render_tagged(action)


def decode_action(body: bytes) -> actions.Effect:
    """Return the action that `encode_action` rendered. Raises Unreadable."""
    return cast("actions.Effect", _parse_tagged("action", _action_types(), body))


def encode_header(header: Header) -> bytes:
    """Render the header of a run."""
    return _dump(_to_json(header))


def decode_header(body: bytes) -> Header:
    """Return the header that `encode_header` rendered. Raises Unreadable."""
    return cast("Header", _parse("header", Header, body))


def encode_step(step: StepState) -> bytes:
    """Render the record of one step."""
    return _dump(_to_json(step))


def decode_step(body: bytes) -> StepState:
    """Return the step that `encode_step` rendered. Raises Unreadable."""
    return cast("StepState", _parse("step", StepState, body))


def encode_elements(elements: Mapping[str, RunState]) -> dict[str, bytes]:
    """Render the records of elements by path. Many were begun together and share a header, which is rendered once."""
    found: dict[str, bytes] = {}
    last, header = None, {}
    for path, element in elements.items():
        if element.header is not last:
            last, header = element.header, _header_to_json(element.header)
        found[path] = _dump({"header": header, "steps": _steps_to_json(path, element)})
    return found


def decode_element(path: str, uid: str, body: bytes) -> tuple[Header, dict[str, StepState]]:
    """Return what `encode_elements` rendered of an element of a run. Raises Unreadable."""
    try:
        return element_from_json(path, uid, _load("element", body))
    except (ValueError, TypeError, AttributeError, KeyError) as problem:
        raise Unreadable(f"stored element cannot be read ({problem}): {body[:200]!r}") from problem


def element_to_json(path: str, element: RunState) -> dict[str, Any]:
    """Return what is stored of an element: its header, and its steps by path inside it. The run has the uid."""
    return {"header": _header_to_json(element.header), "steps": _steps_to_json(path, element)}


def _header_to_json(header: Header) -> dict[str, Any]:
    found = _to_json(header)
    found.pop("uid", None)
    return found


def _steps_to_json(path: str, element: RunState) -> dict[str, Any]:
    cut = len(path)
    return {at[cut:]: _to_json(step) for at, step in element.steps.items()}


def element_from_json(path: str, uid: str, document: Mapping[str, Any]) -> tuple[Header, dict[str, StepState]]:
    """Return what `element_to_json` rendered. Raises ValueError, TypeError, AttributeError or KeyError."""
    header = _from_json(Header, {**document["header"], "uid": uid})
    return header, {path + at: _from_json(StepState, step) for at, step in document["steps"].items()}


def encode_transition(transition: Transition) -> bytes:
    """Render an entry of the history of a run."""
    return _dump(_to_json(transition))


def decode_transition(body: bytes) -> Transition:
    """Return the transition that `encode_transition` rendered. Raises Unreadable."""
    return cast("Transition", _parse("transition", Transition, body))


def failure_to_json(failure: Failure) -> dict[str, Any]:
    """Return a failure as the outcome of an element has it."""
    return _to_json(failure)


def failure_from_json(document: Mapping[str, Any]) -> Failure:
    """Return the failure that `failure_to_json` rendered."""
    return cast("Failure", _from_json(Failure, document))


def reference_to_json(ref: ValueRef) -> str:
    """Return a reference as one word."""
    return f"{ref.digest}:{ref.size}"


def reference_from_json(raw: str) -> ValueRef:
    """Return the reference that `reference_to_json` rendered."""
    digest, _, size = raw.rpartition(":")
    return ValueRef(digest, int(size))


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    """How one field is written and read. A converter of None: JSON has the same form. None is never converted."""

    name: str
    default: Any
    to_json: Callable[[Any], Any] | None
    from_json: Callable[[Any], Any] | None


def _dump(document: object) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError:
        # Text with lone surrogates (names of files, mostly) has no form in UTF-8; each becomes a question mark.
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _render_tagged(value: Any) -> bytes:
    return _dump({_TAG: value.type, **_to_json(value)})


def _to_json(value: Any) -> dict[str, Any]:
    document = {}
    cls: type = type(value)
    read, fields = _layout_of(cls)
    for found, (name, default, to_json) in zip(read(value), fields, strict=True):
        if found is default or found == default:
            continue
        document[name] = found if found is None or to_json is None else to_json(found)
    return document


def _from_json(cls: type, document: Mapping[str, Any]) -> Any:
    fields = _fields_of(cls)
    found = {}
    for name, raw in document.items():
        field = fields.get(name)
        if field is not None:
            found[name] = raw if raw is None or field.from_json is None else field.from_json(raw)
    return cls(**found)


def _load(what: str, body: bytes) -> dict[str, Any]:
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise Unreadable(f"stored {what}: found {body[:80]!r}, expected a JSON object")
    return document


def _parse(what: str, cls: type, body: bytes) -> Any:
    try:
        return _from_json(cls, _load(what, body))
    except (ValueError, TypeError, AttributeError) as problem:
        raise Unreadable(f"stored {what} cannot be read ({problem}): {body[:200]!r}") from problem


def _parse_tagged(what: str, members: Mapping[str, type], body: bytes) -> Any:
    try:
        document = _load(what, body)
        cls = members.get(document.get(_TAG, ""))
        if cls is None:
            raise Unreadable(
                f"stored {what}: type {document.get(_TAG)!r} is unknown to this version, which knows "
                f"{', '.join(members)}; run the version that wrote it, or a newer one"
            )
        return _from_json(cls, document)
    except (ValueError, TypeError, AttributeError) as problem:
        raise Unreadable(f"stored {what} cannot be read ({problem}): {body[:200]!r}") from problem


def _task_to_json(task: Task) -> str:
    return task.key


def _task_from_json(raw: str) -> Task:
    path, action, round_, attempt, launch = raw.rsplit(".", 4)
    return Task(path, _ACTIONS.get(action) or Action(action), int(round_), int(attempt), int(launch))


@functools.cache
def _layout_of(
    cls: type,
) -> tuple[Callable[[Any], tuple[Any, ...]], list[tuple[str, Any, Callable[[Any], Any] | None]]]:
    """Return what reads all fields at once, and of each its name, its default and how it is written."""
    fields = [(field.name, field.default, field.to_json) for field in _fields_of(cls).values()]
    if len(fields) < 2:
        return (lambda value: tuple(getattr(value, name) for name, _, _ in fields)), fields
    return operator.attrgetter(*(name for name, _, _ in fields)), fields


@functools.cache
def _fields_of(cls: type) -> dict[str, _Field]:
    hints = typing.get_type_hints(cls)
    return {
        field.name: _Field(
            field.name,
            _ABSENT if field.default is dataclasses.MISSING else field.default,
            *_converters(hints[field.name]),
        )
        for field in dataclasses.fields(cls)
        if field.name != _TAG
    }


def _converters(hint: Any) -> tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]:
    """Return how a value of this type becomes JSON, and back."""
    if isinstance(hint, types.UnionType):
        (hint,) = (member for member in typing.get_args(hint) if member is not types.NoneType)
    if hint in (str, int, bool):
        return None, None
    if hint is ValueRef:
        return reference_to_json, reference_from_json
    if hint is Task:
        return _task_to_json, _task_from_json
    if typing.get_origin(hint) is tuple:
        return _tuple_converters(typing.get_args(hint)[0])
    if issubclass(hint, Enum):
        return None, hint
    return _to_json, functools.partial(_from_json, hint)


def _tuple_converters(member: Any) -> tuple[Callable[[Any], Any] | None, Callable[[Any], Any]]:
    to_json, from_json = _converters(member)
    if to_json is None or from_json is None:
        return None, tuple
    return (lambda found: [to_json(one) for one in found]), (lambda raw: tuple(from_json(one) for one in raw))


@functools.cache
def _event_types() -> dict[str, type]:
    return {cls.__name__: cls for cls in typing.get_args(events.Event)}


@functools.cache
def _action_types() -> dict[str, type]:
    return {cls.__name__: cls for cls in typing.get_args(actions.Effect)}
