"""Results of sensitive steps, sealed before they are recorded.

In: an outcome and the documents it refers to. Out: the same with its result sealed. Never here: which results are
sensitive.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from reactor_operator.engine.events import Outcome, TaskContinued, TaskSkipped, TaskSucceeded
from reactor_operator.engine.values import reference_to

Seal = Callable[[bytes], bytes]


def seal_result(event: Outcome, values: Mapping[str, bytes], seal: Seal) -> tuple[Outcome, Mapping[str, bytes]]:
    """Return an outcome and its documents, the result sealed. Raises CannotUnseal where there is no key."""
    if not isinstance(event, TaskSucceeded | TaskSkipped | TaskContinued) or event.result is None:
        return event, values
    document = seal(values[event.result.digest])
    ref = reference_to(document)
    return replace(event, result=ref), {ref.digest: document}
