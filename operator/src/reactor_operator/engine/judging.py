"""Whether a map goes on although elements of it failed.

In: a draft with a map, and what became known of it. Out: the same draft, with why the map fails noted, where it does.
Never here: what the failure of a map leads to. Source of the rules: DESIGN 5.
"""

from dataclasses import replace

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.progress import map_of, note, progress_of
from reactor_operator.engine.state import ElementPhase

_BEFORE_TOTAL = 100
"""While their number is not known, a percentage is of no fewer elements than this."""


def judge(draft: Draft, path: str, index: int, failure: Failure) -> None:
    """An element has failed: too many of those fail the map."""
    if map_of(draft, path).fail_fast:
        fail(draft, path, about(f"element {index}", failure))
    elif limit := _exceeded(draft, path):
        failed = progress_of(draft, path).failed
        fail(draft, path, about(f"{failed} elements failed, more than {limit}; the last one, {index}", failure))


def judge_known(draft: Draft, path: str) -> None:
    """The number of elements has become known: those that failed already may be too many of so few."""
    limit = "" if map_of(draft, path).fail_fast else _exceeded(draft, path)
    if not limit:
        return
    what = f"{progress_of(draft, path).failed} elements failed, more than {limit}"
    for _, page in sorted(draft.pages.get(path, {}).items(), reverse=True):
        for index, outcome in sorted(page.items(), reverse=True):
            if outcome.phase is ElementPhase.FAILED and outcome.failure is not None:
                fail(draft, path, about(f"{what}; the last one, {index}", outcome.failure))
                return
    fail(draft, path, Failure(kind=FailureKind.ERROR, message=f"{what}; read their results", retryable=False))


def _exceeded(draft: Draft, path: str) -> str:
    """Return the limit that more elements failed than, empty where there is none."""
    plan, state = map_of(draft, path), progress_of(draft, path)
    if plan.max_failures is not None and state.failed > plan.max_failures:
        return f"maxFailures {plan.max_failures}"
    if plan.max_failures_percent is not None:
        finished = state.succeeded + state.skipped + state.failed
        of = state.total if state.total is not None else max(finished, _BEFORE_TOTAL)
        if state.failed * 100 > plan.max_failures_percent * of:
            return f"maxFailuresPercent {plan.max_failures_percent} of {of}"
    return ""


def about(what: str, failure: Failure) -> Failure:
    """Return a failure of something in a map, as that of the map."""
    return replace(failure, message=render_message(f"{what}: {failure.message}"))


def fail(draft: Draft, path: str, failure: Failure) -> None:
    """Note why a map goes no further; the first reason stays."""
    if progress_of(draft, path).failure is None:
        note(draft, path, failure=failure)
