"""One run on one screen: what it is, how it went, each step, what was undone, and the result.

In: a view of a run and the time. Out: text. Never here: where the run came from.
"""

import json
from collections.abc import Iterator

from reactor_operator.cli.elements import render_counts
from reactor_operator.cli.explanation import render_unreversed, render_why
from reactor_operator.cli.moments import render_age, render_took, render_whole
from reactor_operator.cli.notified import render_notified
from reactor_operator.cli.run_view import RunView, StepView
from reactor_operator.cli.tables import render_columns
from reactor_operator.kube.fields import int_at, map_at, maps_at, text_at

STEPS_SHOWN = 60
VALUE_LIMIT = 600
SAID = 80


def render_story(run: RunView, *, now: float, verbose: bool = False) -> str:
    """Return the story of a run; `verbose` with tracebacks."""
    return "\n".join(_lines(run, now, verbose))


def _lines(run: RunView, now: float, verbose: bool) -> Iterator[str]:
    yield f"{run.name}  {run.phase}  ({_progress(run)})" if _progress(run) else f"{run.name}  {run.phase}"
    facts = [f"reactor {run.reactor}"]
    if run.namespace:
        facts.append(f"namespace {run.namespace}")
    if run.started_at is not None:
        facts.append(f"started {render_age(now - run.started_at)} ago")
        facts.append(f"took {render_took(run.took)}" if run.took is not None else "still going")
    yield "  " + " · ".join(facts)
    if run.taken_from:
        yield f"  taken from {run.taken_from} (the same idempotencyKey and inputs); nothing was started"
    yield from _why(run, verbose)
    if waiting := text_at(run.status, "waiting"):
        yield f"  waiting for {waiting}"
    yield from _steps(run, verbose)
    yield from _rollback(run, verbose)
    for signal in maps_at(run.status, "signals"):
        reason = text_at(signal, "reason")
        yield f"\n{text_at(signal, 'action')}: {text_at(signal, 'phase')}" + (f": {reason}" if reason else "")
    if notified := render_notified(run):
        yield f"\nNOTIFICATIONS  {notified}"
    if "result" in run.status:
        text = json.dumps(run.status["result"], ensure_ascii=False)
        yield f"\nRESULT  {text if len(text) <= VALUE_LIMIT else text[: VALUE_LIMIT - 1] + '…'}"
    elif reference := map_at(run.status, "resultRef"):
        yield f"\nRESULT  {int_at(reference, 'size') or 0:,} bytes, kept in the store"


def _why(run: RunView, verbose: bool) -> Iterator[str]:
    if why := render_why(run, verbose=verbose):
        yield from (f"  {line}" for line in why)
    elif run.failure:
        attempts = int_at(run.status, "failure", "attempts") or 0
        yield f"  failed: {run.failure}" + (f" (after {attempts} attempts)" if attempts > 1 else "")
    elif run.message:
        yield f"  {run.message}"


def _progress(run: RunView) -> str:
    return text_at(run.status, "progress")


def _steps(run: RunView, verbose: bool) -> Iterator[str]:
    steps = list(run.steps.values())
    if not steps:
        return
    rows = [("STEP", "PHASE", "ATTEMPTS", "TOOK", "")]
    rows += [_row(step, None if verbose else SAID) for step in steps[:STEPS_SHOWN]]
    yield ""
    yield from render_columns(rows)
    omitted = len(steps[STEPS_SHOWN:]) + (int_at(run.status, "stepsOmitted") or 0)
    if omitted:
        yield f"… and {omitted} more steps"


def _row(step: StepView, limit: int | None) -> tuple[str, str, str, str, str]:
    took = "" if step.took is None else render_whole(step.took) if step.took else "<1s"
    said = f"{step.kind}: {step.message}" if step.kind and not step.message.startswith(step.kind) else step.message
    said = " · ".join(filter(None, (render_counts(step.phase, step.map), said)))
    if step.cleanup:
        said = f"{said} · not reversed: {step.cleanup}" if said else f"not reversed: {step.cleanup}"
    line = " ".join(said.split())
    shown = line if limit is None or len(line) <= limit else line[: limit - 1] + "…"
    return step.name, step.phase, str(step.attempts or ""), took, shown


def _rollback(run: RunView, verbose: bool) -> Iterator[str]:
    state = text_at(map_at(run.status, "rollback"), "state")
    if state in ("", "NotNeeded"):
        return
    yield f"\nROLLBACK  {state}" + (f": {', '.join(run.undone)} (in this order)" if run.undone else "")
    yield from (f"  {line}" for line in render_unreversed(run, verbose=verbose))
