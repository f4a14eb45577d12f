"""Pages of results of a map, as a run that has ended it stores them."""

from collections.abc import Mapping

import orjson

from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.state import PAGE, ElementOutcome, ElementPhase
from reactor_operator.engine.values import reference_to
from reactor_operator.outcomes.results import RESULTS_KEY
from reactor_operator.store.outcome_pages import encode_outcomes, outcome_page_name
from reactor_operator.store.port import Commit, RunStore

STEP = "rows"
FAILED = ElementOutcome(
    phase=ElementPhase.FAILED, failure=Failure(kind=FailureKind.ERROR, message="ValueError: no", retryable=True)
)


def enumerated(total: int, seal: str = "") -> dict[str, object]:
    """Return what stands for the results of `write_results`."""
    failed = len(range(9, total, 10))
    told = {"step": STEP, "round": 1, "total": total, "succeeded": total - failed - 1, "failed": failed, "skipped": 1}
    if seal:
        told["seal"] = seal
    return {RESULTS_KEY: told}


async def write_results(store: RunStore, run: str, total: int, encrypted: Mapping[int, bytes] | None = None) -> None:
    """Store results: of element n `{"n": n}`, null of 0, skipped 1, a text of 1,000 letters of 2; each tenth failed.

    `encrypted` are documents in place of these.
    """
    values: dict[str, bytes] = {}
    pages: dict[str, bytes | None] = {}
    for number in range(-(-total // PAGE)):
        page = {}
        for n in range(number * PAGE, min(total, (number + 1) * PAGE)):
            document = orjson.dumps("x" * 1000 if n == 2 else {"n": n})
            document = (encrypted or {}).get(n, document)
            ref = reference_to(document, f"{STEP}[{n}].run.1.1.1 result")
            if ref.inline is None:
                values[ref.digest] = document
            phase = ElementPhase.SKIPPED if n == 1 else ElementPhase.SUCCEEDED
            page[n] = FAILED if n % 10 == 9 else ElementOutcome(phase=phase, result=None if n == 0 else ref)
        pages[outcome_page_name(STEP, 1, number)] = encode_outcomes(STEP, number, page)
    found = await store.load(run)
    await store.commit(Commit(run=run, revision=found.revision if found else 0, epoch=1, values=values, pages=pages))
