"""A map going forward: which elements are begun, what becomes of them, and how the map ends.

In: a draft with a map that is Running. Out: elements begun and taken in, pages asked for, the map ended.
Never here: what happens inside an element (that is a saga like any other), or its reversal (`unmapping`).
Source of the rules: DESIGN 5.
"""

from collections.abc import Iterable
from dataclasses import replace

from reactor_operator.engine import events as ev
from reactor_operator.engine import plain
from reactor_operator.engine.actions import EvaluatePage, EvaluateReturns
from reactor_operator.engine.draft import Draft, page_of, returns_of
from reactor_operator.engine.elements import (
    Advance,
    begin_element,
    collect_path,
    element_path,
    index_of,
    page_path,
    plan_at,
)
from reactor_operator.engine.ending import begin_ending, cancel, fail_for_good
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.flight import Flight
from reactor_operator.engine.forward import complete, start_ready
from reactor_operator.engine.judging import about, fail, judge, judge_known
from reactor_operator.engine.launching import NOT_WAITING, terminate
from reactor_operator.engine.outcomes import (
    count,
    detail_of,
    drop_cursor,
    file_all,
    file_outcome,
    not_reversed,
    outcome_of,
    release,
)
from reactor_operator.engine.owned import names_of
from reactor_operator.engine.plan import MapPlan, OnFailure
from reactor_operator.engine.progress import map_of, note, progress_of, sources_without
from reactor_operator.engine.reports import task_reported
from reactor_operator.engine.state import (
    SOURCE_PAGE,
    ElementPhase,
    Goal,
    MapState,
    RunPhase,
    SourcePage,
    Stage,
    StepPhase,
    Timer,
    is_held,
)
from reactor_operator.engine.values import ValueRef
from reactor_operator.engine.waiting import waits_for_room

_DETAILS_KEPT = 100
"""Failed elements of one map of which the traceback is kept."""


def enter_map(draft: Draft, event: ev.StepEvaluated) -> None:
    """Begin to go over the elements. `total` is known where the source is an array."""
    path = event.path
    plan, order = map_of(draft, path), draft.header.starts + 1
    draft.set(starts=order)
    draft.elements[path] = Flight()
    draft.put(
        path,
        phase=StepPhase.RUNNING,
        attempt=1,
        run_attempts=1,
        start_order=order,
        arguments=event.arguments,
        fallback=event.fallback,
        started_at=draft.now,
        map=MapState(total=event.total, exhausted=event.total is not None),
        timer=None if plan.timeout_ms is None else Timer.TIMEOUT,
        due_at=None if plan.timeout_ms is None else draft.now + plan.timeout_ms,
    )


