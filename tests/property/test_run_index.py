"""Lists of runs against a naive model: the same runs in the same order, and pages that neither repeat nor leave out."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reactor_operator.mirror.index import Query, RunIndex
from reactor_operator.mirror.summary import RunKey, RunSummary
from tests.unit.mirror.made import a_run

NAMESPACES = st.sampled_from(["a", "b", "c"])
NAMES = st.sampled_from([f"r{number}" for number in range(12)])
PHASES = st.sampled_from(["Pending", "Running", "Failed"])
TIMES = st.integers(0, 5).map(lambda second: f"2026-01-01T00:00:0{second}Z")
MESSAGES = st.sampled_from(["", "No Stock", "Straße", "STRASSE r1"])
TEXTS = st.sampled_from(["", "r1", "stock", "STRASSE", "straße", "R"])
OPENED = st.lists(TIMES, max_size=3)


@st.composite
def runs(draw: st.DrawFn) -> RunSummary:
    waiting = [{"step": f"s{number}", "openedAt": at} for number, at in enumerate(draw(OPENED))]
    status: dict[str, Any] = {"phase": draw(PHASES), "message": draw(MESSAGES), "interrupts": waiting}
    return a_run(draw(NAMES), draw(NAMESPACES), draw(TIMES), **status)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    moments = st.none() | TIMES.map(lambda at: a_run("x", at=at).created_at)
    return Query(
        namespaces=draw(st.none() | st.frozensets(NAMESPACES)),
        reactor=draw(st.sampled_from(["", "x", "y"])),
        phases=draw(st.frozensets(PHASES)),
        text=draw(TEXTS),
        created_after=draw(moments),
        created_before=draw(moments),
    )


def matches(query: Query, run: RunSummary) -> bool:
    """Tell what a query says, as its words say it."""
    return (
        (query.namespaces is None or run.namespace in query.namespaces)
        and query.reactor in ("", run.reactor)
        and (not query.phases or run.phase in query.phases)
        and any(query.text.casefold() in text.casefold() for text in (run.name, run.message))
        and (query.created_after is None or run.created_at > query.created_after)
        and (query.created_before is None or run.created_at < query.created_before)
    )


@dataclass
class Paging:
    """Somebody who goes through all pages of a query, while runs come and go. `steady`: were there all the time."""

    query: Query
    limit: int
    steady: set[RunSummary]
    seen: list[RunSummary]
    rest: RunKey | None = None
    over: bool = False


class Lists(RuleBasedStateMachine):
    """Runs come, change and go; lists and waits are what the model says, and pagings see what stays exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.index = RunIndex()
        self.model: dict[tuple[str, str], RunSummary] = {}
        self.pagings: list[Paging] = []

    @rule(run=runs())
    def put(self, run: RunSummary) -> None:
        before = self.model.get((run.namespace, run.name))
        assert self.index.put(run) == (before != run)
        self.model[run.namespace, run.name] = run
        if before is not None and before != run:
            self.forget(before)

    @rule(namespace=NAMESPACES, name=NAMES)
    def remove(self, namespace: str, name: str) -> None:
        before = self.model.pop((namespace, name), None)
        assert self.index.remove(namespace, name) == before
        if before is not None:
            self.forget(before)

    def forget(self, run: RunSummary) -> None:
        for paging in self.pagings:
            paging.steady.discard(run)

    @rule(query=queries(), limit=st.integers(1, 4))
    def begin(self, query: Query, limit: int) -> None:
        steady = {run for run in self.model.values() if matches(query, run)}
        self.pagings.append(Paging(query, limit, steady, []))

    @rule(looked_at=st.integers(1, 5))
    def turn(self, looked_at: int) -> None:
        for paging in self.pagings:
            if not paging.over:
                page = self.index.slice(paging.query, paging.rest, paging.limit, looked_at)
                assert len(page.runs) <= paging.limit
                paging.seen += page.runs
                paging.rest, paging.over = page.rest, page.rest is None

    @invariant()
    def no_page_repeats_and_none_leaves_out_what_stayed(self) -> None:
        for paging in self.pagings:
            keys = [run.key for run in paging.seen]
            assert keys == sorted(set(keys), reverse=True)
            if paging.over:
                assert paging.steady <= set(paging.seen)

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        expected = sorted(self.model.values(), key=lambda run: run.key, reverse=True)
        assert self.index.slice(Query(), None, 1_000).runs == expected
        waits = sorted((key, run) for run in expected for key in run.wait_keys)
        found = self.index.waits(None, "", None, 1_000).waiting
        assert [(one.step, run) for run, one in found] == [(key[3], run) for key, run in waits]
        assert self.index.namespaces() == {run.namespace for run in expected}
        assert len(self.index) == len(expected)


TestLists = Lists.TestCase


@given(st.lists(runs(), max_size=30), queries())
def test_a_query_finds_what_its_words_say(found: list[RunSummary], query: Query) -> None:
    index = RunIndex()
    for run in found:
        index.put(run)
    there = {(run.namespace, run.name): run for run in found}.values()
    expected = sorted((run for run in there if matches(query, run)), key=lambda run: run.key, reverse=True)
    assert index.slice(query, None, 1_000).runs == expected
