"""The results of a map, one for each element, as a handler reads them: page by page, never all at once.

In: the small document that stands for them, and a reader of pages. Out: `ResultEnumerator`, `ElementResult`.
Never here: where pages come from, or more than one of them in memory.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reactor.connection import Answer

    ReadPage = Callable[[str, int, int, str, int], Mapping[str, object]]
    """Reads a page: step, round, page (from 0), filter (`all`, `ok`, `failed`), after which element (-1: from the
    first one) -> `{"items": […]}`, and `"after"` where the rest of the page is to be read with that."""
MARK = "reactor.run/results"
PAGE_SIZE = 100
ALL, OK, FAILED = "all", "ok", "failed"


class ElementResult:
    """What became of one element: `value` where it is `ok`, else `failure`, a dict with `kind` and `message`."""

    __slots__ = ("failure", "index", "ok", "value")

    def __init__(
        self, index: int, ok: bool, value: object = None, failure: "Mapping[str, object] | None" = None
    ) -> None:
        self.index = index
        self.ok = ok
        self.value = value
        self.failure = failure

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ElementResult):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # a value may be a list

    def __repr__(self) -> str:
        what = f"value={self.value!r}" if self.ok else f"failure={self.failure!r}"
        return f"ElementResult(index={self.index}, ok={self.ok}, {what})"


class ResultEnumerator:
    """The results of a map: counts, iteration in the order of the elements, and single ones by index.

    `for one in results` gives an `ElementResult` for each element, `results.successes` their values alone,
    `results.failures` those that failed. `results[7]` is that of element 7. Each reads pages of 100.
    """

    __slots__ = ("_read_page", "_round", "_step", "failed", "skipped", "succeeded", "total")

    def __init__(self, told: "Mapping[str, object]", read_page: "ReadPage") -> None:
        self._step = str(told.get("step", ""))
        self._round = _count(told, "round")
        self._read_page = read_page
        self.total = _count(told, "total")
        """How many elements there were."""
        self.succeeded = _count(told, "succeeded")
        """How many succeeded, skipped ones not among them."""
        self.failed = _count(told, "failed")
        """How many failed."""
        self.skipped = _count(told, "skipped")
        """How many found that there was nothing to do."""

    @classmethod
    def of(cls, results: "Sequence[ElementResult]") -> "ResultEnumerator":
        """Return an enumerator over results at hand, for the test of a handler."""

        def read_page(_step: str, _round: int, page: int, which: str, _after: int) -> "Mapping[str, object]":
            some = [
                one for one in results if one.index // PAGE_SIZE == page and which in (ALL, OK if one.ok else FAILED)
            ]
            return {"items": [{name: getattr(one, name) for name in ElementResult.__slots__} for one in some]}

        failed = sum(not one.ok for one in results)
        total = max([one.index for one in results], default=-1) + 1
        return cls({"total": total, "succeeded": len(results) - failed, "failed": failed}, read_page)

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> "Iterator[ElementResult]":
        return self._all(ALL)

    def __getitem__(self, index: int) -> ElementResult:
        at = index + self.total if index < 0 else index
        if 0 <= at < self.total:
            for one in self._page(at // PAGE_SIZE, ALL):
                if one.index == at:
                    return one
        raise IndexError(f"element {index} of the map {self._step} has no result; there were {self.total} elements")

    @property
    def successes(self) -> "Iterator[object]":
        """The values of the elements that did not fail, in their order."""
        return (one.value for one in self._all(OK))

    @property
    def failures(self) -> "Iterator[ElementResult]":
        """The elements that failed, in their order."""
        return self._all(FAILED)

    def __repr__(self) -> str:
        counts = f"total={self.total}, succeeded={self.succeeded}, failed={self.failed}, skipped={self.skipped}"
        return f"ResultEnumerator(step={self._step!r}, {counts})"

    def _all(self, which: str) -> "Iterator[ElementResult]":
        for page in range(-(-self.total // PAGE_SIZE)):
            yield from self._page(page, which)

    def _page(self, page: int, which: str) -> "Iterator[ElementResult]":
        after = -1
        while True:
            told = self._read_page(self._step, self._round, page, which, after)
            items, rest = told.get("items"), told.get("after")
            for item in items if isinstance(items, list) else ():
                yield ElementResult(item["index"], item["ok"], item.get("value"), item.get("failure"))
            if not isinstance(rest, int) or rest <= after:
                return
            after = rest


class ResultsUnavailable(Exception):
    """A page of results could not be read; the message says why."""


def unreadable(step: str, _round: int, _page: int, _which: str, _after: int) -> "Mapping[str, object]":
    """Stand for a reader where there is none."""
    raise ResultsUnavailable(f"the results of {step} cannot be read here")


def query_of(step: str, round_: int, page: int, which: str, after: int) -> str:
    """Return the query of a request for a page."""
    from reactor.gateway import quote

    rest = f"&after={after}" if after >= 0 else ""
    return f"step={quote(step)}&round={round_}&page={page}&filter={which}{rest}"


def page_of(answer: "Answer", step: str) -> "Mapping[str, object]":
    """Return the page that the gateway answered with. Raises ResultsUnavailable."""
    from json import loads

    if answer.status != 200:
        said = answer.body[:300].decode("utf-8", "replace")
        raise ResultsUnavailable(f"the results of {step} cannot be read: the gateway answered {answer.status} {said}")
    found = loads(answer.body)
    if not isinstance(found, dict):
        raise ResultsUnavailable(f"the results of {step} cannot be read: the gateway's answer is not a JSON object")
    return found


def with_enumerators(arguments: "dict[str, object]", read_page: "ReadPage") -> "dict[str, object]":
    """Return arguments in which each document that stands for the results of a map is their enumerator."""
    for name, value in arguments.items():
        if type(value) is dict and MARK in value and len(value) == 1 and isinstance(value[MARK], dict):
            arguments[name] = ResultEnumerator(value[MARK], read_page)
    return arguments


def _count(told: "Mapping[str, object]", name: str) -> int:
    found = told.get(name, 0)
    return found if isinstance(found, int) else 0
