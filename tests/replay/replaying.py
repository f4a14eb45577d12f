"""Plays a recorded history on today's code and says where the two part.

In: a `History`. Out: the states it goes through, or a `Parted` that names the file, the step, the first field that
differs, and what to do.
Never here: what is right. A history says what was, and running runs depend on it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from reactor_operator.engine.decide import begin, decide_together
from reactor_operator.engine.derive import restore
from reactor_operator.engine.state import RunState, StepState
from reactor_operator.store.codec import decode_action, decode_header, decode_step
from tests.replay.filed import event_from, stored_elements, stored_outcomes
from tests.replay.history import History, HistoryStep, describe, plan_from
from tests.unit.engine.driver import bare

_ABSENT: Any = object()
REMEDY = (
    "runs that were started before would go on differently; if that is meant, write a record in docs/decisions/ that "
    "says what becomes of them, then run `make histories`"
)


class Parted(AssertionError):
    """Today's code does not do what was recorded."""


def replay(history: History) -> Sequence[RunState]:
    """Fold the recorded events from the beginning and return the state after each step.

    Raises Parted at the first step that comes out differently.
    """
    return _fold(history, begin(plan_from(history.spec), history.uid, history.start), 0)


def resume(history: History, done: int) -> Sequence[RunState]:
    """Take the run up as it was stored after `done` steps, finish it with what remains, and return the states.

    The first one is the one that was stored.
    Raises Parted where what was stored cannot be read, or at the first step that comes out differently.
    """
    try:
        state = stored_after(history, done)
    except Exception as problem:
        raise _parted(history, done, f"what was stored by then cannot be taken up: {problem!r}") from problem
    try:
        return [bare(state), *_fold(history, state, done)]
    except Parted as parted:
        raise Parted(f"taken up as it was stored after step {done}: {parted}") from parted


def stored_after(history: History, done: int) -> RunState:
    """Return the state as a restarted operator reads it from the documents that were stored after `done` steps."""
    header = next(step.header for step in reversed(history.steps[:done]) if step.header)
    documents = {path: body for step in history.steps[:done] for path, body in step.steps.items()}
    steps: dict[str, StepState] = {path: decode_step(orjson.dumps(body)) for path, body in documents.items()}
    maps = [step.maps for step in history.steps[:done]]
    elements, pages = stored_elements(history.uid, maps), stored_outcomes(history.uid, maps)
    return restore(plan_from(history.spec), decode_header(orjson.dumps(header)), steps, elements, pages)


def stored_prefixes(history: History) -> Sequence[int]:
    """Return after how many steps a commit may have ended: wherever the engine waits for no evaluation."""
    return [number for number, step in enumerate(history.steps, 1) if not step.evaluating]


def _fold(history: History, state: RunState, done: int) -> Sequence[RunState]:
    states = []
    plan = plan_from(history.spec)
    for number, recorded in enumerate(history.steps[done:], done + 1):
        try:
            maps = [step.maps for step in history.steps[: number - 1]]
            events = [event_from(body, history.uid, maps) for body in recorded.events]
            for order in recorded.orders:
                decode_action(orjson.dumps(order))
            decision = decide_together(plan, state, events, recorded.now)
        except Exception as problem:
            raise _parted(history, number, f"today's code refuses it: {problem!r}") from problem
        found = describe(state.header if number > 1 else None, events, recorded.now, decision)
        _compare(history, number, recorded, found)
        state = decision.state
        states.append(bare(state))
    return states


def _compare(history: History, number: int, recorded: HistoryStep, found: HistoryStep) -> None:
    for where, then, now in differences(asdict(recorded), asdict(found)):
        raise _parted(history, number, f"{where}: recorded {_shown(then)}, today {_shown(now)}")


def _parted(history: History, number: int, what: str) -> Parted:
    events = ", ".join(_told(event) for event in history.steps[number - 1].events)
    return Parted(f"tests/replay/histories/{history.name}.json, step {number} ({events}): {what}\n{REMEDY}")


def _told(event: Mapping[str, Any]) -> str:
    about = event.get("task", event.get("path", event.get("id", "")))
    return f"{event['type']} {about}".rstrip()


def differences(then: Any, now: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the fields in which two documents differ, in the order in which they were written: path, then and now."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name in [*then, *(name for name in now if name not in then)]:
            inside = f"{where}.{name}" if where else name
            yield from differences(then.get(name, _ABSENT), now.get(name, _ABSENT), inside)
    elif isinstance(then, list | tuple) and isinstance(now, list | tuple):
        for index in range(max(len(then), len(now))):
            one, other = (listed[index] if index < len(listed) else _ABSENT for listed in (then, now))
            yield from differences(one, other, f"{where}[{index}]")
    elif then != now:
        yield where, then, now


def _shown(value: Any) -> str:
    return "nothing" if value is _ABSENT else orjson.dumps(value).decode()
