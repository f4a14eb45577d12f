"""Documents that an element of a map has of its own: they have a name, and are dropped when nothing refers to them.

In: what an element is, became, or was told. Out: names of documents. Never here: a document that others may share.
"""

from collections.abc import Iterable, Iterator

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.state import ElementOutcome, Header, StepState
from reactor_operator.engine.values import ValueRef


def names_of(refs: Iterable[ValueRef | None]) -> frozenset[str]:
    """Return the names of documents that have one."""
    return frozenset(ref.digest for ref in refs if ref is not None and ref.named)


def names_of_saga(header: Header, steps: Iterable[StepState]) -> frozenset[str]:
    """Return the documents that a saga refers to by name, without those of elements in flight inside it."""
    failures = [one.failure for one in (header.failure, header.contained) if one is not None]
    names = names_of(_details(failures))
    for step in steps:
        names |= names_of(_of_step(step))
    return names


def names_of_outcome(outcome: ElementOutcome) -> frozenset[str]:
    """Return the documents that the outcome of an element refers to by name, without those of what is kept of it."""
    return names_of([outcome.result, *_details([outcome.failure])])


def names_told(event: ev.Event) -> frozenset[str]:
    """Return the documents that an event brings, and that have a name."""
    match event:
        case ev.StepEvaluated():
            return names_of((event.arguments, event.inputs, event.result, event.fallback, event.otherwise))
        case ev.StepEvaluationFailed():
            return names_of((event.fallback, *_details([event.failure])))
        case ev.TaskFailed():
            return names_of(_details([event.failure]))
        case ev.RequestEvaluated():
            return names_of((event.request,))
        case ev.ReturnsEvaluated() | ev.TaskUploaded() | ev.TaskSucceeded() | ev.TaskSkipped() | ev.TaskContinued():
            return names_of((event.result,))
        case _:
            return frozenset()


def _of_step(step: StepState) -> Iterator[ValueRef | None]:
    yield from (step.arguments, step.given, step.request, step.inputs, step.fallback, step.result, step.uploaded)
    if step.interrupt is not None:
        yield step.interrupt.otherwise
    yield from _details([step.failure, step.cleanup_failure, step.map.failure if step.map is not None else None])


def _details(failures: Iterable[Failure | None]) -> Iterator[ValueRef | None]:
    return (failure.detail for failure in failures if failure is not None)
