"""What a run did is told as spans of one trace, once it is committed, whoever committed what came before."""

from collections.abc import Mapping, Sequence
from typing import Any

from reactor_operator.engine import events as ev
from reactor_operator.engine.identity import Action, Task
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit, StoreUnavailable
from reactor_operator.tracing.identity import run_span, step_span, task_span, trace_of
from reactor_operator.tracing.spans import Span
from reactor_operator.tracing.traces import RunTraces
from tests.unit.metering.counted import FAILING, Counted
from tests.unit.reconciling.conftest import REF, RUN

ASK = {"name": "ask", "interrupt": {}}
ROWS = {"name": "rows", "map": {"source": {"value": [1, 2]}, "run": RUN}}


class Traced(Counted):
    """A world whose operator tells spans."""

    def __init__(self, steps: Sequence[Mapping[str, Any]] = (), store: MemoryStore | None = None) -> None:
        self.spans: list[Span] = []
        super().__init__(steps, store, also=RunTraces(self.spans.append))

    def span(self, name: str) -> Span:
        """Return the one span of a name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found


async def test_a_run_is_one_trace_with_a_span_for_each_task() -> None:
    world = Traced()
    await world.after(0)
    await world.did("a")
    await world.after(2_000)
    await world.did("b")
    await world.after(3_000)
    assert {span.trace for span in world.spans} == {trace_of(REF.uid)}
    assert [(span.name, span.start, span.end) for span in world.spans] == [
        ("a", 1_000, 3_000),
        ("b", 3_000, 6_000),
        ("x", 1_000, 6_000),
    ]
    root = world.span("x")
    assert (root.id, root.parent, root.failed) == (run_span(REF.uid), "", "")
    assert world.span("a").id == task_span(REF.uid, Task("a", Action.RUN, 1, 1, 1).key)
    assert world.span("a").parent == root.id
    assert world.span("a").attributes["reactor.attempt"] == 1
    assert root.attributes["reactor.phase"] == "Succeeded"


async def test_what_fails_and_what_is_undone_after_it_are_told_with_the_kind_of_the_failure() -> None:
    world = Traced(FAILING)
    await world.after(0)
    await world.did("a")
    await world.after(1_000)
    await world.did_not("b")
    await world.after(1_000)
    await world.did("a", Action.UNDO)
    await world.after(1_000)
    assert [(span.name, span.failed) for span in world.spans] == [
        ("a", ""),
        ("b", "Error"),
        ("undo a", ""),
        ("x", "Error"),
    ]
    assert world.span("x").attributes["reactor.rollback"] == "Complete"


async def test_each_attempt_is_a_span() -> None:
    world = Traced([{"name": "a", "run": RUN, "retries": {"maxAttempts": 2, "baseDelay": "1s"}}])
    await world.after(0)
    await world.did_not("a", again=True)
    await world.after(500)
    await world.after(2_000)
    await world.did("a", attempt=2)
    await world.after(1_000)
    tasks = [span for span in world.spans if span.name == "a"]
    assert [(span.attributes["reactor.attempt"], span.failed) for span in tasks] == [(1, "Error"), (2, "")]
    assert tasks[1].start == 3_500


async def test_an_operator_that_takes_over_goes_on_with_the_trace() -> None:
    world = Traced()
    await world.after(0)
    await world.began("a")
    await world.after(500)
    other = Traced(store=world.store)
    other.status, other.clock.time = world.status, world.clock.time
    await other.did("a")
    await other.after(1_000)
    span = other.span("a")
    assert (span.trace, span.id) == (trace_of(REF.uid), task_span(REF.uid, Task("a", Action.RUN, 1, 1, 1).key))
    assert (span.start, span.end) == (1_000, 2_500)
    assert span.attributes["reactor.start_estimated"] is True


async def test_what_waits_for_a_person_is_a_span_from_its_opening_to_its_end() -> None:
    world = Traced([ASK])
    await world.after(0)
    assert world.spans == []
    await world.ask("resume", step="ask", payload=None)
    await world.after(5_000)
    span = world.span("ask")
    assert (span.start, span.end) == (1_000, 6_000)
    assert span.id == step_span(REF.uid, "ask", 1)


async def test_elements_share_a_name_and_have_their_map_as_parent() -> None:
    world = Traced([ROWS])
    world.source = [1, 2]
    await world.after(0)
    await world.did("rows[0]")
    await world.did("rows[1]")
    await world.after(1_000)
    elements = [span for span in world.spans if span.name == "rows[]"]
    assert [span.attributes["reactor.step"] for span in elements] == ["rows[0]", "rows[1]"]
    assert {span.parent for span in elements} == {step_span(REF.uid, "rows", 1)} == {world.span("rows").id}
    assert world.span("rows").attributes["reactor.map.succeeded"] == 2


async def test_no_span_says_a_value_or_a_message() -> None:
    world = Traced(FAILING)
    world.source = "canary-value"
    await world.after(0)
    await world.tell(ev.TaskSucceeded(task=Task("a", Action.RUN, 1, 1, 1)))
    await world.after(0)
    await world.did_not("b")
    await world.after(0)
    assert "no stock" not in repr(world.spans)
    assert "canary" not in repr(world.spans)


class Refusing(MemoryStore):
    """Refuses the next commit."""

    refuses = False

    async def commit(self, commit: Commit) -> int:
        if self.refuses:
            self.refuses = False
            raise StoreUnavailable("the store is away")
        return await super().commit(commit)


async def test_what_is_not_committed_is_not_told_and_what_is_decided_again_is_told_once() -> None:
    store = Refusing()
    world = Traced(store=store)
    await world.after(0)
    await world.did("a")
    store.refuses = True
    try:
        await world.after(1_000)
    except StoreUnavailable:
        assert world.spans == []
    await world.after(0)
    assert [span.name for span in world.spans] == ["a"]
