"""Results of sensitive steps, encrypted before they are recorded.

In: an outcome and the documents it refers to. Out: the same with its result encrypted. Never here: which results are
sensitive.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from reactor_operator.engine.events import Outcome, TaskContinued, TaskSkipped, TaskSucceeded
from reactor_operator.engine.values import reference_to
from reactor_operator.outcomes.names import name_of

Encrypt = Callable[[bytes], bytes]


def encrypt_result(
    event: Outcome, values: Mapping[str, bytes], encrypt: Encrypt
) -> tuple[Outcome, Mapping[str, bytes]]:
    """Return an outcome and its documents, the result encrypted. Raises CannotDecrypt where there is no key."""
    if not isinstance(event, TaskSucceeded | TaskSkipped | TaskContinued) or event.result is None:
        return event, values
    document = encrypt(event.result.inline or values[event.result.digest])
    ref = reference_to(document, name_of(event.task, "result"))
    return replace(event, result=ref), {ref.digest: document}
