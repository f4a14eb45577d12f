"""Pages of outcomes as bytes: what is rendered of one stays rendered, and readers of results need no sagas."""

from dataclasses import replace

from reactor_operator.engine.state import ElementOutcome, ElementPhase, Header, RunState
from reactor_operator.store import outcome_pages
from reactor_operator.store.outcome_pages import decode_outcomes, encode_outcomes

DONE = ElementOutcome(phase=ElementPhase.SUCCEEDED, kept=RunState(header=Header(uid="uid")))


def test_an_outcome_is_rendered_once_however_often_its_page_is_written() -> None:
    page = {100 + at: replace(DONE) for at in range(50)}
    first = encode_outcomes("rows", 1, page)
    before = outcome_pages._rendered.cache_info().misses
    page[150] = replace(DONE)
    assert decode_outcomes("rows", 1, "uid", encode_outcomes("rows", 1, page)) == page
    assert outcome_pages._rendered.cache_info().misses == before + 1
    assert encode_outcomes("rows", 1, {index: page[index] for index in range(100, 150)}) == first


def test_the_same_outcome_of_another_map_is_rendered_for_itself() -> None:
    page = {0: DONE}
    pages = [decode_outcomes(path, 0, "uid", encode_outcomes(path, 0, page)) for path in ("rows", "lines")]
    assert pages == [page, page]


def test_who_reads_results_gets_no_sagas() -> None:
    body = encode_outcomes("rows", 0, {0: DONE, 2: replace(DONE, phase=ElementPhase.FAILED)})
    read = decode_outcomes("rows", 0, "uid", body, kept=False)
    assert read == {index: ElementOutcome(phase=phase) for index, phase in ((0, DONE.phase), (2, ElementPhase.FAILED))}
