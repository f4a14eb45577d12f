"""What a session of seeds really did: which places were crossed and crashed at, and which faults fired.

In: what each world counted. Out: a table for people, and the list of what never happened: a simulation in which it
does not happen proves nothing about it.
"""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


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
    HAND_IN = "before handing a request in"
    HANDED_IN = "after handing a request in"
    TAKE_AWAY = "before taking a request away"
    TAKEN_AWAY = "after taking a request away"
    OPEN_TASK = "before asking whether a pod's task is open"
    TELL = "before telling the inbox what a pod shows"
    TOLD = "after telling the inbox what a pod shows"


class Fault(StrEnum):
    """What the simulation does to the system."""

    CRASH = "operator crashed"
    TAKEOVER = "operator replaced while it goes on"
    PAUSE = "operator paused 30 s and replaced"
    CUT_FROM_API = "leader cut off from the API server for 30 s"
    CUT_FROM_STORE = "leader cut off from the store for 30 s"
    CALL_FAILED = "call not applied"
    ANSWER_LOST = "call applied, its answer lost"
    CREATE_REFUSED = "create refused as invalid"
    LATE_CREATE = "create applied after the caller gave up"
    EVENT_LOST = "event lost"
    EVENT_REPEATED = "event repeated"
    EVENT_DELAYED = "event delayed"
    ENTRY_REPEATED = "inbox entry sent again, late"
    OLD_TOLD = "run told as it once was"
    OLD_OBJECT = "requests of a run told as they once were"
    STALE_WAITING = "stale reason to wait told"
    KILL = "pod killed by its node"
    VANISH = "pod object deleted"
    CUT_OFF = "node of a pod unreachable"
    HANG = "pod hung"
    STUCK = "pod could not start"
    FOREIGN_POD = "foreign pod under a task's name"
    STATUS_OVERWRITTEN = "status of a run overwritten"
    RUN_ANNOTATIONS = "annotations of a run changed"
    POD_LABELS = "labels of a pod changed"
    POD_OWNER = "owner of a pod changed"
    POD_SEAL = "annotations of a pod changed"
    CANCEL = "run cancelled"
    ASKED_BY_ANNOTATION = "asked by an annotation"
    ASKED_IN_STATUS = "asked by an entry of the status"
    ASKED_AGAIN = "asked once more for the same"
    REQUEST = "run undone, retried, suspended or a step of it skipped on request"
    RESUME_RACED = "resumed at the moment of its timeout"
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
    SEAL_BROKEN = "task lost because its pod could not be believed"
    FOUND_BY_NAME = "pod that no list had found by its name"
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
    NOT_TAKEN_AWAY = "request changed before it was taken away"
    REQUESTS_CHANGED = "status not written over a new request"
    QUEUED = "run waited for its turn"
    OUTCOME_TAKEN = "run took the outcome of another with its key"
    ELEMENT_REVERSED = "element of a map reversed"
    ELEMENT_STOPPED = "element of a map stopped with it"
    TOO_MANY_FAILED = "map failed for too many elements"
    PAGE_AHEAD = "page fetched while elements are in flight"
    RESUME_ACCEPTED = "interrupt resumed"
    RESUME_REFUSED = "resume of a closed interrupt refused"
    PAYLOAD_REFUSED = "payload refused"
    INTERRUPT_TIMED_OUT = "interrupt closed after its time"
    KEY_REFUSED = "run refused for what another with its key did"


ROWS: dict[str, frozenset[Fault | Seen]] = {
    "F1": frozenset({Fault.CRASH}),
    "F3": frozenset({Fault.OLD_TOLD, Fault.OLD_OBJECT, Fault.STALE_WAITING, Fault.ENTRY_REPEATED}),
    "F4": frozenset({Fault.EVENT_LOST}),
    "F5": frozenset({Fault.EVENT_REPEATED, Fault.EVENT_DELAYED}),
    "F9": frozenset({Fault.ANSWER_LOST, Fault.LATE_CREATE, Fault.CREATE_REFUSED, Seen.ORDER_REPEATED}),
    "F10": frozenset({Fault.PAUSE, Fault.CUT_FROM_API, Fault.CUT_FROM_STORE}),
    "F13": frozenset(
        {
            Fault.STATUS_OVERWRITTEN,
            Fault.RUN_ANNOTATIONS,
            Fault.POD_LABELS,
            Fault.POD_OWNER,
            Fault.POD_SEAL,
        }
    ),
    "F14": frozenset({Fault.FOREIGN_POD}),
}
"""Rows of FAULTS, and by what each is injected: one of these is enough for a seed to count."""