def refuse_source(draft: Draft, event: ev.StepEvaluated | ev.StepEvaluationFailed) -> None:
    """A step is begun no more: nothing needs the elements that a map was to go over, unless it does so already."""
    step = draft.step(event.path)
    if isinstance(event, ev.StepEvaluated) and event.total and (step.map is None or step.round != event.round):
        pages = range(-(-event.total // SOURCE_PAGE))
        draft.filing.sources |= {(event.path, event.round, number) for number in pages}


def go_over(draft: Draft, path: str, advance: Advance) -> bool:
    """Let the elements of a Running map do what they can, and begin others; return whether the map has ended."""
    if _is_stopping(draft, path):
        _stop(draft, path)
    settle(draft, path, advance)
    if draft.step(path).phase is not StepPhase.RUNNING:
        return True  # what collects its results has just ended
    if _is_stopping(draft, path):  # what was just taken in may have failed the map
        _stop(draft, path)
        settle(draft, path, advance)
    else:
        _fill(draft, path, advance)
    return _end(draft, path, advance)


def settle(draft: Draft, path: str, advance: Advance) -> None:
    """Let the elements that were told something, or wait for room, go on; take in those that have ended."""
    tell_whether_held(draft, path)
    plain.take_in(draft, path)
    tried = set[str]()
    while unsettled := draft.unsettled(path) or open_waiting(draft, path, tried):
        for key, inner in unsettled:
            advance(inner)
            draft.settled(path, key)
            if inner.header.stage is Stage.OVER:
                _take_in(draft, path, key, inner)


def opened(draft: Draft, path: str, key: str) -> Draft:
    """Return the draft of what is in flight of a map; it is let go on with the others."""
    inner = draft.open(path, key, plan_at(map_of(draft, path), path, key))
    told = draft.succeeded.get(path, {}).pop(key, None)
    if told is not None:
        task_reported(inner, told)
    return inner


def tell_whether_held(draft: Draft, path: str) -> None:
    """Let elements hold still where what is around them does: not where that is being cancelled or undone."""
    flight, held = draft.elements[path], is_held(draft.header)
    if flight.suspended != (len(flight) if held else 0):
        for key, one in flight.items():
            if one.header.suspended != held:
                opened(draft, path, key).set(suspended=held)


def open_waiting(draft: Draft, path: str, tried: set[str]) -> list[tuple[str, Draft]]:
    """Open as many of the elements that wait for room as there may be room for, but those that were `tried`."""
    flight, plan, room = draft.elements.get(path), map_of(draft, path), draft.room()
    if flight is None or room <= 0:
        return []
    opened_now = draft.inner.get(path, {})
    for key in (*opened_now, *flight.waiting):
        if key in tried or not waits_for_room(plan_at(plan, path, key), opened_now.get(key, flight[key])):
            continue
        tried.add(key)
        opened(draft, path, key)
        room -= 1
        if not room:
            break
    return draft.unsettled(path)


def _is_stopping(draft: Draft, path: str) -> bool:
    """Tell whether the map begins nothing any more."""
    goes_on = draft.header.stage in {Stage.FORWARD, Stage.HOLDING} and not draft.is_contained(path)
    return not goes_on or draft.header.halting or progress_of(draft, path).failure is not None


def _stop(draft: Draft, path: str) -> None:
    """Let what is in flight drain, or stop it. What was done is kept: the run may be reversed from here."""
    for word in (page_of(path), returns_of(path)):
        draft.evaluating.discard(word)
    cancelled = draft.header.goal is Goal.CANCEL
    terminates = _terminates(draft)
    for key, one in draft.in_flight(path):
        goes_on = one.header.stage in {Stage.FORWARD, Stage.HOLDING}
        if not goes_on and not (
            cancelled and one.header.goal is not Goal.CANCEL and one.header.stage is not Stage.OVER
        ):
            continue
        inner = opened(draft, path, key)
        if cancelled:
            cancel(inner, "")
        else:
            begin_ending(inner, Goal.HALT)
            if terminates:
                for at in inner.active_in_plan_order():
                    if inner.step(at).phase is StepPhase.RUNNING:
                        terminate(inner, at)


def _terminates(draft: Draft) -> bool:
    """Tell whether what is in flight is stopped, and does not drain: not where somebody halts the run, or is about to.

    What is around a map in an element tells why it stops: the element itself is halted, whatever the reason.
    """
    if draft.plan.on_failure is not OnFailure.TERMINATE or draft.root.header.goal is Goal.HALT:
        return False
    around: Draft | None = draft
    while around is not None and draft.root.header.goal is Goal.COMPLETE:
        if around.header.halting:
            return False
        around = around.parent
    return True


def _fill(draft: Draft, path: str, advance: Advance) -> None:
    """Begin elements while the window and the run have room for more, and ask for the next page in time."""
    plan = map_of(draft, path)
    if draft.header.stage is not Stage.FORWARD or is_held(draft.header):
        return
    start_ready(draft)  # what waited for room comes before more elements
    troubled = plan.fail_fast and _is_troubled(draft, path)
    while not troubled:
        state = progress_of(draft, path)
        if state.opened == state.known and not _next_of_array(draft, path):
            break
        count = _room_for(draft, path, plan)
        if not count:
            break
        if not draft.begins:
            draft.hold_back()
            break
        _begin(draft, path, range(state.opened, state.opened + count), advance)
        note(draft, path, opened=state.opened + count)
    _fetch(draft, path, advance)


def _is_troubled(draft: Draft, path: str) -> bool:
    """Tell whether an element has failed, or is about to."""
    opened_now = draft.inner.get(path, {})
    if any(inner.header.stage is not Stage.FORWARD for inner in opened_now.values()):
        return True
    return any(key not in opened_now for key in draft.elements[path].troubled)


def _room_for(draft: Draft, path: str, plan: MapPlan) -> int:
    """Return how many elements may be begun: as many as whole tasks take, or those that are left of a page."""
    state = progress_of(draft, path)
    in_flight = len(draft.elements[path]) - (page_path(path, state.fetched) in draft.elements[path])
    left, room = state.known - state.opened, min(draft.room(), plan.batch_size - in_flight)
    chunk = min(plan.chunk, plan.batch_size, draft.plan.parallelism, left)
    if room < chunk:
        return 0
    if plan.barrier:
        if state.opened + chunk > state.batch_end:
            if in_flight:
                return 0
            state = note(draft, path, batch_end=state.opened + plan.batch_size)
        room = min(room, state.batch_end - state.opened)
    return left if left <= room else room // chunk * chunk


def _begin(draft: Draft, path: str, indices: Iterable[int], advance: Advance) -> None:
    if map_of(draft, path).plain and not draft.header.suspended:
        plain.begin(draft, path, indices)
        return
    for index in indices:
        key = element_path(path, index)
        advance(begin_element(draft, path, key))
        draft.settled(path, key)


def _next_of_array(draft: Draft, path: str) -> bool:
    """Turn to the next page of a source that is an array; return whether there is one."""
    state = progress_of(draft, path)
    if state.total is None or state.known >= state.total:
        return False
    size = min(SOURCE_PAGE, state.total - state.known)
    page = SourcePage(number=state.known // SOURCE_PAGE, first=state.known, size=size, left=size)
    note(draft, path, known=state.known + size, sources=(*state.sources, page))
    return True


def _fetch(draft: Draft, path: str, advance: Advance) -> None:
    """Ask for the next page once elements of the last one are begun, so that at most one page is there ahead."""
    state = progress_of(draft, path)
    key = page_path(path, state.fetched)
    if state.exhausted or key in draft.elements[path] or page_of(path) in draft.evaluating or draft.room() <= 0:
        return
    last = state.sources[-1] if state.sources else None
    if last is not None and state.opened <= last.first:
        return
    begun = begin_element(draft, path, key)
    advance(begun)
    draft.settled(path, key)


def _take_in(draft: Draft, path: str, key: str, inner: Draft) -> None:
    """An element, or the task of a page, or the one that collects, has ended."""
    draft.remove_element(path, key)
    index = index_of(path, key)
    if inner.header.halting:
        draft.set(halting=True, halt_reason=inner.header.halt_reason)
    if index is not None:
        _take_in_element(draft, path, index, inner)
    elif inner.header.phase is not RunPhase.SUCCEEDED or inner.step(key).phase is not StepPhase.SUCCEEDED:
        _side_task_failed(draft, path, key, inner)
    elif key == collect_path(path):
        release(draft, inner, inner.step(key).result)
        _complete(draft, path, inner.step(key).result)
    elif not _is_stopping(draft, path):
        draft.evaluating.add(page_of(path))
        number = progress_of(draft, path).fetched
        draft.act(EvaluatePage(path=path, round=draft.step(path).round, page=number, result=inner.step(key).result))
        release(draft, inner)
    else:
        release(draft, inner)


def _side_task_failed(draft: Draft, path: str, key: str, inner: Draft) -> None:
    failed = inner.header.failure
    if failed is not None:
        fail(draft, path, about(key[len(path) :].strip("[]").replace("-", " "), failed.failure))
    elif not _is_stopping(draft, path):
        message = f"{key} was skipped or halted, expected a result of it"
        fail(draft, path, Failure(kind=FailureKind.INVALID_RESULT, message=message, retryable=False))
    release(draft, inner, detail_of(progress_of(draft, path).failure))


def _take_in_element(draft: Draft, path: str, index: int, inner: Draft) -> None:
    outcome = outcome_of(inner, element_path(path, index))
    note(draft, path, sources=sources_without(draft, path, (index,)))
    state = count(draft, path, outcome)
    if outcome.phase is ElementPhase.FAILED:
        assert outcome.failure is not None
        judge(draft, path, index, outcome.failure)
        if state.failed > _DETAILS_KEPT and outcome.kept is None:
            outcome = replace(outcome, failure=replace(outcome.failure, detail=None))
    explains = detail_of(progress_of(draft, path).failure)  # why the map fails is explained, however many failed
    release(draft, inner, outcome.result, detail_of(outcome.failure), explains, kept=outcome.kept)
    file_outcome(draft, path, index, outcome)
    for listed in inner.header.rollback_failures:
        not_reversed(draft, path, index, listed.kind, listed.message)


def page_evaluated(draft: Draft, event: ev.PageEvaluated | ev.PageEvaluationFailed) -> None:
    """A page was read, or is none. A cursor that comes back would go on for ever."""
    path, step = event.path, draft.step(event.path)
    if page_of(path) not in draft.evaluating or step.round != event.round:
        if step.map is None or step.round != event.round or event.page >= step.map.fetched:
            _refuse_page(draft, event)
        return
    draft.evaluating.discard(page_of(path))
    state = progress_of(draft, path)
    if isinstance(event, ev.PageEvaluationFailed):
        fail(draft, path, event.failure)
        return
    drop_cursor(draft, path)
    if event.cursor is not None and event.mark == state.mark:
        _refuse_page(draft, event)
        message = f"page {event.page}: found a cursor that an earlier page returned too, expected another one, or null"
        fail(draft, path, Failure(kind=FailureKind.INVALID_RESULT, message=message, retryable=False))
        return
    number, known = event.page, state.known + event.size
    sources = state.sources
    if event.size:
        sources = (*sources, SourcePage(number=number, first=state.known, size=event.size, left=event.size))
    # Brent: one cursor is remembered, after pages 0, 1, 3, 7 …; a circle of any length comes back to one of them
    marks = number + 1 >= 2 * state.mark_at or not state.mark
    note(
        draft,
        path,
        known=known,
        fetched=number + 1,
        sources=sources,
        cursor=event.cursor,
        mark=event.mark if marks else state.mark,
        mark_at=number + 1 if marks else state.mark_at,
        exhausted=event.cursor is None,
        total=known if event.cursor is None else None,
    )
    if event.cursor is None:
        judge_known(draft, path)


def _refuse_page(draft: Draft, event: ev.PageEvaluated | ev.PageEvaluationFailed) -> None:
    """Nothing needs a page that was read, nor what asks for the next one."""
    if isinstance(event, ev.PageEvaluated):
        draft.filing.sources.add((event.path, event.round, event.page))
        draft.filing.dropped |= names_of((event.cursor,))


def _end(draft: Draft, path: str, advance: Advance) -> bool:
    """End the map where nothing is left in flight; return whether it has ended."""
    if draft.elements[path]:
        return False
    state = progress_of(draft, path)
    if state.failure is not None:
        _close(draft, path)
        fail_for_good(draft, path, state.failure)
        return True
    if _is_stopping(draft, path):
        if draft.header.stage is Stage.FORWARD and draft.header.halting:
            return False  # the run is about to turn; what else was told with it is taken down first
        _close(draft, path)
        draft.put(path, phase=StepPhase.CANCELLED, finished_at=draft.now)
        return True
    if not state.exhausted or state.opened < (state.total or 0) or draft.header.stage is not Stage.FORWARD:
        return False
    if is_held(draft.header) or page_of(path) in draft.evaluating or returns_of(path) in draft.evaluating:
        return False
    if map_of(draft, path).collect is not None:
        file_all(draft, path)  # what collects reads them
        key = collect_path(path)
        begun = begin_element(draft, path, key)
        advance(begun)
        draft.settled(path, key)
    else:
        draft.evaluating.add(returns_of(path))
        draft.act(EvaluateReturns(scope=path))
    return False


def returns_evaluated(draft: Draft, event: ev.ReturnsEvaluated | ev.ReturnsEvaluationFailed) -> None:
    """The result of a map is known, or cannot be told, which fails it."""
    if draft.header.stage is not Stage.FORWARD:
        return
    if isinstance(event, ev.ReturnsEvaluated):
        _complete(draft, event.scope, event.result)
    else:
        fail(draft, event.scope, event.failure)


def _complete(draft: Draft, path: str, result: ValueRef | None) -> None:
    file_all(draft, path)
    del draft.elements[path]
    draft.put(path, **NOT_WAITING)
    complete(draft, path, result)


def _close(draft: Draft, path: str) -> None:
    """Note where in the order of completions a map stopped: there it is reversed."""
    file_all(draft, path)
    del draft.elements[path]
    number = draft.header.completions + 1
    draft.set(completions=number)
    draft.put(path, completion=number, **NOT_WAITING)
