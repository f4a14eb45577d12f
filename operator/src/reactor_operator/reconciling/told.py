"""What people were told of a run: its status, read back for the one question whether the store has lost something.

In: a run as the API server has it. Out: single facts of its status. Total: any status has an answer.
Never here: a status taken for the truth about a run.
"""

from collections.abc import Mapping

from reactor_operator.engine.state import ENDED, RunPhase
from reactor_operator.ports import RunObject

_ENDED = frozenset(phase.value for phase in ENDED)


def told_sequence(run: RunObject) -> int:
    """Return the revision that the run's status was rendered from; 0 where none was."""
    store = run.status.get("store")
    sequence = store.get("sequence") if isinstance(store, Mapping) else None
    return sequence if isinstance(sequence, int) else 0


def told_end(run: RunObject) -> bool:
    """Tell whether the status says that the run has ended."""
    return run.status.get("phase") in _ENDED


def told_recovering(run: RunObject) -> bool:
    """Tell whether the status says that state was lost: a state that knows nothing of it is an older copy."""
    return run.status.get("phase") == RunPhase.RECOVERING.value


def told_reactor(run: RunObject) -> str:
    """Return the name of the reactor in the run's spec."""
    reference = run.spec.get("reactorRef")
    name = reference.get("name") if isinstance(reference, Mapping) else None
    return name if isinstance(name, str) else ""
