"""What became of the elements of a map: kept in pages, which leave the hot state when they are whole.

In: the draft of an element that has ended. Out: its outcome, in its page; documents that nothing needs any more.
Never here: what an outcome means for the map.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.elements import element_path
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.owned import names_of, names_of_saga
from reactor_operator.engine.progress import note, progress_of
from reactor_operator.engine.reverting import list_unreversed, revert_order
from reactor_operator.engine.state import (
    DONE,
    PAGE,
    SOURCE_PAGE,
    ElementOutcome,
    ElementPhase,
    MapState,
    OutcomePage,
    RunPhase,
    RunState,
    StepPhase,
)
from reactor_operator.engine.values import ValueRef

LISTED = 10
"""Elements of one map that could not be reversed and are listed one by one; the others are counted."""


def outcome_of(inner: Draft, path: str) -> ElementOutcome:
    """Return what became of an element that has ended."""
    step = inner.step(path)
    kept = _kept_of(inner)
    if step.phase in DONE:
        phase = ElementPhase.SKIPPED if step.phase is StepPhase.SKIPPED else ElementPhase.SUCCEEDED
        return ElementOutcome(phase=phase, result=step.result, kept=kept)
    if inner.header.phase is RunPhase.FAILED and inner.header.failure is not None:
        return ElementOutcome(phase=ElementPhase.FAILED, failure=inner.header.failure.failure, kept=kept)
    return ElementOutcome(phase=ElementPhase.STOPPED, failure=step.failure, kept=kept)


def _kept_of(inner: Draft) -> RunState | None:
    """Return the saga of an element where something in it stands that may be reversed, or could not be."""
    stands = inner.header.rollback_failures or revert_order(inner.plan, inner.steps)
    return inner.state() if stands else None


def file_outcome(draft: Draft, path: str, index: int, outcome: ElementOutcome) -> None:
    """Put an outcome into its page, in the place of an earlier one. A page that is whole leaves the hot state."""
    file_outcomes(draft, path, {index: outcome})


def file_outcomes(draft: Draft, path: str, outcomes: Mapping[int, ElementOutcome]) -> None:
    """Put outcomes into their pages."""
    changed: dict[int, dict[int, ElementOutcome]] = {}
    for index, outcome in outcomes.items():
        number = index // PAGE
        if number not in changed:
            changed[number] = dict(draft.pages.get(path, {}).get(number, {}))
        changed[number][index] = outcome
    for number, page in changed.items():
        if len(page) == PAGE and draft.step(path).phase is StepPhase.RUNNING:
            file_page(draft, path, number, page)
        else:
            draft.pages[path] = {**draft.pages.get(path, {}), number: page}
            draft.filing.hot[path, number] = page


def count(draft: Draft, path: str, outcome: ElementOutcome) -> MapState:
    """Count an element that has ended, and return how far its map has come with it."""
    state = progress_of(draft, path)
    return note(
        draft,
        path,
        kept=state.kept + (outcome.kept is not None),
        succeeded=state.succeeded + (outcome.phase is ElementPhase.SUCCEEDED),
        skipped=state.skipped + (outcome.phase is ElementPhase.SKIPPED),
        failed=state.failed + (outcome.phase is ElementPhase.FAILED),
    )


def not_reversed(draft: Draft, path: str, index: int, kind: FailureKind, message: str) -> None:
    """Something in an element could not be reversed: the first ones are listed, the others are counted."""
    state = note(draft, path, unreversed=progress_of(draft, path).unreversed + 1)
    if state.unreversed <= LISTED:
        list_unreversed(draft, path, kind, render_message(f"element {index}: {message}"))
    elif state.unreversed == LISTED + 1:
        list_unreversed(draft, path, kind, f"more elements of {path} could not be reversed; read their results")


def keep_stopped(draft: Draft, path: str, index: int, inner: Draft) -> None:
    """Keep an element as it was stopped, so that an undo can take it up from there."""
    outcome = outcome_of(inner, element_path(path, index))
    count(draft, path, outcome)
    file_outcome(draft, path, index, outcome)
    # one that did it while nothing went on has a result, also where nothing of it is kept
    release(draft, inner, outcome.result, detail_of(outcome.failure), kept=outcome.kept)


def file_reversed(draft: Draft, path: str, index: int, inner: Draft) -> None:
    """Note what became of the reversal of an element: what still stands of it is kept on, for an undo to repeat it."""
    key, state = element_path(path, index), progress_of(draft, path)
    before, still = draft.pages[path][index // PAGE][index], _kept_of(inner)
    if still is not None:
        after = replace(before, kept=still, result=inner.step(key).result)
    else:
        phase = ElementPhase.UNDONE if before.phase is ElementPhase.SUCCEEDED else before.phase
        after = replace(before, phase=phase)
        note(draft, path, kept=state.kept - 1, undone=state.undone + 1)
    file_outcome(draft, path, index, after)
    release(draft, inner, detail_of(after.failure), kept=after.kept)


def file_page(draft: Draft, path: str, number: int, page: OutcomePage) -> None:
    """Let a page leave the hot state."""
    draft.filing.cold[path, draft.step(path).round, number] = page
    draft.filing.hot[path, number] = None
    left = {at: one for at, one in draft.pages.get(path, {}).items() if at != number}
    if left:
        draft.pages[path] = left
    else:
        draft.pages.pop(path, None)


def file_all(draft: Draft, path: str) -> None:
    """Let all pages of a map leave the hot state: it goes no further."""
    for number, page in draft.pages.get(path, {}).items():
        file_page(draft, path, number, page)
    for source in _sources(draft, path):
        draft.filing.sources.add((path, draft.step(path).round, source))
    drop_cursor(draft, path)


def drop_cursor(draft: Draft, path: str) -> None:
    """Forget what asks for the next page: there is another one, or nobody will ask any more."""
    state = draft.step(path).map
    if state is None or state.cursor is None:
        return
    if state.cursor.named:
        draft.filing.dropped.add(state.cursor.digest)
    note(draft, path, cursor=None)


def _sources(draft: Draft, path: str) -> Iterable[int]:
    """Yield the pages of elements that are there: those in use, and of an array those that were never turned to."""
    state = draft.step(path).map
    if state is None:
        return
    yield from (page.number for page in state.sources)
    if state.total is not None:  # of fetched pages it is known once all of them are, and then there are no others
        yield from range(-(-state.known // SOURCE_PAGE), -(-state.total // SOURCE_PAGE))


def release(draft: Draft, inner: Draft, *keep: ValueRef | None, kept: RunState | None = None) -> None:
    """Drop the documents that an element has, or had, of its own, but those to `keep` and those that what is `kept` of
    it refers to."""
    still = names_of(keep) | (names_of_saga(kept.header, kept.steps.values()) if kept is not None else frozenset())
    draft.filing.dropped |= inner.owned() - still


def detail_of(failure: Failure | None) -> ValueRef | None:
    """Return the reference to what explains a failure, None where there is nothing."""
    return failure.detail if failure is not None else None
