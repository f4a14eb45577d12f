"""What a session of seeds really did: which places were crossed and crashed at, and which faults fired.

In: what each world counted. Out: a table for people, and the list of what never happened: a simulation in which it
does not happen proves nothing about it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Place(StrEnum):
    """Where an operator can be stopped or crashed: before and after each of its effects."""

    LOAD = "before load"
    COMMIT = "before commit"
    COMMITTED = "after commit"
    GET_VALUES = "before get values"
    ACTIVE_RUNS = "before asking which runs are active"
    INCARNATION = "before asking which store it is"
    EVALUATE = "before evaluating"
    GET_RUN = "before get run"
    GET_REACTOR = "before get reactor"
    CREATE_POD = "before create pod"
    POD_CREATED = "after create pod"
    DELETE_POD = "before delete pod"
    POD_DELETED = "after delete pod"
    PATCH_STATUS = "before patch status"
    STATUS_PATCHED = "after patch status"
    CREATE_EVENT = "before create event"
    EVENT_CREATED = "after create event"
    OPEN_TASK = "before asking whether a pod's task is open"
    TELL = "before telling the inbox what a pod shows"
    TOLD = "after telling the inbox what a pod shows"


class Fault(StrEnum):
    """What the simulation does to the system."""

    CRASH = "operator crashed"
    TAKEOVER = "operator replaced while it goes on"
    PAUSE = "operator paused 30 s and replaced"
    CALL_FAILED = "call not applied"
    ANSWER_LOST = "call applied, its answer lost"
    LATE_CREATE = "create applied after the caller gave up"
    EVENT_LOST = "event lost"
    EVENT_REPEATED = "event repeated"
    EVENT_DELAYED = "event delayed"
    ENTRY_REPEATED = "inbox entry sent again, late"
    STALE_WAITING = "stale reason to wait told"
    KILL = "pod killed by its node"
    VANISH = "pod object deleted"
    CUT_OFF = "node of a pod unreachable"
    HANG = "pod hung"
    STUCK = "pod could not start"
    FOREIGN_POD = "foreign pod under a task's name"
    CANCEL = "run cancelled"
    REQUEST = "run undone, retried, suspended or a step of it skipped on request"
    DELETE_RUN = "run deleted"
    STORE_EMPTIED = "store emptied"
    STORE_ROLLED_BACK = "store rolled back"


class Seen(StrEnum):
    """What follows from faults only if they strike where it hurts."""

    OLD_EPOCH = "commit of an old epoch refused"
    STALE_REVISION = "commit on a stale revision refused"
    INBOX_AHEAD = "commit behind the inbox refused"
    LATE_REPORT = "report of a superseded pod refused"
    LATE_CHECK_IN = "check-in of a superseded pod refused"
    ZOMBIE_ACTED = "superseded pod acted"
    REPORT_REPEATED = "report recognised as repeated"
    FOREIGN_REFUSED = "foreign pod not adopted"
    ORPHAN = "pod of a closed task removed"
    REPLACED = "lost pod replaced"
    TIMED_OUT = "task timed out"
    NEVER_STARTED = "task waited too long to start"
    RUN_TIMED_OUT = "run timed out"
    ROLLBACK_LATE = "rollback passed its deadline"
    RECOVERING = "run recovering"
    START_UNSEEN = "container whose start nobody saw"
    STATUS_REPAIRED = "older status overwritten"
    ORDER_REPEATED = "order performed again"
    QUEUED = "run waited for its turn"


@dataclass
class Coverage:
    """Counters by name of a place, fault or consequence. `seeds` is how many worlds were counted."""

    seeds: int = 0
    crossed: Counter[str] = field(default_factory=Counter)
    crashed: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)

    def note(self, what: Fault | Seen) -> None:
        """Count one fault or consequence."""
        self.happened[what.value] += 1

    def add(self, other: "Coverage") -> None:
        """Count what another one counted."""
        self.seeds += other.seeds
        self.crossed.update(other.crossed)
        self.crashed.update(other.crashed)
        self.happened.update(other.happened)

    def encode(self) -> dict[str, object]:
        """Return plain values, as they travel between processes."""
        return {
            "seeds": self.seeds,
            "crossed": dict(self.crossed),
            "crashed": dict(self.crashed),
            "happened": dict(self.happened),
        }

    @classmethod
    def decode(cls, document: Mapping[str, object]) -> "Coverage":
        """Return what `encode` gave."""
        seeds, (crossed, crashed, happened) = document["seeds"], map(document.get, ("crossed", "crashed", "happened"))
        assert isinstance(seeds, int)
        assert isinstance(crossed, Mapping)
        assert isinstance(crashed, Mapping)
        assert isinstance(happened, Mapping)
        return cls(seeds, Counter(crossed), Counter(crashed), Counter(happened))

    def missing(self) -> list[str]:
        """Return what never happened, though so many seeds should have seen it."""
        found: list[str] = []
        if self.seeds >= SEEDS_FOR_FAULTS:
            found += [f"crash {place}" for place in Place if not self.crashed[place.value]]
            found += [fault.value for fault in Fault if not self.happened[fault.value]]
        if self.seeds >= SEEDS_FOR_CONSEQUENCES:
            found += [seen.value for seen in Seen if not self.happened[seen.value]]
        return found

    def lines(self) -> list[str]:
        """Render the table."""
        places = [f"{self.crossed[p.value]:>9} {self.crashed[p.value]:>8}  {p.value}" for p in Place]
        faults = [f"{self.happened[f.value]:>9}  {f.value}" for f in (*Fault, *Seen)]
        return [f"{'crossed':>9} {'crashed':>8}  place", *places, f"{'times':>9}  what happened", *faults]


SEEDS_FOR_FAULTS = 100
SEEDS_FOR_CONSEQUENCES = 1_000
