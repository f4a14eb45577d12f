"""Lists of runs: their order, what they leave out, and where the next slice goes on."""

from reactor_operator.mirror.index import Query, RunIndex
from reactor_operator.mirror.summary import RunSummary
from tests.unit.mirror.made import a_run

NEW, OLD = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"
ANY = Query()


def index_of(*runs: RunSummary) -> RunIndex:
    index = RunIndex()
    for run in runs:
        assert index.put(run)
    return index


def names(index: RunIndex, query: Query = ANY) -> list[str]:
    return [run.name for run in index.slice(query, None, 100).runs]


def test_the_newest_comes_first_then_the_last_namespace_and_name() -> None:
    runs = [a_run("a"), a_run("b"), a_run("a", "bank"), a_run("0", at=NEW)]
    found = index_of(*runs).slice(ANY, None, 100).runs
    assert [(run.namespace, run.name) for run in found] == [("shop", "0"), ("shop", "b"), ("shop", "a"), ("bank", "a")]


def test_all_filters_must_hold() -> None:
    index = index_of(
        a_run("order-1", phase="Failed", message="no Stock"),
        a_run("order-2", phase="Running"),
        a_run("stock", "bank", phase="Failed", at=NEW),
    )
    assert names(index, Query(text="STOCK")) == ["stock", "order-1"]
    assert names(index, Query(text="stock", namespaces=frozenset({"shop"}))) == ["order-1"]
    assert names(index, Query(phases=frozenset({"Running", "Failed"}), namespaces=frozenset({"shop"}))) == [
        "order-2",
        "order-1",
    ]
    assert names(index, Query(phases=frozenset({"Failed"}), created_before=a_run("x", at=NEW).created_at)) == [
        "order-1"
    ]
    assert names(index, Query(created_after=a_run("x", at=OLD).created_at)) == ["stock"]
    assert names(index, Query(reactor="x", text="order")) == ["order-2", "order-1"]
    assert names(index, Query(reactor="y")) == []
    assert names(index, Query(namespaces=frozenset())) == []


def test_a_run_that_is_made_again_under_its_name_takes_another_place() -> None:
    index = index_of(a_run("a"), a_run("b"))
    assert index.put(a_run("a", at=NEW))
    assert names(index) == ["a", "b"]
    assert len(index) == 2


def test_what_is_known_as_it_is_is_no_change() -> None:
    index = index_of(a_run("a", phase="Running"))
    assert not index.put(a_run("a", phase="Running"))
    assert index.put(a_run("a", phase="Failed"))


def test_a_slice_ends_where_enough_was_looked_at_and_the_next_goes_on() -> None:
    index = index_of(*(a_run(f"r{number}", phase="Failed" if number == 0 else "Running") for number in range(10)))
    first = index.slice(Query(phases=frozenset({"Failed"})), None, 5, looked_at=6)
    assert (first.runs, first.rest) == ([], (a_run("x").created_at, "shop", "r4"))
    second = index.slice(Query(phases=frozenset({"Failed"})), first.rest, 5, looked_at=6)
    assert ([run.name for run in second.runs], second.rest) == (["r0"], None)


def test_what_matches_is_found_however_far_apart_it_is() -> None:
    runs = [a_run(f"r{number:04}", phase="Failed" if number % 499 == 0 else "Running") for number in range(2_000)]
    index = index_of(*runs)
    failed = Query(phases=frozenset({"Failed"}))
    assert names(index, failed) == ["r1996", "r1497", "r0998", "r0499", "r0000"]
    first = index.slice(failed, None, 3)
    assert [run.name for run in first.runs + index.slice(failed, first.rest, 3).runs] == names(index, failed)


def test_namespaces_are_those_with_runs_in_them() -> None:
    index = index_of(a_run("a"), a_run("b"), a_run("a", "bank"))
    assert index.remove("shop", "a") == a_run("a")
    assert index.namespaces() == {"shop", "bank"}
    index.remove("bank", "a")
    assert index.remove("bank", "a") is None
    assert index.namespaces() == {"shop"}


class TestWaiting:
    def asking(self, name: str, *opened: str, namespace: str = "shop") -> RunSummary:
        steps = [{"step": f"ask-{number}", "openedAt": at} for number, at in enumerate(opened)]
        return a_run(name, namespace, phase="Paused", interrupts=steps)

    def found(self, index: RunIndex, namespaces: frozenset[str] | None = None, reactor: str = "") -> list[str]:
        return [f"{run.name}/{one.step}" for run, one in index.waits(namespaces, reactor, None, 100).waiting]

    def test_the_longest_wait_comes_first(self) -> None:
        index = index_of(self.asking("a", NEW, OLD), self.asking("b", OLD), self.asking("c", OLD, namespace="bank"))
        assert self.found(index) == ["c/ask-0", "a/ask-1", "b/ask-0", "a/ask-0"]
        assert self.found(index, frozenset({"bank"})) == ["c/ask-0"]
        assert self.found(index, reactor="y") == []

    def test_what_was_answered_waits_no_more(self) -> None:
        index = index_of(self.asking("a", OLD, NEW), self.asking("b", NEW))
        index.put(a_run("a", phase="Running"))
        assert self.found(index) == ["b/ask-0"]
        index.remove("shop", "b")
        assert self.found(index) == []

    def test_slices_go_on_after_the_last_one(self) -> None:
        index = index_of(self.asking("a", OLD, NEW), self.asking("b", NEW))
        first = index.waits(None, "", None, 2)
        second = index.waits(None, "", first.rest, 2)
        assert [run.name for run, _ in first.waiting + second.waiting] == ["a", "a", "b"]
        assert second.rest is None
