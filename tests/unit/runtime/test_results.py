"""The results of a map as a handler reads them."""

from collections.abc import Mapping
from typing import Any

import pytest

from reactor import ElementResult, ResultEnumerator
from reactor.results import MARK, PAGE_SIZE, with_enumerators

TOTAL = 250


class Pages:
    """250 elements: each tenth failed, and of element 17 nothing is known."""

    def __init__(self) -> None:
        self.read: list[tuple[str, int, int, str]] = []

    def page(self, step: str, round_: int, page: int, which: str, _after: int) -> Mapping[str, object]:
        self.read.append((step, round_, page, which))
        indices = range(page * PAGE_SIZE, min(TOTAL, (page + 1) * PAGE_SIZE))
        items: list[dict[str, Any]] = [
            {"index": n, "ok": False, "failure": {"kind": "Error", "message": "no"}}
            if n % 10 == 9
            else {"index": n, "ok": True, "value": {"n": n}}
            for n in indices
            if n != 17
        ]
        return {"items": [item for item in items if which in ("all", "ok" if item["ok"] else "failed")]}


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def results(pages: Pages) -> ResultEnumerator:
    told = {"step": "rows", "round": 2, "total": TOTAL, "succeeded": 224, "failed": 25, "skipped": 1}
    return ResultEnumerator(told, pages.page)


def test_counts_are_told_without_reading_anything(results: ResultEnumerator, pages: Pages) -> None:
    assert (len(results), results.total, results.succeeded, results.failed, results.skipped) == (250, 250, 224, 25, 1)
    assert repr(results) == "ResultEnumerator(step='rows', total=250, succeeded=224, failed=25, skipped=1)"
    assert pages.read == []


def test_a_page_that_is_too_large_is_read_in_parts() -> None:
    asked: list[int] = []

    def read_page(_step: str, _round: int, page: int, _which: str, after: int) -> Mapping[str, object]:
        asked.append(after)
        index = max(after + 1, page * PAGE_SIZE)
        rest = {"after": index} if index % PAGE_SIZE < 2 else {}
        return {"items": [{"index": index, "ok": True, "value": index}], **rest}

    results = ResultEnumerator({"step": "rows", "total": 200}, read_page)
    assert list(results.successes) == [0, 1, 2, 100, 101, 102]
    assert asked == [-1, 0, 1, -1, 100, 101]


def test_it_goes_through_all_elements_in_order_and_reads_each_page_when_it_comes_to_it(
    results: ResultEnumerator, pages: Pages
) -> None:
    found = iter(results)
    assert next(found) == ElementResult(0, True, {"n": 0})
    assert pages.read == [("rows", 2, 0, "all")]
    rest = list(found)
    assert [one.index for one in rest] == [n for n in range(1, TOTAL) if n != 17]
    assert [page for _, _, page, _ in pages.read] == [0, 1, 2]
    assert rest[8] == ElementResult(9, False, None, {"kind": "Error", "message": "no"})


def test_it_can_be_gone_through_again(results: ResultEnumerator) -> None:
    assert [one.index for one in results] == [one.index for one in results]


def test_successes_are_values_and_failures_are_elements(results: ResultEnumerator, pages: Pages) -> None:
    assert list(results.successes) == [{"n": n} for n in range(TOTAL) if n % 10 != 9 and n != 17]
    assert {which for *_, which in pages.read} == {"ok"}
    assert [one.index for one in results.failures] == list(range(9, TOTAL, 10))


def test_one_element_is_read_with_its_page(results: ResultEnumerator, pages: Pages) -> None:
    assert results[123] == ElementResult(123, True, {"n": 123})
    assert pages.read == [("rows", 2, 1, "all")]
    assert results[-1].index == 249


@pytest.mark.parametrize("index", [250, -251, 17])
def test_an_element_that_is_not_there_is_an_index_error(results: ResultEnumerator, index: int) -> None:
    with pytest.raises(IndexError, match="of the map rows"):
        results[index]


def test_an_argument_that_stands_for_results_becomes_their_enumerator(pages: Pages) -> None:
    told = {"step": "rows", "round": 1, "total": 3}
    given: dict[str, object] = {"rows": {MARK: told}, "other": {MARK: told, "more": 1}, "deep": [{MARK: told}], "n": 1}
    found = with_enumerators(dict(given), pages.page)
    assert isinstance(found["rows"], ResultEnumerator)
    assert len(found["rows"]) == 3
    assert {name: found[name] for name in ("other", "deep", "n")} == {
        name: given[name] for name in ("other", "deep", "n")
    }


def test_a_test_of_a_handler_makes_one_of_results_at_hand() -> None:
    given = [ElementResult(0, True, "a"), ElementResult(1, False, failure={"kind": "Error", "message": "no"})]
    results = ResultEnumerator.of(given)
    assert list(results) == given
    assert (len(results), list(results.successes), list(results.failures)) == (2, ["a"], given[1:])
