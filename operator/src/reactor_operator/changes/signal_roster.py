"""The signals that exist, by the run that they are for, as the watch, the lists and our own writes tell them.

In: ReactorSignals. Out: which signals there are for a run, oldest first. Never here: a request, or a signal that was
answered told as one that was not: what a watch tells late is passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from reactor_operator.changes.signal_object import SignalObject
from reactor_operator.ports import RunRef


@dataclass(slots=True)
class Known:
    """A signal, and the run that was told of it in this process."""

    signal: SignalObject
    told: RunRef | None = None


class SignalRoster:
    """Knows the signals."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._by_target: dict[RunRef, dict[str, Known]] = {}
        self._listed: set[str | None] = set()

    def listed(self, namespace: str | None) -> None:
        """Take down that every signal of a namespace, or (None) of all, was told."""
        self._listed.add(namespace)

    def is_complete(self, namespace: str) -> bool:
        """Whether every signal of a namespace was told at least once: until then one that is missing may exist."""
        return not self._listed.isdisjoint({namespace, None})

    def put(self, signal: SignalObject) -> bool:
        """Take in a signal as it is; False where that is not new."""
        if signal.deleting:
            return self.drop(signal.uid)
        known = self._known.get(signal.uid)
        if known is None:
            known = self._known[signal.uid] = Known(signal)
            self._by_target.setdefault(signal.target, {})[signal.uid] = known
            return True
        if known.signal.target != signal.target:
            self.drop(signal.uid)
            return self.put(signal)
        if known.signal.version == signal.version or (known.signal.is_answered and not signal.is_answered):
            return False
        known.signal = signal
        return True

    def drop(self, uid: str) -> bool:
        """Take out a signal that is gone; False where it was not here."""
        known = self._known.pop(uid, None)
        if known is None:
            return False
        target = known.signal.target
        left = self._by_target[target]
        del left[uid]
        if not left:
            del self._by_target[target]
        return True

    def of(self, target: RunRef) -> list[Known]:
        """Return the signals for the run of this name, oldest first."""
        found = self._by_target.get(_unnamed(target), {}).values()
        return sorted(found, key=lambda one: (one.signal.created_at, one.signal.name))

    def has(self, target: RunRef) -> bool:
        """Whether there is any for the run of this name."""
        return _unnamed(target) in self._by_target

    def uids(self, namespace: str | None = None) -> set[str]:
        """Return the signals of a namespace, or of all."""
        return {uid for uid, known in self._known.items() if namespace in (None, known.signal.namespace)}

    def unanswered(self) -> Iterable[Known]:
        """Return those that were not answered."""
        return [known for known in self._known.values() if not known.signal.is_answered]


def _unnamed(target: RunRef) -> RunRef:
    return RunRef(target.namespace, target.name, "")
