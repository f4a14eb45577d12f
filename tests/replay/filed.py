"""What a decision changes of maps, as documents of a history, and back.

In: the `Filing` of a decision, or what a history holds of one. Out: the other of the two.
Never here: what a step of a run or its header is (see `history`).

Documents are those of the store: elements in flight by path, pages of outcomes that are not whole yet by `PATH|NUMBER`,
and cold pages by their name; null removes. Of a page of outcomes the nulls at its end are left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from reactor_operator.engine import events as ev
from reactor_operator.engine.draft import Filing
from reactor_operator.engine.state import Header, OutcomePage, RunState, StepState
from reactor_operator.store.codec import decode_element, decode_event, encode_elements, encode_event
from reactor_operator.store.outcome_pages import decode_outcomes, encode_outcomes, outcome_page_name, source_page_name

Document = dict[str, Any]
Entries = list[Any]
"""The outcomes of a page, one for each place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What is stored of maps. `outcomes` are the pages that are in the hot state, `pages` those that left it."""

    elements: Mapping[str, Document | None] = field(default_factory=dict)
    outcomes: Mapping[str, Entries | None] = field(default_factory=dict)
    pages: Mapping[str, Entries | None] = field(default_factory=dict)
    dropped: Sequence[str] = ()


def filed_by(filing: Filing | None) -> Filed:
    """Return what a decision changes of maps, in an order that is the same each time."""
    if filing is None:
        return Filed()
    elements: dict[str, Document | None] = {
        path: None if one is None else json.loads(encode_elements({path: one})[path])
        for path, one in sorted(filing.elements.items())
    }
    outcomes = {
        f"{path}|{number}": None if page is None else _entries(path, number, page)
        for (path, number), page in sorted(filing.hot.items())
    }
    pages: dict[str, Entries | None] = {source_page_name(*place): None for place in sorted(filing.sources)}
    for (path, round_, number), page in sorted(filing.cold.items()):
        pages[outcome_page_name(path, round_, number)] = _entries(path, number, page)
    return Filed(elements=elements, outcomes=outcomes, pages=pages, dropped=sorted(filing.dropped))


def _entries(path: str, number: int, page: OutcomePage) -> Entries:
    entries: Entries = json.loads(encode_outcomes(path, number, page))
    while entries and entries[-1] is None:
        entries.pop()
    return entries


def stored_elements(uid: str, filed: Sequence[Filed]) -> dict[str, tuple[Header, dict[str, StepState]]]:
    """Return the elements that are in flight when all this was stored."""
    standing = {path: body for one in filed for path, body in one.elements.items()}
    return {path: decode_element(path, uid, orjson.dumps(body)) for path, body in standing.items() if body is not None}


def stored_outcomes(uid: str, filed: Sequence[Filed]) -> dict[tuple[str, int], OutcomePage]:
    """Return the pages of outcomes that are in the hot state when all this was stored."""
    found = {}
    for name, entries in {name: entries for one in filed for name, entries in one.outcomes.items()}.items():
        path, _, number = name.rpartition("|")
        if entries is not None:
            found[path, int(number)] = decode_outcomes(path, int(number), uid, orjson.dumps(entries))
    return found


def event_document(event: ev.Event) -> Document:
    """Return an event as a history has it. Outcomes that were loaded are those of a page that an earlier step filed."""
    if isinstance(event, ev.OutcomesLoaded):
        return {"type": event.type, "path": event.path, "round": event.round, "page": event.page}
    document: Document = json.loads(encode_event(event))
    return document


def event_from(document: Document, uid: str, filed: Sequence[Filed]) -> ev.Event:
    """Return the event that `event_document` rendered; `filed` is what was stored before."""
    if document["type"] != "OutcomesLoaded":
        return decode_event(orjson.dumps(document))
    path, round_, number = document["path"], document["round"], document["page"]
    name = outcome_page_name(path, round_, number)
    entries = next((one.pages[name] for one in reversed(filed) if name in one.pages), None)
    outcomes = {} if entries is None else decode_outcomes(path, number, uid, orjson.dumps(entries))
    return ev.OutcomesLoaded(path=path, round=round_, page=number, outcomes=outcomes)


def evaluating_in(state: RunState) -> list[str]:
    """Return what the engine waits for that it asked, in elements too."""
    found = set(state.evaluating)
    for elements in state.elements.values():
        for one in elements.values():
            found.update(evaluating_in(one))
    return sorted(found)
