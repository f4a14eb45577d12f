"""Pages of outcomes of a map, as bytes and back.

In: the outcomes of up to 100 elements that follow each other. Out: JSON, one entry for each place: null where nothing
is known, 1 for the commonest end (succeeded with null, nothing kept), else an object. Never here: where a page is kept.
"""

from functools import lru_cache
from typing import Any

import orjson

from reactor_operator.engine.state import PAGE, ElementOutcome, ElementPhase, OutcomePage, RunState
from reactor_operator.store.codec import (
    Unreadable,
    element_from_json,
    element_to_json,
    failure_from_json,
    failure_to_json,
    reference_from_json,
    reference_to_json,
)

_REMEMBERED = 2_000
_PLAIN = ElementOutcome(phase=ElementPhase.SUCCEEDED)


def outcome_page_name(path: str, round_: int, number: int) -> str:
    """Return the name under which a page of outcomes is kept."""
    return f"outcome/{path}/{round_}/{number}"


def source_page_name(path: str, round_: int, number: int) -> str:
    """Return the name under which a page of elements is kept: a JSON array."""
    return f"source/{path}/{round_}/{number}"


def encode_outcomes(path: str, number: int, page: OutcomePage) -> bytes:
    """Render a page of the map at `path`."""
    first = number * PAGE
    # joined here: orjson 3.13 writes past its buffer where many nulls follow a Fragment in a list
    return b"[%b]" % b",".join(_entry(f"{path}[{first + at}]", page.get(first + at)) for at in range(PAGE))


def decode_outcomes(path: str, number: int, uid: str, body: bytes, *, kept: bool = True) -> OutcomePage:
    """Return the page that `encode_outcomes` rendered for a map of a run. Raises Unreadable.

    Without `kept` sagas are left out, which are most of a page: who reads results needs none.
    """
    first = number * PAGE
    try:
        return {
            first + at: _PLAIN if entry == 1 else _outcome(f"{path}[{first + at}]", uid, entry, kept)
            for at, entry in enumerate(orjson.loads(body))
            if entry is not None
        }
    except (ValueError, TypeError, AttributeError, KeyError) as problem:
        raise Unreadable(f"stored outcomes of {path} cannot be read ({problem}): {body[:200]!r}") from problem


def _entry(path: str, outcome: ElementOutcome | None) -> bytes:
    if outcome is None:
        return b"null"
    return b"1" if outcome == _PLAIN else _rendered(_Place(path, outcome))


class _Place:
    """The very outcome of an element. To compare what is in it would take as long as to render it."""

    __slots__ = ("outcome", "path")

    def __init__(self, path: str, outcome: ElementOutcome) -> None:
        self.path = path
        self.outcome = outcome

    def __hash__(self) -> int:
        return id(self.outcome)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Place) and self.outcome is other.outcome and self.path == other.path


@lru_cache(maxsize=_REMEMBERED)
def _rendered(place: _Place) -> bytes:
    """Render an outcome: once, though its page is written each time that another element of it has ended."""
    path, outcome = place.path, place.outcome
    entry: dict[str, Any] = {"phase": outcome.phase}
    if outcome.result is not None:
        entry["result"] = reference_to_json(outcome.result)
    if outcome.failure is not None:
        entry["failure"] = failure_to_json(outcome.failure)
    if outcome.kept is not None:
        entry["kept"] = element_to_json(path, outcome.kept)
    return orjson.dumps(entry)


def _outcome(path: str, uid: str, entry: dict[str, Any], with_kept: bool) -> ElementOutcome:
    kept = None
    if with_kept and "kept" in entry:
        header, steps = element_from_json(path, uid, entry["kept"])
        kept = RunState(header=header, steps=steps)
    return ElementOutcome(
        phase=ElementPhase(entry["phase"]),
        result=reference_from_json(entry["result"]) if "result" in entry else None,
        failure=failure_from_json(entry["failure"]) if "failure" in entry else None,
        kept=kept,
    )
