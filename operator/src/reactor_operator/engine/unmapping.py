"""A map going back: its elements are reversed from the highest index down, page by page.

In: a draft with a map that is Undoing or Compensating. Out: elements begun to be reversed and taken in, the map ended.
Never here: what is reversed inside an element, and in which order (that is a saga like any other).
Source of the rules: DESIGN 4, rules 5 and 7; DESIGN 5.
"""

from collections.abc import Iterator
from dataclasses import replace

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import LoadOutcomes
from reactor_operator.engine.derive import restore
from reactor_operator.engine.draft import Draft, outcomes_of
from reactor_operator.engine.elements import Advance, element_path, index_of, plan_at
from reactor_operator.engine.ending import cancel, rollback_is_late
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.mapping import open_waiting, opened, tell_whether_held
from reactor_operator.engine.outcomes import file_outcome, file_page, file_reversed, not_reversed
from reactor_operator.engine.progress import map_of, note, progress_of
from reactor_operator.engine.resuming import undo
from reactor_operator.engine.reverting import cleanup_failed, reversed_one
from reactor_operator.engine.state import (
    PAGE,
    ElementOutcome,
    Goal,
    OutcomePage,
    Stage,
    StepPhase,
    is_held,
)


def go_back_over(draft: Draft, path: str, advance: Advance) -> bool:
    """Let the elements that are being reversed go on, and begin others; return whether the map has ended."""
    if draft.header.goal is Goal.CANCEL:
        _cancel(draft, path)
    _settle(draft, path, advance)
    stops = draft.header.goal is Goal.CANCEL or rollback_is_late(draft)
    if not stops and not is_held(draft.header):
        while _reverse_more(draft, path):
            _settle(draft, path, advance)
    if draft.elements[path] or (not stops and progress_of(draft, path).below > 0):
        return False
    _end(draft, path)
    return True


def outcomes_loaded(draft: Draft, event: ev.OutcomesLoaded) -> None:
    """A page of outcomes is there again. One that is not was lost, or nothing was ever put into it."""
    if outcomes_of(event.path) not in draft.evaluating or draft.step(event.path).round != event.round:
        return
    if event.page != (progress_of(draft, event.path).below - 1) // PAGE:
        return  # that of an earlier page, told again
    draft.evaluating.discard(outcomes_of(event.path))
    if event.outcomes:
        draft.pages[event.path] = {**draft.pages.get(event.path, {}), event.page: event.outcomes}
        draft.filing.hot[event.path, event.page] = event.outcomes
    else:
        note(draft, event.path, below=event.page * PAGE)


def _settle(draft: Draft, path: str, advance: Advance) -> None:
    tell_whether_held(draft, path)
    tried = set[str]()
    while unsettled := draft.unsettled(path) or open_waiting(draft, path, tried):
        for key, inner in unsettled:
            advance(inner)
            draft.settled(path, key)
            if inner.header.stage is Stage.OVER:
                _take_in(draft, path, key, inner)


def _cancel(draft: Draft, path: str) -> None:
    for key, one in draft.in_flight(path):
        if one.header.goal is not Goal.CANCEL and one.header.stage is not Stage.OVER:
            cancel(opened(draft, path, key), "")


def _reverse_more(draft: Draft, path: str) -> bool:
    """Begin to reverse what the window has room for; return whether anything was begun."""
    below = progress_of(draft, path).below
    if below == 0:
        return False
    number = (below - 1) // PAGE
    page = draft.pages.get(path, {}).get(number)
    if page is None:
        _load(draft, path, number)
        return False
    plan, begun = map_of(draft, path), 0  # what was begun has no task yet that takes room
    left = list(_to_reverse(page, below))
    while left:
        chunk = min(plan.chunk, draft.plan.parallelism, len(left))
        if len(draft.elements[path]) + chunk > plan.undo_window * plan.chunk or draft.room() - begun < chunk:
            return begun > 0
        for index in left[:chunk]:
            _begin(draft, path, index, page[index])
        note(draft, path, below=left[chunk - 1])
        left, begun = left[chunk:], begun + chunk
    note(draft, path, below=number * PAGE)
    _file_what_is_done(draft, path)
    return True


def _file_what_is_done(draft: Draft, path: str) -> None:
    """Let the pages leave the hot state of which nothing is in flight, and nothing will be begun."""
    below = progress_of(draft, path).below
    flying = {index // PAGE for key in draft.elements[path] if (index := index_of(path, key)) is not None}
    for number, page in draft.pages[path].items():
        if below <= number * PAGE and number not in flying:
            file_page(draft, path, number, page)


def _to_reverse(page: OutcomePage, below: int) -> Iterator[int]:
    return (index for index in sorted(page, reverse=True) if index < below and page[index].kept is not None)


def _load(draft: Draft, path: str, number: int) -> None:
    if outcomes_of(path) not in draft.evaluating:
        draft.evaluating.add(outcomes_of(path))
        draft.act(LoadOutcomes(path=path, round=draft.step(path).round, page=number))


def _begin(draft: Draft, path: str, index: int, outcome: ElementOutcome) -> None:
    """Begin to reverse an element. Its saga is in flight from here on, and has what was kept of it."""
    assert outcome.kept is not None
    key = element_path(path, index)
    file_outcome(draft, path, index, replace(outcome, kept=None, result=None))
    plan = plan_at(map_of(draft, path), path, key)
    kept = restore(plan, outcome.kept.header, dict(outcome.kept.steps))
    inner = draft.add_element(path, key, plan, kept)
    undo(inner, "", delete=False)
    goal = Goal.UNDO if draft.header.goal is Goal.UNDO else Goal.ROLL_BACK
    inner.set(
        goal=goal,
        suspended=is_held(draft.header),
        rollback_deadline=draft.header.rollback_deadline or inner.header.rollback_deadline,
    )


def _take_in(draft: Draft, path: str, key: str, inner: Draft) -> None:
    """An element was reversed, or could not be."""
    draft.remove_element(path, key)
    index = index_of(path, key)
    assert index is not None
    file_reversed(draft, path, index, inner)
    for failure in inner.header.rollback_failures:
        not_reversed(draft, path, index, failure.kind, failure.message)
    _file_what_is_done(draft, path)


def _end(draft: Draft, path: str) -> None:
    """Say what became of the reversal of the whole map."""
    for number, page in draft.pages.get(path, {}).items():
        file_page(draft, path, number, page)
    draft.evaluating.discard(outcomes_of(path))
    del draft.elements[path]
    state = progress_of(draft, path)
    undone = StepPhase.UNDONE if draft.step(path).phase is StepPhase.UNDOING else StepPhase.COMPENSATED
    if not state.kept and not state.unreversed:
        reversed_one(draft, path, undone)
        return
    kind, message = FailureKind.UNCERTAIN, f"{state.kept} elements are not reversed"
    if rollback_is_late(draft):
        kind, message = FailureKind.TIMEOUT, f"the rollback deadline passed with {state.kept} elements not reversed"
    elif draft.header.goal is Goal.CANCEL:
        message = f"cancelled with {state.kept} elements not reversed"
    failure = Failure(kind=kind, message=message)
    if state.unreversed and not state.below:  # those were listed one by one, and no other was left to be begun
        draft.put(path, phase=StepPhase.ROLLBACK_FAILED, cleanup_failure=failure)
    else:
        cleanup_failed(draft, path, failure)
