"""What became of the elements of a map: kept in pages, which leave the hot state when they are whole.

In: the draft of an element that has ended. Out: its outcome, in its page; documents that nothing needs any more.
Never here: what an outcome means for the map.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.elements import element_path
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.plan import StepPlan
from reactor_operator.engine.progress import note, progress_of
from reactor_operator.engine.reverting import needs_cleanup
from reactor_operator.engine.state import (
    DONE,
    PAGE,
    ElementOutcome,
    ElementPhase,
    OutcomePage,
    RunPhase,
    StepPhase,
    StepState,
)
from reactor_operator.engine.values import ValueRef


def outcome_of(inner: Draft, path: str) -> ElementOutcome:
    """Return what became of an element that has ended."""
    step = inner.step(path)
    kept = inner.state() if _can_be_reversed(inner) else None
    if step.phase in DONE:
        phase = ElementPhase.SKIPPED if step.phase is StepPhase.SKIPPED else ElementPhase.SUCCEEDED
        return ElementOutcome(phase=phase, result=step.result, kept=kept)
    if inner.header.phase is RunPhase.FAILED and inner.header.failure is not None:
        return ElementOutcome(phase=ElementPhase.FAILED, failure=inner.header.failure.failure, kept=kept)
    return ElementOutcome(phase=ElementPhase.STOPPED, failure=step.failure, kept=kept)


def _can_be_reversed(inner: Draft) -> bool:
    """Tell whether something in an element stands that may be reversed, or has to be listed."""
    return any(_may_be_reversed(inner.plan.steps[path], step) for path, step in inner.steps.items())


def _may_be_reversed(plan: StepPlan, step: StepState) -> bool:
    if step.phase is StepPhase.ROLLBACK_FAILED or (step.map is not None and step.map.kept):
        return True
    if needs_cleanup(step):
        return step.uncertain or plan.compensate is not None
    return step.phase is StepPhase.SUCCEEDED and plan.undo is not None


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


def keep_stopped(draft: Draft, path: str, index: int, inner: Draft) -> None:
    """Keep an element as it was stopped, or as its reversal was, so that an undo can take it up from there."""
    outcome = outcome_of(inner, element_path(path, index))
    before = draft.pages.get(path, {}).get(index // PAGE, {}).get(index)
    if before is not None:
        outcome = replace(before, kept=outcome.kept)
    elif outcome.kept is not None:
        note(draft, path, kept=progress_of(draft, path).kept + 1)
    file_outcome(draft, path, index, outcome)


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
    state = draft.step(path).map
    if state is not None and state.cursor is not None and state.cursor.named:
        draft.filing.dropped.add(state.cursor.digest)


def _sources(draft: Draft, path: str) -> Iterable[int]:
    state = draft.step(path).map
    return (page.number for page in state.sources) if state is not None else ()


def release(draft: Draft, inner: Draft, *keep: ValueRef | None) -> None:
    """Drop the documents that an element has of its own, but those to `keep`: what it leaves behind refers to them."""
    kept = {ref.digest for ref in keep if ref is not None}
    for step in inner.steps.values():
        for ref in references_of(step):
            if ref.named and ref.digest not in kept:
                draft.filing.dropped.add(ref.digest)


def detail_of(failure: Failure | None) -> ValueRef | None:
    """Return the reference to what explains a failure, None where there is nothing."""
    return failure.detail if failure is not None else None


def references_of(step: StepState) -> Iterable[ValueRef]:
    """Yield the references that the state of a step holds."""
    details = map(detail_of, (step.failure, step.cleanup_failure))
    refs = (step.arguments, step.given, step.request, step.inputs, step.result, step.uploaded, *details)
    return (ref for ref in refs if ref is not None)
