"""The signals that exist, by the run that they are for, as the watch, the lists and our own writes tell them.

In: ReactorSignals. Out: which signals there are for a run, or for a correlation id that was not found yet, oldest
first. Never here: a request; a signal that was answered, or whose id was found, told as one that was not: what a watch
tells late is passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from reactor_operator.changes.signal_object import AwaitedId, FoundInterrupt, SignalObject
from reactor_operator.ports import RunRef

Target = RunRef | AwaitedId
"""What signals are for: a run, or a correlation id that was not found yet."""


@dataclass(slots=True)
class Known:
    """A signal, and the run that was told of it in this process."""

    signal: SignalObject
    told: RunRef | None = None


class SignalRoster:
    """Knows the signals."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._by_target: dict[Target, dict[str, Known]] = {}
        self._by_message: dict[tuple[AwaitedId, str, str], dict[str, Known]] = {}
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
            if (message := _message(signal)) is not None:
                self._by_message.setdefault(message, {})[signal.uid] = known
            return True
        if known.signal.found is not None and signal.found is None:
            return False
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
        _take_out(self._by_target, known.signal.target, uid)
        if (message := _message(known.signal)) is not None:
            _take_out(self._by_message, message, uid)
        return True

    def sent(self, signal: SignalObject) -> FoundInterrupt | None:
        """Return where the id was found for another signal that brings the same message, None where there is none."""
        message = _message(signal)
        alike = self._by_message.get(message, {}).values() if message is not None else ()
        return next((known.signal.found for known in alike if known.signal.found is not None), None)

    def of(self, target: Target) -> list[Known]:
        """Return the signals for the run of this name, or for an id, oldest first."""
        found = self._by_target.get(_unnamed(target), {}).values()
        return sorted(found, key=lambda one: (one.signal.created_at, one.signal.name))

    def has(self, target: Target) -> bool:
        """Whether there is any for the run of this name, or for an id."""
        return _unnamed(target) in self._by_target

    def uids(self, namespace: str | None = None) -> set[str]:
        """Return the signals of a namespace, or of all."""
        return {uid for uid, known in self._known.items() if namespace in (None, known.signal.namespace)}

    def unanswered(self) -> Iterable[Known]:
        """Return those that were not answered."""
        return [known for known in self._known.values() if not known.signal.is_answered]


def _unnamed(target: Target) -> Target:
    return RunRef(target.namespace, target.name, "") if isinstance(target, RunRef) else target


def _message(signal: SignalObject) -> tuple[AwaitedId, str, str] | None:
    """Return what signals have in common that bring the same message to the same id."""
    return (signal.awaits, signal.message, signal.action) if signal.awaits is not None and signal.message else None


Key = TypeVar("Key")


def _take_out(index: dict[Key, dict[str, Known]], key: Key, uid: str) -> None:
    left = index[key]
    del left[uid]
    if not left:
        del index[key]
