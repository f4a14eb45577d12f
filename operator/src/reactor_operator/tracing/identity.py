"""Which trace a run is, and which span each part of it: functions of identity, so that no restart breaks a trace.

In: a run's uid, a task, a step. Out: ids as W3C Trace Context writes them, 32 and 16 hex digits in lower case
(https://www.w3.org/TR/trace-context/). Never here: randomness, a clock, whether anybody listens.
"""

import re

from reactor_operator.engine.identity import digest_of

ELEMENTS_TRACED = 1_000
"""Elements of one map that have spans: those with the lowest indices, so that nobody has to count."""
_INDEX = re.compile(r"\[(\d+)\]")
_SPAN_DIGITS = 16
_NOTHING = "0"
_VERSION, _SAMPLED, _UNSAMPLED = "00", "01", "00"


def trace_of(uid: str) -> str:
    """Return the trace that a run is."""
    return _sound(digest_of("trace", uid))


def run_span(uid: str) -> str:
    """Return the span of the run as a whole: the root of its trace."""
    return _span("run", uid)


def step_span(uid: str, path: str, round_: int) -> str:
    """Return the span of a step that has no task of its own: a compose, a switch, a map, an interrupt."""
    return _span("step", uid, path, round_)


def task_span(uid: str, task_key: str) -> str:
    """Return the span of a task."""
    return _span("task", uid, task_key)


def is_traced(path: str) -> bool:
    """Tell whether a step has spans: of the elements of a map the first ones do."""
    return "[" not in path or all(int(index) < ELEMENTS_TRACED for index in _INDEX.findall(path))


def traceparent(uid: str, task_key: str) -> str:
    """Return what a task hands on to whatever it calls. Where it has no span itself, they are told to have none."""
    flags = _SAMPLED if is_traced(task_key) else _UNSAMPLED
    return f"{_VERSION}-{trace_of(uid)}-{task_span(uid, task_key)}-{flags}"


def _span(*parts: object) -> str:
    return _sound(digest_of("span", *parts)[:_SPAN_DIGITS])


def _sound(digits: str) -> str:
    """Return digits that are not all zero, which no trace and no span may be."""
    return digits if digits.strip(_NOTHING) else digits[:-1] + "1"
