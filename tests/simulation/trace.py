"""Everything that happens in a world, in order, summed up in one digest: equal digests are equal histories.

In: lines from wherever the world moves. Out: the digest; the lines too, where somebody looks for the first difference.
Never here: what differs by nature from one process to the next (ids that a store draws at random, real time).
"""

import hashlib
from collections.abc import Mapping
from itertools import zip_longest

from reactor_operator.engine.identity import digest_of
from reactor_operator.store.port import Commit, Snapshot


class Trace:
    """What happened so far. `keep`: remember the lines."""

    def __init__(self, *, keep: bool = False) -> None:
        self._digest = hashlib.blake2b(digest_size=16)
        self.lines: list[str] | None = [] if keep else None

    def note(self, *words: object) -> None:
        """Take down one thing that happened."""
        line = " ".join(map(str, words))
        self._digest.update(line.encode() + b"\n")
        if self.lines is not None:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """All of it."""
        return self._digest.hexdigest()

    def first_difference(self, other: "Trace") -> tuple[str, str] | None:
        """Return where two histories whose lines were kept part; None where they are one."""
        for here, there in zip_longest(self.lines or (), other.lines or (), fillvalue="the end"):
            if here != there:
                return here, there
        return None


def told_commit(commit: Commit) -> str:
    """Return all that a commit says, in one order."""
    return digest_of(
        commit.run,
        commit.revision,
        commit.epoch,
        commit.inbox_position,
        _told(commit.records),
        _told(commit.values),
        _told(commit.opens),
        sorted(commit.closes),
        list(commit.actions.items()),
        sorted(commit.acknowledged),
        commit.active,
        sorted(commit.dropped),
        _told(commit.pages),
        sorted(commit.queued.items()),
        sorted((name, path or "") for name, path in commit.correlations.items()),
        sorted(commit.passed_on),
        list(commit.history),
    )


def told_snapshot(snapshot: Snapshot | None) -> str:
    """Return all that was read of a run, in one order."""
    if snapshot is None:
        return "nothing"
    records = _told(snapshot.records) if snapshot.records is not None else "known"
    actions = list(snapshot.actions.items()) if snapshot.actions is not None else "known"
    return digest_of(snapshot.revision, snapshot.inbox, records, actions)


def told_values(values: Mapping[str, bytes]) -> str:
    """Return which documents these are."""
    return " ".join(sorted(values))


def _told(records: Mapping[str, bytes | None]) -> list[tuple[str, bytes | None]]:
    return sorted(records.items())
