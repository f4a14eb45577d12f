"""The world of a seed: which reactors, what goes wrong, and what its store is kept in.

In: a seed. Out: a `Sketch`, from which the same world is made again and again. Never here: an oracle.
"""

import os
from dataclasses import dataclass, replace
from random import Random

from tests.simulation.coverage import Fault
from tests.simulation.disks import Disk, StoreKind
from tests.simulation.mapped import with_map
from tests.simulation.reactors import UNSOUND, random_reactor
from tests.simulation.trace import Trace
from tests.simulation.waiting import with_interrupts
from tests.simulation.world import Mischief, World

_MOST = {
    Fault.CRASH: 4,
    Fault.TAKEOVER: 2,
    Fault.PAUSE: 1,
    Fault.LATE_CREATE: 2,
    Fault.ENTRY_REPEATED: 2,
    Fault.KILL: 2,
    Fault.VANISH: 2,
    Fault.CUT_OFF: 1,
    Fault.CUT_FROM_API: 1,
    Fault.CUT_FROM_STORE: 1,
}
"""How often each fault is tried at the most; these leave the end of a chain as it is."""
_SELDOM = {
    Fault.STALE_WAITING: 0.3,
    Fault.FOREIGN_POD: 0.3,
    Fault.CREATE_REFUSED: 0.2,
    Fault.CANCEL: 0.2,
    Fault.REQUEST: 0.25,
    Fault.DELETE_RUN: 0.15,
    Fault.STORE_EMPTIED: 0.08,
    Fault.STORE_ROLLED_BACK: 0.12,
    Fault.STATUS_OVERWRITTEN: 0.3,
    Fault.RUN_ANNOTATIONS: 0.2,
    Fault.POD_LABELS: 0.2,
    Fault.POD_OWNER: 0.2,
    Fault.POD_SEAL: 0.2,
}
"""In how many of the worlds each fault happens that may change how a run ends."""
_OFTEN = {Fault.REQUEST: 3}
"""What happens more than once where it happens at all."""
_LOSSES = {Fault.STORE_EMPTIED, Fault.STORE_ROLLED_BACK}
MAPS = 0.35
"""In how many of the reactors a step goes over elements."""
WAITS, WAITS_COMPARABLE = 0.3, 0.1
"""In how many of the reactors a step waits for people."""
SKEWED = 0.3
"""In how many of the worlds that are not comparable the clocks of operators differ."""
_KINDS = (StoreKind.MEMORY, StoreKind.SQLITE, StoreKind.MEMORY, StoreKind.REDIS)
_KIND = os.environ.get("REACTOR_STORE")


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """What the world of a seed is made of. `comparable`: its runs end as they do when nothing goes wrong."""

    seed: int
    comparable: bool
    reactors: dict[str, dict[str, object]]
    mischief: Mischief

    def world(self, disk: Disk | None = None, trace: Trace | None = None) -> World:
        """Make the world."""
        return World(self.seed, self.reactors, self.mischief, disk, trace)

    def quiet_world(self) -> World:
        """Make the same world, in which nothing goes wrong."""
        return World(self.seed, self.reactors, Mischief())


def sketch_of(seed: int) -> Sketch:
    """Return what the seed says."""
    random = Random(seed)
    comparable = random.random() < 0.4
    reactors = {f"r{n}": random_reactor(random, comparable=comparable) for n in range(random.randint(1, 3))}
    mapping = Random(seed ^ 0x3A95)
    for name, spec in reactors.items():
        if mapping.random() < MAPS:
            reactors[name] = with_map(mapping, spec, comparable=comparable)
    waiting = Random(seed ^ 0x57A17)
    share = WAITS_COMPARABLE if comparable else WAITS
    for name, spec in reactors.items():
        if waiting.random() < share:
            reactors[name] = with_interrupts(waiting, spec, comparable=comparable)
    reactors["unsound"] = dict(UNSOUND)
    mischief = mischief_of(random, comparable=comparable)
    if not comparable and waiting.random() < SKEWED:
        mischief = replace(mischief, skewed=True)
    return Sketch(seed=seed, comparable=comparable, reactors=reactors, mischief=mischief)


def mischief_of(random: Random, *, comparable: bool) -> Mischief:
    """Return what goes wrong in one world."""
    faults = {fault: random.randint(0, most) for fault, most in _MOST.items()}
    if not comparable:
        faults |= {fault: _OFTEN.get(fault, 1) for fault, share in _SELDOM.items() if random.random() < share}
        if faults.keys() & _LOSSES:  # whoever overwrites a status then takes away what tells of the loss
            faults.pop(Fault.STATUS_OVERWRITTEN, None)
    return Mischief(faults=faults, fault_rate=random.choice([0.0, 0.02, 0.1]), slow=not comparable)


def kind_of(seed: int) -> StoreKind:
    """Return what the store of the seed's world is kept in."""
    return StoreKind(_KIND) if _KIND else _KINDS[seed % len(_KINDS)]
