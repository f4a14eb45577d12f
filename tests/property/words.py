"""The words in which the reference model tells a run: what is asked, how tasks end, what a run comes to.

Never here: a rule, anything of `reactor_operator`.

Endings of a script: `ok` (also where it says no more), `skip`, `halt`, `continue` (of a compensate), or a kind of
failure. `when` ends with `true`, `false` or `Expression`; `transform` with `ok` or `Expression`; `switch` with the body
that is chosen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Script = Mapping[tuple[str, str], Sequence[str]]
Launch = tuple[str, str, int, int]
"""Path, action, round, attempt."""

Interruption = tuple[int, str]
"""While which launch is in flight, counted from 1, a person asks for what: `cancel`, `undo`, or to `suspend` the run,
which goes on once nothing is in flight any more."""

NEVER: Interruption = (0, "")


@dataclass(frozen=True)
class Moves:
    """In which order things happen where several tasks are in flight.

    `picks` say, move by move, which of the tasks in flight begins or, where it has begun, ends; they are counted in the
    order of the manifest, and behind the last of them stands the time that attempts wait for. Where the picks say no
    more it is the first. `asked` says in which move, counted from 1, a person asks for what instead.
    """

    picks: tuple[int, ...] = ()
    asked: Mapping[int, str] = field(default_factory=dict)


RETRYABLE = frozenset({"Error", "Timeout"})
UNCERTAIN = frozenset({"Timeout", "InvalidResult"})
NEVER_STARTED = frozenset({"CannotStart", "Expression"})
NOT_KEPT = frozenset({"Failed", "Cancelled", "Undone", "Compensated", "RollbackFailed"})
HALT, STOP = "halt", "stop"
SUSPEND, RESUME = "suspend", "resume"


@dataclass(frozen=True)
class Broken:
    """A step has finally failed and its own cleanup is done: what is around it fails too."""

    path: str
    may_retry: bool


@dataclass(frozen=True)
class End:
    """How a run ends, as far as the rules say it."""

    phase: str
    steps: Mapping[str, str]
    launches: Sequence[Launch]
    reversed: Sequence[str]
    failures: Sequence[tuple[str, str]]
    rollback: str
    has_result: bool
    failed_step: str
    answers: Sequence[bool]
    moments: Sequence[int]
    """In which move each launch was made, and how many moves there were until the end; see `Moves`."""
