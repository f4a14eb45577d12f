"""The store in this process's memory: the default of `reactor run`, and the model the others are compared with.

In and out: as `port.py` says. Never here: a wait; every call is done when it returns, so each is atomic in its loop.
"""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from reactor_operator.store.bell import Bell
from reactor_operator.store.memory_correlations import MemoryCorrelations
from reactor_operator.store.memory_pools import MemoryPools, MemoryTask, now_ms
from reactor_operator.store.port import (
    Appended,
    Claim,
    Claimed,
    Closed,
    Commit,
    Depth,
    Entry,
    Held,
    HistoryPage,
    InboxAhead,
    KeyTaken,
    Lease,
    OldEpoch,
    OpenTask,
    Snapshot,
    StaleRevision,
)


@dataclass(slots=True)
class _Run:
    """Everything of one run but its values, which may be stored before it and are needed to its end."""

    revision: int = 0
    active: bool = True
    records: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, bytes] = field(default_factory=dict)
    actions: dict[str, bytes] = field(default_factory=dict)
    tasks: dict[str, MemoryTask] = field(default_factory=dict)
    inbox: dict[int, bytes] = field(default_factory=dict)
    last_position: int = 0
    signals: set[str] = field(default_factory=set)
    history: list[bytes] = field(default_factory=list)
    history_last: int = 0
    logs: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class _Claim:
    """A claim, the stored runs that have it, and, where there are none, until when (int ms) it is kept."""

    held: Claimed
    keep_ms: int
    runs: set[str] = field(default_factory=set)
    until: int | None = None


