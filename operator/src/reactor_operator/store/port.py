"""The store as its callers see it: the truth about every run, kept by three implementations that pass one contract.

In: commits (from `reconcile`) and inbox entries (from the gateway and the pod watcher). Out: snapshots.
Never here: what the bytes mean (`codec.py` knows) or a decision about a run.

Rules every implementation keeps (DESIGN 8):
- `commit` is atomic: all of it or nothing, and nothing where it is refused.
- An inbox entry is checked and appended in one atomic call; from then on it is recorded.
- Whoever got no answer (`StoreUnavailable`) may repeat the call: the same commit or entry is then found applied.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

CLOSED_KEPT_MS = 24 * 3_600_000
HISTORY_KEPT = 5_000
"""Entries of the history of one run."""
_NAMES_TOLD = 3
_NAME_TOLD = 200


class CommitRefused(Exception):
    """The commit was not applied; load again and decide anew."""


class StaleRevision(CommitRefused):
    """Another commit came first: the stored revision is not the one this was decided on."""


class OldEpoch(CommitRefused):
    """A newer operator has taken over; this one must stop acting."""


class InboxAhead(CommitRefused):
    """The inbox holds an entry, not yet consumed, for a task that the commit would close."""


class KeyTaken(CommitRefused):
    """Another run holds the claim that the commit would take."""


class CorrelationTaken(CommitRefused):
    """Other open interrupts have correlation ids that the commit would take. `names`: all of these, in its order."""

    def __init__(self, run: str, names: Sequence[str]) -> None:
        self.names = tuple(names)
        told = [repr(name[:_NAME_TOLD]) + "…" * (len(name) > _NAME_TOLD) for name in self.names[:_NAMES_TOLD]]
        more = f" and {len(self.names) - len(told)} more" if len(self.names) > len(told) else ""
        super().__init__(
            f"run {run}: another run, or another step of this one, has correlation id {', '.join(told)}{more}"
        )


class StoreUnavailable(Exception):
    """The store did not answer in time or at all; whether the call took effect is not known."""


class Appended(StrEnum):
    """The answer to an inbox entry."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    """The same entry was recorded before: nothing changed."""
    CONFLICT = "conflict"
    """Another final entry (or, for a check-in, another binding) was first."""
    CLOSED = "closed"
    """The task is closed or superseded. (A request to a run is taken also when the run is over.)"""
    UNKNOWN = "unknown"
    """No such run is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One outcome, start or signal on its way to a run.

    task:    key of the task it speaks for; empty for a signal.
    final:   True for outcomes. A task takes one final entry, and before it any number of others.
    binding: for check-ins: who speaks for the task (pod IP and nonce). The first one binds.
    digest:  identifies the entry: one with the same task and digest is a repetition (`REPEATED`).
    body:    the encoded event.
    values:  documents to store with it, by digest.
    """

    run: str
    task: str = ""
    final: bool = False
    binding: str = ""
    digest: str
    body: bytes
    values: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A name that one run holds. It is kept as long as any run that has it is stored, and `keep_ms` from then on.

    body:     what is known of the run that holds it.       document: one that lives as long as the claim.
    shared:   a run's first commit with it does not take the name but has it beside the run that holds it: nothing is
              said of it, and it is kept for this run too. Where nobody holds it nothing is done.
    """

    name: str
    body: bytes = b""
    document: bytes | None = None
    shared: bool = False
    keep_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A claim as stored: the run (its uid) that holds it, and what that run said."""

    run: str
    body: bytes
    document: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Of a correlation id: the run (its uid) whose interrupt is open under it, and the path of that step."""

    run: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Of a correlation id that nobody holds: who held it last, and when (ms, by the store's clock) it was let go."""

    run: str
    path: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one reconcile decided, applied at once.

    revision:        the revision it was decided on (0: the run is new); the next one is revision + 1.
    inbox_position:  inbox entries up to and including this one are consumed, and may be dropped.
    records:         changed records by name; None removes.
    values:          new documents by digest.            dropped: digests of documents that are removed.
    pages:           cold documents by name, which no snapshot holds; None removes.
    opens:           tasks that accept entries from now on, with what the gateway needs to answer a check-in.
    closes:          tasks that accept nothing more; refused (`InboxAhead`) while an entry beyond `inbox_position`
                     speaks for one of them.
    actions:         outbox additions by id, in order.      acknowledged: outbox ids that are done.
    queued:          what is put in the queues of pools (`NAMESPACE/NAME`), at their ends: chunks of tasks that this
                     commit opens, which one worker does one after the other.
    correlations:    names of open interrupts: the path of the step (with its round) that takes each; None lets it go.
                     Refused (`CorrelationTaken`) where another run, or another path of this one, holds one that would
                     be taken. To take what the path has, or let go what the run does not hold, changes nothing.
    passed_on:       names among those taken that this run lets go before, from whichever step had them.
    closed_kept_ms:  for how long (by the store's clock) it stays known of names that are let go that they closed.
    claim:           taken (or shared) by a run's first commit, which is refused (`KeyTaken`) where another run holds
                     it. Later commits of the run that holds it renew what is said.
    history:         entries that follow those of earlier commits; each has the next number of its run, from 1.
    history_kept:    how many of the newest entries of the run are kept.
    active:          False once the run has ended and its outbox may be forgotten when empty.
    """

    run: str
    revision: int
    epoch: int
    inbox_position: int = 0
    records: Mapping[str, bytes | None] = field(default_factory=dict)
    values: Mapping[str, bytes] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    pages: Mapping[str, bytes | None] = field(default_factory=dict)
    opens: Mapping[str, bytes] = field(default_factory=dict)
    closes: frozenset[str] = frozenset()
    actions: Mapping[str, bytes] = field(default_factory=dict)
    acknowledged: frozenset[str] = frozenset()
    queued: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    correlations: Mapping[str, str | None] = field(default_factory=dict)
    passed_on: frozenset[str] = frozenset()
    closed_kept_ms: int = CLOSED_KEPT_MS
    claim: Claim | None = None
    history: tuple[bytes, ...] = ()
    history_kept: int = HISTORY_KEPT
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run as stored. `records` and `actions` are None where `known_revision` said the caller has them already.

    `inbox` holds unconsumed entries in order as (position, body); `actions` the outbox in order of addition.
    """

    revision: int
    inbox: tuple[tuple[int, bytes], ...]
    records: Mapping[str, bytes] | None
    actions: Mapping[str, bytes] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask:
    """What is stored of an open task: what `Commit.opens` said, who checked in, and the digest of its final entry."""

    record: bytes
    binding: str = ""
    outcome: str = ""


class RunStore(Protocol):
    """What `reconcile` needs."""

    async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
        """Return the run, or None where nothing is stored of it. Raises StoreUnavailable."""

    async def commit(self, commit: Commit) -> int:
        """Apply `commit` and return the new revision. Raises CommitRefused and StoreUnavailable.

        A repetition of the commit that made the stored revision (same run, revision and epoch) is told
        `StaleRevision`, like any other: the caller loads and finds its own work there.
        """

    async def forget(self, run: str) -> None:
        """Delete everything stored of a run: records, inbox, outbox, tasks and values. Repeating it changes nothing.

        A claim that it has, and no other stored run, stays for the claim's `keep_ms` from now on, by the store's clock.
        Correlation ids that it holds are free; of those that it let go stays known, in their time, that they closed.
        """

    async def active_runs(self) -> frozenset[str]:
        """Return the runs whose last commit was active, whose outbox is not empty, or whose inbox is not all read."""


class Durable(Protocol):
    """Whether what was read is there to stay."""

    async def settle(self) -> None:
        """Return once all that could be read until now is on disk, whoever wrote it. Raises StoreUnavailable.

        A commit can be read before it is on disk, by others than its writer too: nothing is to be promised of it then.
        """


class RunIndex(Protocol):
    """What sweeping needs: which runs there are at all. Slow where there are many; asked every few minutes."""

    async def stored_runs(self) -> frozenset[str]:
        """Return the runs of which a commit is stored, ended ones too."""


class Claims(Protocol):
    """Who holds which name. Claims are made and renewed by commits."""

    async def claimed(self, name: str) -> Claimed | None:
        """Return a claim, None where nobody holds it or its time is over. Raises StoreUnavailable."""


class Correlations(Protocol):
    """Which interrupt is open under which correlation id. Commits take the names and let them go.

    A name is any text, compared as it is written: what is in it, and how long it may be, is for the caller to say.
    """

    async def find_correlation(self, name: str) -> Held | Closed | None:
        """Return who holds a name, else that it closed, where that is still known. Raises StoreUnavailable."""


class Inbox(Protocol):
    """What the gateway and the pod watcher need."""

    async def append(self, entry: Entry) -> Appended:
        """Check and append in one atomic call, and ring the bell. Raises StoreUnavailable."""

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        """Do for each what `append` does, in order, with one round trip for all entries of a run.

        Raises StoreUnavailable, and then any of them may have been recorded.
        """

    async def open_task(self, run: str, task: str) -> OpenTask | None:
        """Return an open task, or None where it is closed, superseded or was never opened."""

    def rings(self) -> AsyncIterator[str]:
        """Yield the run of each entry appended by anyone, soon after; may repeat and, after a reconnect, may miss."""


class Values(Protocol):
    """JSON documents by digest, kept per run and gone with it."""

    async def get_values(self, run: str, digests: frozenset[str]) -> Mapping[str, bytes]:
        """Return the documents that are there; a missing digest is missing in the answer."""

    async def put_values(self, run: str, values: Mapping[str, bytes]) -> None:
        """Store documents; the same digest twice changes nothing."""


class Pages(Protocol):
    """Cold documents of runs by name: what a map reads page by page. Commits write them; they go with the run."""

    async def get_pages(self, run: str, names: frozenset[str]) -> Mapping[str, bytes]:
        """Return the documents that are there; a missing name is missing in the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """Entries of a history that follow each other. `first` is the number of the first one that is kept, `last` that of
    the newest one (0: there never was any), whether or not they are in this page."""

    entries: tuple[tuple[int, bytes], ...] = ()
    first: int = 1
    last: int = 0


class Histories(Protocol):
    """What became of runs, entry by entry: commits write it, nothing that decides reads it, it goes with the run."""

    async def get_history(self, run: str, after: int, limit: int) -> HistoryPage:
        """Return at most so many entries with numbers above `after`, oldest first. Raises StoreUnavailable."""


class Logs(Protocol):
    """What tasks printed, one document each, kept by run and gone with it. Nothing that decides reads or writes it."""

    async def put_log(self, run: str, task: str, body: bytes, most_bytes: int) -> bool:
        """Keep the log of a task, in the place of an earlier one; False where the run is not stored.

        The oldest logs of the run go until all of them take `most_bytes` at most; the newest one stays.
        Raises StoreUnavailable.
        """

    async def get_log(self, run: str, task: str) -> bytes | None:
        """Return the log of a task, None where none is kept. Raises StoreUnavailable."""

    async def logged_tasks(self, run: str) -> frozenset[str]:
        """Return the tasks of which a log is kept. Raises StoreUnavailable."""


WORKER = "pool/"
"""How the bindings of workers begin; those of pods begin with an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedTask:
    """A task that a worker may do: its key, and what `Commit.opens` said of it."""

    task: str
    record: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A chunk of tasks of one run that one worker is to do, one after the other, until the lease runs out."""

    id: str
    run: str
    tasks: tuple[LeasedTask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much waits in the queue of a pool: tasks, those that are leased, and for how long the oldest has waited."""

    queued: int
    leased: int
    oldest_ms: int


TOLD_AGAIN_MS = 4_000


def worker_binding(pool: str, worker: str) -> str:
    """Return the binding of tasks that a worker of a pool has leased, which is in its entries too.

    It names the pool, for a worker of another pool, whose word is not to be taken, may bear the same name. Raises
    ValueError where the name is empty or has spaces in it.
    """
    if not worker or len(worker.split()) != 1 or worker != worker.strip():
        raise ValueError(f"worker {worker!r} of pool {pool}: found no name or spaces; expected one word")
    return f"{WORKER}{pool}/{worker}"


class Pools(Protocol):
    """The queues of pools. Commits fill them; the time of leases is the store's own. Not on a laptop (SQLite).

    A task is leased once: what becomes of it is an entry in the inbox, or that its lease ran out. A run that is over
    has nothing queued, one that is forgotten has nothing leased either.
    """

    async def lease(self, pool: str, worker: str, limit: int, for_ms: int) -> tuple[Lease, ...]:
        """Take whole chunks from the queue: at most `limit` tasks, but one chunk at least where any waits.

        Fair: one chunk of each run in turn. A task that is closed, bound or has an outcome drops out of its chunk; the
        others are bound (`worker_binding`), so that only this worker's entries with that binding are taken from now on.
        Raises StoreUnavailable, and then what was taken waits for its lease to run out.
        """

    async def extend(self, pool: str, worker: str, leases: frozenset[str], for_ms: int) -> Mapping[str, frozenset[str]]:
        """Renew leases and return the tasks in each that are closed; one that is not the worker's any more is missing.

        A lease of which every task is closed or has its outcome ends with that, and is in the answer once more; where
        the outcome of its last task completes it, it ended then, and is missing.
        """

    async def expired(self, limit: int) -> tuple[tuple[str, str], ...]:
        """End leases that have run out, and return their tasks (run, key) that are open and have no outcome.

        Whoever asks tells the runs (`TaskLost`); what is not told `TOLD_AGAIN_MS` later is returned again. Whole
        leases, until they hold `limit` tasks.
        """

    async def depths(self) -> Mapping[str, Depth]:
        """Return how much waits in each pool that has something queued or leased."""

    async def waiting(self, pool: str, limit: int) -> tuple[tuple[str, str], ...]:
        """Return tasks (run, key) that wait in the queue of a pool, of each run those that have waited longest.

        Runs share the limit equally; what one leaves goes to those whose turn comes later.
        """


class Authority(Protocol):
    """Who may write, and whether this is still the store we knew."""

    async def claim_epoch(self, above: int) -> int:
        """Make the epoch 1 + max(above, the stored one), atomically, and return it. Older epochs cannot commit."""

    async def incarnation(self) -> str:
        """Return the random id of this store: another one means that state may have been lost."""


class Store(
    RunStore, Durable, RunIndex, Claims, Correlations, Inbox, Values, Pages, Histories, Logs, Authority, Protocol
):
    """All of it, as the three implementations offer it."""

    async def close(self) -> None:
        """Release connections and files. Idempotent."""
