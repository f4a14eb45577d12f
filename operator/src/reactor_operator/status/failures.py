"""Failures as status shows them: of each where it happened, of those that matter most what explains them.

In: the state of a run and the documents that its failures refer to. Out: JSON objects. Total: a document may be lost,
or be what an older operator kept. Never here: more bytes than allowed, or a detail for each of many steps.
"""

from collections.abc import Iterator, Mapping

import orjson

from reactor_operator.engine.failures import Failure
from reactor_operator.engine.state import Header, RollbackFailure, RunFailure, RunState
from reactor_operator.engine.values import ValueRef
from reactor_operator.kube.fields import JsonObject, parse_object, text_at
from reactor_operator.outcomes.detail import DETAIL_LIMIT, fit_lines

TRACEBACK_LIMIT = 2 * 1024
SOURCE_LIMIT = 1024
LOG_LIMIT = 2 * 1024
ORIGINS_LIMIT = 1024
EXPLAINED_LIMIT = 10
"""Failures of a rollback that are explained: the first ones."""

_LISTED = 250
_LISTED_MESSAGE_LIMIT = 256
_FAILURES_LIMIT = 48 * 1024
_EXCEPTION_LIMIT = 253


def wanted_details(state: RunState) -> Iterator[ValueRef]:
    """Yield the documents that explain why the run failed and what was not reversed."""
    header = state.header
    failures = [header.failure.failure] if header.failure is not None else []
    failures += _explained(state).values()
    for failure in failures:
        if failure.detail is not None and failure.detail.size <= DETAIL_LIMIT:
            yield failure.detail


def render_failure(failure: Failure) -> dict[str, object]:
    """Return a failure of a step."""
    return {
        "kind": failure.kind.value,
        "message": failure.message,
        "retryable": failure.may_retry,
        **_render_place(failure),
    }


def render_explained_failure(failure: Failure, values: Mapping[str, bytes]) -> dict[str, object]:
    """Return a failure of an element of a map, with what explains it."""
    return render_failure(failure) | _render_detail(failure, values)


def render_run_failure(failure: RunFailure, values: Mapping[str, bytes]) -> dict[str, object]:
    """Return why the run failed, with what explains it."""
    found = failure.failure
    rendered: dict[str, object] = {"kind": found.kind.value, "message": found.message}
    if failure.step:
        rendered |= {"step": failure.step, "attempts": failure.attempts}
    return rendered | _render_place(found) | _render_detail(found, values)


def render_rollback_failures(state: RunState, values: Mapping[str, bytes]) -> list[dict[str, object]]:
    """Return what was not reversed, as far as there is room: first that all are named, then that they are explained."""
    listed = list(_list_failures(state.header))
    room = _FAILURES_LIMIT - sum(len(orjson.dumps(one)) + 1 for one in listed)
    for index, failure in _explained(state).items():
        if index >= len(listed):
            break
        more = _render_place(failure) | _render_detail(failure, values)
        room -= len(orjson.dumps(more))
        if room < 0:
            break
        listed[index] |= more
    return listed


def _list_failures(header: Header) -> Iterator[dict[str, object]]:
    """Yield what was not reversed, while there is room: a character may take four bytes."""
    room = _FAILURES_LIMIT
    for failure in header.rollback_failures[:_LISTED]:
        message = failure.message[:_LISTED_MESSAGE_LIMIT]
        rendered: dict[str, object] = {"step": failure.step, "kind": failure.kind.value, "message": message}
        room -= len(orjson.dumps(rendered)) + 1
        if room < 0:
            return
        yield rendered


def _explained(state: RunState) -> dict[int, Failure]:
    """Return the failures of the first compensates and undos that are listed, by their place in the list."""
    found: dict[int, Failure] = {}
    for index, listed in enumerate(state.header.rollback_failures[:_LISTED]):
        failure = state.step(listed.step).cleanup_failure
        if failure is not None and _is_of(failure, listed) and len(found) < EXPLAINED_LIMIT:
            found[index] = failure
    return found


def _is_of(failure: Failure, listed: RollbackFailure) -> bool:
    return (failure.kind, failure.message) == (listed.kind, listed.message)


def _render_place(failure: Failure) -> dict[str, object]:
    place = {
        "exception": failure.exception[:_EXCEPTION_LIMIT] if failure.exception else None,
        "file": failure.file,
        "line": failure.line,
    }
    return {name: told for name, told in place.items() if told is not None}


def _render_detail(failure: Failure, values: Mapping[str, bytes]) -> dict[str, object]:
    document = values.get(failure.detail.digest) if failure.detail is not None else None
    if document is None or len(document) > DETAIL_LIMIT:
        return {}
    found = parse_object(document)
    detail: dict[str, object] = {
        "function": text_at(found, "function")[:_EXCEPTION_LIMIT],
        "source": fit_lines(text_at(found, "source"), SOURCE_LIMIT),
        "origins": _origins(found),
        "traceback": fit_lines(text_at(found, "traceback"), TRACEBACK_LIMIT, from_end=True),
        "log": fit_lines(text_at(found, "log"), LOG_LIMIT, from_end=True),
    }
    kept = {name: told for name, told in detail.items() if told}
    return {"detail": kept} if kept else {}


def _origins(found: JsonObject) -> list[str]:
    told = found.get("origins")
    texts = [one for one in told if isinstance(one, str)] if isinstance(told, list) else []
    fitting = fit_lines("\n".join(" ".join(one.split()) for one in texts), ORIGINS_LIMIT)
    return fitting.split("\n")[:5] if fitting else []
