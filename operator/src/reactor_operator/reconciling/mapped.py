"""Elements and pages of maps as documents: a collection is cut into pages, and what a page's task returned is read.

In: values that sources and tasks brought. Out: pages, what tasks of a map are called with, what stands for its results.
Never here: the state of a run changed, a call to the store.
"""

import hashlib
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from reactor_operator.api.problems import render_found
from reactor_operator.encryption import Keyring
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.state import SOURCE_PAGE, MapState, StepState
from reactor_operator.evaluation.environment import RESULTS_KEY, SEAL

ELEMENT_BYTES = 1 << 20
"""The largest element of a map, as JSON."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of elements: the JSON array, how many there are, the cursor for the next page, and the mark of that."""

    body: bytes
    size: int
    cursor: bytes | None = None
    mark: str = ""


def cut_into_pages(elements: object, subject: str) -> list[bytes] | Failure:
    """Return a collection as pages of elements."""
    if not isinstance(elements, list):
        message = f"{subject}: map.source: found {render_found(elements)}, expected an array"
        return _failure(FailureKind.INVALID_ARGUMENTS, message)
    pages = []
    for first in range(0, len(elements), SOURCE_PAGE):
        page = _page_document(elements[first : first + SOURCE_PAGE], first)
        if isinstance(page, str):
            return _failure(FailureKind.INVALID_ARGUMENTS, f"{subject}: map.source: {page}")
        pages.append(page)
    return pages


def read_page(document: object, number: int, first: int, page_size: int, subject: str) -> Page | Failure:
    """Return what the task of a page returned; `first` is the index of its first element."""
    where = f"{subject}: page {number}"
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        found = document["items"] if isinstance(document, dict) and "items" in document else document
        message = f'{where}: found {render_found(found)}, expected {{"items": […], "next": …}}'
        return _failure(FailureKind.INVALID_RESULT, message)
    items = document["items"]
    if len(items) > page_size:
        message = f"found {len(items)} items, expected at most {page_size}, the limit that it was called with"
        return _failure(FailureKind.INVALID_RESULT, f"{where}: {message}")
    page = _page_document(items, first)
    if isinstance(page, str):
        return _failure(FailureKind.INVALID_RESULT, f"{where}: {page}")
    cursor = document.get("next")
    if cursor is None:
        return Page(page, len(items))
    body = orjson.dumps(cursor)
    return Page(page, len(items), body, hashlib.blake2b(body, digest_size=8).hexdigest())


def _page_document(elements: Sequence[object], first: int) -> bytes | str:
    """Return a page of elements; a string says what is wrong with one."""
    try:
        page = orjson.dumps(elements)
    except TypeError:
        return "found JSON that is nested too deeply, expected at most 250 levels"
    if len(page) > ELEMENT_BYTES:
        for place, element in enumerate(elements):
            size = len(orjson.dumps(element))
            if size > ELEMENT_BYTES:
                return (
                    f"found {size} bytes of JSON in element {first + place}, expected at most {ELEMENT_BYTES}: store"
                    " large things elsewhere, and map over their names"
                )
    return page


def place_of(path: str, step: StepState, index: int) -> tuple[int, int]:
    """Return the number of the page that an element in flight is in, and its place there."""
    sources = step.map.sources if step.map is not None else ()
    at = bisect(sources, index, key=lambda page: page.first) - 1
    if at < 0 or index >= sources[at].first + sources[at].size:
        raise AssertionError(f"element {index} of {path!r} is in no page that is open")
    return sources[at].number, index - sources[at].first


def results_document(keys: Keyring, run: str, path: str, step: StepState) -> dict[str, object]:
    """Return what stands for the results of a map, in arguments and as its result: how many, and where they are.

    Its seal tells it from one that an input or a task made up, which would give results to whoever must not see them.
    """
    told: dict[str, object] = {"step": path, "round": step.round, **counts_of(step.map or MapState())}
    if seal := keys.seal(run, path, str(step.round)):
        told[SEAL] = seal
    return {RESULTS_KEY: told}


def counts_of(state: MapState) -> dict[str, int]:
    """Return how many elements there were, and how they ended."""
    return {
        "total": state.opened,
        "succeeded": state.succeeded,
        "failed": state.failed,
        "skipped": state.skipped,
    }


def _failure(kind: FailureKind, message: str) -> Failure:
    return Failure(kind=kind, message=render_message(message), retryable=False)
