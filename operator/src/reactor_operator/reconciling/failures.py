"""A failure as the action that cleans up after it is told of it.

In: a `Failure` of the engine and the documents of its run. Out: JSON. Never here: the failure that status shows.
"""

from reactor_operator.engine.failures import Failure
from reactor_operator.outcomes.detail import explained
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.records import failure_document


async def read_failure(failure: Failure | None, documents: Documents) -> bytes:
    """Return a failure with its details; null where the step was stopped without failing."""
    detail = await documents.one(failure.detail) if failure is not None and failure.detail is not None else None
    return explained(failure_document(failure), detail)
