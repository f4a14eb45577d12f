"""Under which name a document of a task is kept: its content's, or one of its own.

In: a task, what the document is, the document. Out: its reference, and the document among those to store. Never here:
what is in it.
"""

from reactor_operator.engine.identity import Task
from reactor_operator.engine.values import ValueRef, reference_to


def name_of(task: Task, what: str) -> str:
    """Return the name of a document (`result`, `detail`) of a task that belongs to an element of a map; else nothing.

    What an element has is dropped when it has ended, so two elements must not share it.
    """
    return f"{task.key} {what}" if "[" in task.path else ""


def keep(document: bytes, task: Task, what: str, values: dict[str, bytes]) -> ValueRef:
    """Return the reference to a document of a task, and put it among `values` unless the reference is it."""
    ref = reference_to(document, name_of(task, what))
    if ref.inline is None:
        values[ref.digest] = document
    return ref