@dataclass
class Coverage:
    """Counters by name of a place, fault or consequence.

    seeds:    how many worlds were counted.
    keyed:    how many worlds in which runs share a business key; not among `seeds`.
    by_store: for each kind of store how many worlds had it (`seeds`), and in how many of them each row of FAULTS was
              injected, an operator crashed at each place, and each fault of a row happened.
    """

    seeds: int = 0
    keyed: int = 0
    crossed: Counter[str] = field(default_factory=Counter)
    crashed: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    by_store: dict[str, Counter[str]] = field(default_factory=dict)

    def note(self, what: Fault | Seen) -> None:
        """Count one fault or consequence."""
        self.happened[what.value] += 1

    def add(self, other: "Coverage") -> None:
        """Count what another one counted."""
        self.seeds += other.seeds
        self.keyed += other.keyed
        self.crossed.update(other.crossed)
        self.crashed.update(other.crashed)
        self.happened.update(other.happened)
        for store, counts in other.by_store.items():
            self.by_store.setdefault(store, Counter()).update(counts)

    def add_world(self, other: "Coverage", store: str) -> None:
        """Count what happened in one world."""
        rows = {row for row, faults in ROWS.items() if any(other.happened[fault.value] for fault in faults)}
        faults = {fault.value for fault in frozenset().union(*ROWS.values()) if other.happened[fault.value]}
        places = {f"crash {place}" for place in Place if other.crashed[place.value]}
        self.add(replace(other, by_store={str(store): Counter({"seeds", *rows, *faults, *places})}))

    def add_keyed_world(self, ends: Set[Seen]) -> None:
        """Count how the runs of one world ended that came second."""
        self.keyed += 1
        self.happened.update(end.value for end in ends)

    def encode(self) -> dict[str, object]:
        """Return plain values, as they travel between processes."""
        return {
            "seeds": self.seeds,
            "keyed": self.keyed,
            "counts": [dict(counter) for counter in (self.crossed, self.crashed, self.happened)],
            "by_store": {store: dict(counts) for store, counts in self.by_store.items()},
        }

    @classmethod
    def decode(cls, document: Mapping[str, Any]) -> "Coverage":
        """Return what `encode` gave."""
        by_store = {store: Counter(counts) for store, counts in document["by_store"].items()}
        counts: list[Counter[str]] = [Counter(counter) for counter in document["counts"]]
        crossed, crashed, happened = counts
        return cls(document["seeds"], document["keyed"], crossed, crashed, happened, by_store)

    def missing(self) -> list[str]:
        """Return what never happened, though so many seeds should have seen it."""
        found: list[str] = []
        if self.seeds >= SEEDS_FOR_FAULTS:
            places = [place for place in Place if place not in OF_REQUESTS or self.seeds >= SEEDS_FOR_EVERYTHING]
            found += [f"crash {place}" for place in places if not self.crashed[place.value]]
            found += [fault.value for fault in Fault if not self.happened[fault.value]]
        if self.seeds >= SEEDS_FOR_CONSEQUENCES:
            found += [seen.value for seen in Seen if seen not in OF_KEYS and not self.happened[seen.value]]
        if self.keyed >= SEEDS_FOR_KEYS:
            found += [seen.value for seen in sorted(OF_KEYS) if not self.happened[seen.value]]
        for store, counts in sorted(self.by_store.items()):
            wanted: list[str] = []
            if counts["seeds"] >= SEEDS_FOR_ROWS:
                wanted += [row for row in ROWS if row not in SELDOM or counts["seeds"] >= SEEDS_FOR_EVERYTHING]
            if counts["seeds"] >= SEEDS_FOR_EVERYTHING:
                wanted += [f"crash {place}" for place in Place]
                wanted += sorted(what.value for what in frozenset().union(*ROWS.values()))
            found += [f"{what}, over {store}" for what in wanted if not counts[what]]
        return found

    def lines(self) -> list[str]:
        """Render the table."""
        places = [f"{self.crossed[p.value]:>9} {self.crashed[p.value]:>8}  {p.value}" for p in Place]
        faults = [f"{self.happened[f.value]:>9}  {f.value}" for f in (*Fault, *Seen)]
        return [
            f"{'crossed':>9} {'crashed':>8}  place",
            *places,
            f"{'times':>9}  what happened",
            *faults,
            *self._lines_by_store(),
        ]

    def _lines_by_store(self) -> list[str]:
        stores = sorted(self.by_store)
        heads = [f"{store} {self.by_store[store]['seeds']}" for store in stores]
        lines = ["".join(f"{head:>13}" for head in heads) + "  seeds in which a row of FAULTS was injected"]
        for row in ROWS:
            lines.append("".join(f"{self.by_store[store][row]:>13}" for store in stores) + f"  {row}")
        places = [sum(1 for place in Place if self.by_store[store][f"crash {place}"]) for store in stores]
        return [*lines, "".join(f"{number:>13}" for number in places) + f"  of {len(Place)} places crashed at"]


SEEDS_FOR_FAULTS = 100
SEEDS_FOR_ROWS = 25
"""Of one kind of store; those that are injected in few worlds are looked for among as many as everything."""
SEEDS_FOR_EVERYTHING = 400
OF_REQUESTS = frozenset({Place.HAND_IN, Place.HANDED_IN, Place.TAKE_AWAY, Place.TAKEN_AWAY})
"""Places that are crossed only where somebody asks for something, which is seldom."""
SELDOM = frozenset({"F13", "F14"})
SEEDS_FOR_CONSEQUENCES = 1_000
SEEDS_FOR_KEYS = 50
OF_KEYS = frozenset({Seen.OUTCOME_TAKEN, Seen.KEY_REFUSED})
"""What follows only where runs share a business key."""
