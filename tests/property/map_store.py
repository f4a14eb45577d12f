"""What is stored of a run with maps: written by what each decision says has changed, and by nothing else.

In: decisions. Out: the state as `restore` makes it of what is stored; which documents and pages are there.
Never here: a rule of maps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace

from reactor_operator.engine.derive import restore
from reactor_operator.engine.draft import Decision
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import ElementOutcome, Header, OutcomePage, RunState, StepState
from reactor_operator.engine.values import ValueRef
from reactor_operator.store.codec import (
    decode_element,
    decode_header,
    decode_step,
    encode_elements,
    encode_header,
    encode_step,
)
from reactor_operator.store.outcome_pages import decode_outcomes, encode_outcomes

Place = tuple[str, int, int]
"""A page of a map: path, round and number."""


@dataclass
class MapStore:
    """Records as bytes, by what they are of.

    values: documents of elements that were written and not dropped, by name.   dropped: those that were.
    sources: pages of elements that are there.
    """

    plan: Plan
    header: bytes = b""
    steps: dict[str, bytes] = field(default_factory=dict)
    elements: dict[str, bytes] = field(default_factory=dict)
    hot: dict[tuple[str, int], bytes] = field(default_factory=dict)
    cold: dict[Place, bytes] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    sources: set[Place] = field(default_factory=set)

    def write(self, decision: Decision) -> None:
        """Write what a decision changed."""
        state, filing = decision.state, decision.filing
        self.header = encode_header(state.header)
        for path in decision.touched:
            self.steps[path] = encode_step(state.steps[path])
        if filing is None:
            return
        for path, element in filing.elements.items():
            if element is None:
                self.elements.pop(path, None)
            else:
                self.elements[path] = encode_elements({path: element})[path]
        for place, page in filing.hot.items():
            if page is None:
                self.hot.pop(place, None)
            else:
                self.hot[place] = encode_outcomes(*place, page)
        for (path, round_, number), page in filing.cold.items():
            self.cold[path, round_, number] = encode_outcomes(path, number, page)
        self.sources -= filing.sources
        self.values -= filing.dropped
        self.dropped |= filing.dropped

    def add(self, ref: ValueRef | None) -> ValueRef | None:
        """Write a document that has a name."""
        if ref is not None and ref.named:
            self.values.add(ref.digest)
            self.dropped.discard(ref.digest)
        return ref

    def page(self, place: Place) -> OutcomePage:
        """Return a page of outcomes that left the hot state; empty where nothing was ever put into it."""
        path, _, number = place
        body = self.cold.get(place)
        return {} if body is None else decode_outcomes(path, number, self._uid, body)

    @property
    def _uid(self) -> str:
        return decode_header(self.header).uid

    def restored(self) -> RunState:
        """Return the state that is made of what is stored."""
        uid = self._uid
        return restore(
            self.plan,
            decode_header(self.header),
            {path: decode_step(body) for path, body in self.steps.items()},
            {path: decode_element(path, uid, body) for path, body in self.elements.items()},
            {place: decode_outcomes(*place, uid, body) for place, body in self.hot.items()},
        )

    def records(self) -> int:
        """How many records an operator loads, but for steps, of which there are no more than are written."""
        return len(self.elements) + len(self.hot)

    def size(self) -> int:
        """How many bytes these records have."""
        return sum(map(len, (*self.elements.values(), *self.hot.values())))


def references(state: RunState) -> Iterator[ValueRef]:
    """Yield every reference that a saga holds, and those in flight inside it, and outcomes in pages that are hot."""
    yield from references_of_header(state.header)
    for step in state.steps.values():
        yield from references_of_step(step)
    for elements in state.elements.values():
        for element in elements.values():
            yield from references(element)
    for pages in state.pages.values():
        for page in pages.values():
            yield from references_of_page(page)


def references_of_page(page: OutcomePage) -> Iterator[ValueRef]:
    """Yield every reference of a page of outcomes."""
    for outcome in page.values():
        if outcome.result is not None:
            yield outcome.result
        yield from _details(outcome.failure)
        if outcome.kept is not None:
            yield from references(outcome.kept)


def references_of_header(header: Header) -> Iterator[ValueRef]:
    """Yield what the header of a saga refers to."""
    if header.result is not None:
        yield header.result
    for failed in (header.failure, header.contained):
        yield from _details(failed.failure if failed is not None else None)


def references_of_step(step: StepState) -> Iterator[ValueRef]:
    """Yield what a step refers to, whatever for."""
    for one in fields(step):
        found = getattr(step, one.name)
        if isinstance(found, ValueRef):
            yield found
        elif isinstance(found, Failure):
            yield from _details(found)
    if step.map is not None:
        yield from _details(step.map.failure)
        if step.map.cursor is not None:
            yield step.map.cursor


def _details(failure: Failure | None) -> Iterator[ValueRef]:
    if failure is not None and failure.detail is not None:
        yield failure.detail


def bare(state: RunState) -> RunState:
    """Return a state without what is not stored of sagas that are kept: only their headers and steps are."""
    return replace(
        state,
        elements={of: {path: bare(one) for path, one in elements.items()} for of, elements in state.elements.items()},
        pages={
            of: {number: {index: bare_outcome(one) for index, one in page.items()} for number, page in pages.items()}
            for of, pages in state.pages.items()
        },
    )


def bare_outcome(outcome: ElementOutcome) -> ElementOutcome:
    """Return an outcome as it is stored."""
    if outcome.kept is None:
        return outcome
    return replace(outcome, kept=RunState(header=outcome.kept.header, steps=dict(outcome.kept.steps)))
