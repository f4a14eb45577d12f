"""What a reconciler remembers between reconciles, so that a load reads only what is new.

In: runs as they were committed. Out: the same. Never here: anything that the store does not know too.
"""

from dataclasses import dataclass, field

from reactor_operator.engine.state import Stage
from reactor_operator.reconciling.records import KnownRun


@dataclass(slots=True)
class Memory:
    """By the run's uid: runs as last committed, and orders that are done but not yet committed as done.

    `unsure` are runs that are read anew before anything is done for them: the store may know otherwise. `outlived` are
    runs of which people were told the end, and the store has only a state from before it: nothing is decided on them.
    """

    known: dict[str, KnownRun] = field(default_factory=dict)
    acknowledged: dict[str, set[str]] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    outlived: set[str] = field(default_factory=set)

    def keep(self, known: KnownRun) -> None:
        """Remember a run as long as there is anything left to do for it."""
        uid = known.definition.run.uid
        self.outlived.discard(uid)
        if known.state.header.stage is Stage.OVER and not known.outbox:
            self.known.pop(uid, None)
        else:
            self.known[uid] = known

    def drop(self, uid: str) -> None:
        """Forget a run."""
        self.known.pop(uid, None)
        self.acknowledged.pop(uid, None)
        self.unsure.discard(uid)