class MemoryStore:
    """Keeps runs as long as the process lives."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._claims: dict[str, _Claim] = {}
        self._correlations = MemoryCorrelations()
        self._values: dict[str, dict[str, bytes]] = {}
        self._epoch = 0
        self._incarnation = secrets.token_hex(16)
        self._bell = Bell()
        self._pools = MemoryPools(self._runs)

    async def settle(self) -> None:
        """Return at once: there is no disk."""

    async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
        """Return the run as stored."""
        found = self._runs.get(run)
        if found is None:
            return None
        known = found.revision == known_revision
        return Snapshot(
            revision=found.revision,
            inbox=tuple(found.inbox.items()),
            records=None if known else dict(found.records),
            actions=None if known else dict(found.actions),
        )

    async def commit(self, commit: Commit) -> int:
        """Apply a commit, or refuse it and change nothing."""
        if commit.epoch < self._epoch:
            raise OldEpoch(f"run {commit.run}: epoch {commit.epoch} was replaced by {self._epoch}")
        found = self._runs.get(commit.run) or _Run()
        if commit.revision != found.revision:
            raise StaleRevision(f"run {commit.run}: decided on revision {commit.revision}, stored is {found.revision}")
        consumed = max(commit.inbox_position, found.last_position - len(found.inbox))
        for key in sorted(commit.closes):
            task = found.tasks.get(key)
            if task is not None and task.last_position > consumed:
                raise InboxAhead(f"run {commit.run}: the inbox holds an entry for task {key}, which this would close")
        if commit.claim is not None:
            self._check_key(commit, commit.claim)
        self._correlations.check(commit)
        if commit.claim is not None:
            self._take(commit, commit.claim)
        self._correlations.apply(commit)
        self._epoch = commit.epoch
        self._runs[commit.run] = found
        _apply(found, commit)
        for digest in commit.dropped:
            self._values.get(commit.run, {}).pop(digest, None)
        await self.put_values(commit.run, commit.values)
        self._pools.queue(commit.run, commit.queued)
        if not commit.active:
            self._pools.drop(commit.run)
        elif commit.closes:
            self._pools.trim(commit.run)
        return found.revision

    async def forget(self, run: str) -> None:
        """Delete everything of a run."""
        self._runs.pop(run, None)
        self._values.pop(run, None)
        self._pools.forget(run)
        self._correlations.forget(run)
        for claim in self._claims.values():
            if run in claim.runs:
                claim.runs.remove(run)
                claim.until = None if claim.runs else now_ms() + claim.keep_ms

    async def active_runs(self) -> frozenset[str]:
        """Return the runs that still have something to do."""
        return frozenset(run for run, found in self._runs.items() if found.active or found.actions or found.inbox)

    async def stored_runs(self) -> frozenset[str]:
        """Return all runs."""
        return frozenset(self._runs)

    async def claimed(self, name: str) -> Claimed | None:
        """Return a claim that is held."""
        claim = self._claims.get(name)
        return None if claim is None or _is_over(claim) else claim.held

    async def find_correlation(self, name: str) -> Held | Closed | None:
        """Return who holds a name, or that it closed."""
        return self._correlations.find(name)

    async def append(self, entry: Entry) -> Appended:
        """Check an entry and record it."""
        found = self._runs.get(entry.run)
        if found is None:
            return Appended.UNKNOWN
        answer = _note_for_task(found, entry) if entry.task else _note_signal(found, entry)
        if answer is Appended.RECORDED:
            found.last_position += 1
            found.inbox[found.last_position] = entry.body
            await self.put_values(entry.run, entry.values)
            self._bell.ring(entry)
            if entry.final:
                self._pools.has_outcome(entry.run, entry.task)
        return answer

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        """Check entries and record them; the bell rings once for those of a run, for nobody hears it meanwhile."""
        answers = [await self.append(entry) for entry in entries]
        for entry, answer in zip(entries, answers, strict=True):
            if entry.final and answer is Appended.RECORDED:
                self._pools.has_outcome(entry.run, entry.task)
        return answers

    async def open_task(self, run: str, task: str) -> OpenTask | None:
        """Return an open task."""
        found = self._runs.get(run)
        if found is None or task not in found.tasks:
            return None
        open_ = found.tasks[task]
        return OpenTask(record=open_.record, binding=open_.binding, outcome=open_.outcome)

    def rings(self) -> AsyncIterator[str]:
        """Yield the run of each entry appended from now on."""
        return self._bell.listen()

    async def get_values(self, run: str, digests: frozenset[str]) -> Mapping[str, bytes]:
        """Return the documents that are there."""
        found = self._values.get(run, {})
        return {digest: found[digest] for digest in digests if digest in found}

    async def put_values(self, run: str, values: Mapping[str, bytes]) -> None:
        """Store documents."""
        if values:
            self._values.setdefault(run, {}).update(values)

    async def get_pages(self, run: str, names: frozenset[str]) -> Mapping[str, bytes]:
        """Return the pages that are there."""
        found = self._runs.get(run)
        return {name: found.pages[name] for name in names if name in found.pages} if found is not None else {}

    async def get_history(self, run: str, after: int, limit: int) -> HistoryPage:
        """Return entries of the history of a run."""
        found = self._runs.get(run)
        if found is None:
            return HistoryPage()
        first = found.history_last - len(found.history) + 1
        skipped = max(after + 1 - first, 0)
        entries = found.history[skipped : skipped + limit]
        return HistoryPage(entries=tuple(enumerate(entries, first + skipped)), first=first, last=found.history_last)

    async def put_log(self, run: str, task: str, body: bytes, most_bytes: int) -> bool:
        """Keep the log of a task."""
        found = self._runs.get(run)
        if found is None:
            return False
        found.logs.pop(task, None)
        found.logs[task] = body
        while len(found.logs) > 1 and sum(map(len, found.logs.values())) > most_bytes:
            del found.logs[next(iter(found.logs))]
        return True

    async def get_log(self, run: str, task: str) -> bytes | None:
        """Return the log of a task."""
        found = self._runs.get(run)
        return found.logs.get(task) if found is not None else None

    async def logged_tasks(self, run: str) -> frozenset[str]:
        """Return the tasks of which a log is kept."""
        found = self._runs.get(run)
        return frozenset(found.logs) if found is not None else frozenset()

    async def lease(self, pool: str, worker: str, limit: int, for_ms: int) -> tuple[Lease, ...]:
        """Take chunks from the queue of a pool."""
        return self._pools.lease(pool, worker, limit, for_ms)

    async def extend(self, pool: str, worker: str, leases: frozenset[str], for_ms: int) -> Mapping[str, frozenset[str]]:
        """Renew leases."""
        return self._pools.extend(pool, worker, leases, for_ms)

    async def expired(self, limit: int) -> tuple[tuple[str, str], ...]:
        """End leases that have run out."""
        return self._pools.expired(limit)

    async def depths(self) -> Mapping[str, Depth]:
        """Return how much waits in each pool."""
        return self._pools.depths()

    async def waiting(self, pool: str, limit: int) -> tuple[tuple[str, str], ...]:
        """Return tasks that wait in the queue of a pool."""
        return self._pools.waiting(pool, limit)

    async def claim_epoch(self, above: int) -> int:
        """Make the epoch one above everything seen."""
        self._epoch = 1 + max(above, self._epoch)
        return self._epoch

    async def incarnation(self) -> str:
        """Return the random id of this store."""
        return self._incarnation

    async def close(self) -> None:
        """Release nothing: the runs stay readable, as they would in a file."""

    def _check_key(self, commit: Commit, claim: Claim) -> None:
        before = self._claims.get(claim.name)
        if before is None or _is_over(before) or claim.shared or commit.revision > 0 or before.held.run == commit.run:
            return
        raise KeyTaken(f"run {commit.run}: run {before.held.run} holds the claim {claim.name}")

    def _take(self, commit: Commit, claim: Claim) -> None:
        for name in [name for name, found in self._claims.items() if _is_over(found)]:
            del self._claims[name]
        before, said = self._claims.get(claim.name), Claimed(run=commit.run, body=claim.body, document=claim.document)
        if before is None and not claim.shared:
            self._claims[claim.name] = _Claim(said, claim.keep_ms, {commit.run})
        elif before is not None and claim.shared:
            before.runs.add(commit.run)
            before.until = None
        elif before is not None and before.held.run == commit.run:
            before.held = said


def _is_over(claim: _Claim) -> bool:
    return claim.until is not None and claim.until <= now_ms()


def _apply(found: _Run, commit: Commit) -> None:
    found.revision += 1
    found.active = commit.active
    _change(found.records, commit.records)
    _change(found.pages, commit.pages)
    for position in [position for position in found.inbox if position <= commit.inbox_position]:
        del found.inbox[position]
    for key, record in commit.opens.items():
        found.tasks.setdefault(key, MemoryTask(record)).record = record
    for key in commit.closes if commit.active else list(found.tasks):
        found.tasks.pop(key, None)
    for id_ in commit.acknowledged:
        found.actions.pop(id_, None)
    found.actions.update(commit.actions)
    if commit.history:
        found.history_last += len(commit.history)
        found.history += commit.history
        del found.history[: -commit.history_kept]


def _change(kept: dict[str, bytes], changes: Mapping[str, bytes | None]) -> None:
    for name, body in changes.items():
        if body is None:
            kept.pop(name, None)
        else:
            kept[name] = body


def _note_for_task(found: _Run, entry: Entry) -> Appended:
    task = found.tasks.get(entry.task)
    if task is None:
        return Appended.CLOSED
    if entry.binding and task.binding and entry.binding != task.binding:
        return Appended.CONFLICT
    if entry.digest in task.seen:
        return Appended.REPEATED
    if task.outcome:
        return Appended.CONFLICT
    task.seen.add(entry.digest)
    task.binding = task.binding or entry.binding
    task.outcome = entry.digest if entry.final else ""
    task.last_position = found.last_position + 1
    return Appended.RECORDED


def _note_signal(found: _Run, entry: Entry) -> Appended:
    if entry.digest in found.signals:
        return Appended.REPEATED
    found.signals.add(entry.digest)
    return Appended.RECORDED
