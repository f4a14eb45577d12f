"""The store in one SQLite file: what `reactor run --state FILE` keeps, so that an unfinished run goes on later.

In and out: as `port.py` says. Never here: an acknowledged write that is not on disk (WAL with synchronous=FULL), or a
wait for the disk in the event loop: each call is one transaction in the store's single thread.

The bell rings inside this process only. Other processes that open the file are safe, but they are not told of entries.
"""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from reactor_operator.store import sqlite_correlations, sqlite_history, sqlite_logs
from reactor_operator.store import sqlite_statements as statements
from reactor_operator.store.bell import Bell
from reactor_operator.store.port import (
    Appended,
    Claimed,
    Closed,
    Commit,
    Entry,
    Held,
    HistoryPage,
    OpenTask,
    Snapshot,
    StoreUnavailable,
)

_APPLICATION_ID = 0x52435452  # "RCTR": says in the file's header whose it is
_SCHEMA_VERSION = 1
_BUSY_SECONDS = 5.0
_AGAIN_SECONDS = 0.01

T = TypeVar("T")


class NotAStore(Exception):
    """The file is there and is not a state file of this version; nothing in it was changed."""


class NoPools(Exception):
    """A commit would put tasks in the queue of a pool, which a state file does not keep. A bug of ours."""


class SqliteStore:
    """Keeps runs in one file, which is made by the first call. Every call may raise NotAStore."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-store")
        self._connection: sqlite3.Connection | None = None
        self._bell = Bell()
        self._closed = False

    async def settle(self) -> None:
        """Return at once: nobody sees a transaction before it is on disk."""

    async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
        """Return the run as stored."""
        return await self._transact("DEFERRED", lambda db: statements.load(db, run, known_revision))

    async def commit(self, commit: Commit) -> int:
        """Apply a commit, or refuse it and change nothing. Raises NoPools."""
        if commit.queued:
            raise NoPools(
                f"state file {self._path}: run {commit.run} would queue tasks for pool {min(commit.queued)}, "
                "and a state file has no queues; use a store that has pools (memory, Redis)"
            )
        return await self._transact("IMMEDIATE", lambda db: statements.commit(db, commit))

    async def forget(self, run: str) -> None:
        """Delete everything of a run."""
        await self._transact("IMMEDIATE", lambda db: statements.forget(db, run))

    async def active_runs(self) -> frozenset[str]:
        """Return the runs that still have something to do."""
        return await self._transact("DEFERRED", statements.active_runs)

    async def stored_runs(self) -> frozenset[str]:
        """Return all runs."""
        return await self._transact("DEFERRED", statements.stored_runs)

    async def claimed(self, name: str) -> Claimed | None:
        """Return a claim that is held."""
        return await self._transact("DEFERRED", lambda db: statements.claimed(db, name))

    async def find_correlation(self, name: str) -> Held | Closed | None:
        """Return who holds a name, or that it closed."""
        return await self._transact("DEFERRED", lambda db: sqlite_correlations.find_correlation(db, name))

    async def append(self, entry: Entry) -> Appended:
        """Check an entry and record it."""
        answer = await self._transact("IMMEDIATE", lambda db: statements.append(db, entry))
        if answer is Appended.RECORDED:
            self._bell.ring(entry)
        return answer

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        """Check entries and record them, in one transaction."""
        if not entries:
            return []
        answers = await self._transact("IMMEDIATE", lambda db: [statements.append(db, entry) for entry in entries])
        for entry, answer in zip(entries, answers, strict=True):
            if answer is Appended.RECORDED:
                self._bell.ring(entry)
        return answers

    async def open_task(self, run: str, task: str) -> OpenTask | None:
        """Return an open task."""
        return await self._transact("DEFERRED", lambda db: statements.open_task(db, run, task))

    def rings(self) -> AsyncIterator[str]:
        """Yield the run of each entry that this process appends from now on."""
        return self._bell.listen()

    async def get_values(self, run: str, digests: frozenset[str]) -> Mapping[str, bytes]:
        """Return the documents that are there."""
        return await self._transact("DEFERRED", lambda db: statements.get_values(db, run, sorted(digests)))

    async def put_values(self, run: str, values: Mapping[str, bytes]) -> None:
        """Store documents."""
        await self._transact("IMMEDIATE", lambda db: statements.put_values(db, run, values))

    async def get_pages(self, run: str, names: frozenset[str]) -> Mapping[str, bytes]:
        """Return the pages that are there."""
        return await self._transact("DEFERRED", lambda db: statements.get_pages(db, run, sorted(names)))

    async def get_history(self, run: str, after: int, limit: int) -> HistoryPage:
        """Return entries of the history of a run."""
        return await self._transact("DEFERRED", lambda db: sqlite_history.read(db, run, after, limit))

    async def put_log(self, run: str, task: str, body: bytes, most_bytes: int) -> bool:
        """Keep the log of a task."""
        return await self._transact("IMMEDIATE", lambda db: sqlite_logs.put(db, run, task, body, most_bytes))

    async def get_log(self, run: str, task: str) -> bytes | None:
        """Return the log of a task."""
        return await self._transact("DEFERRED", lambda db: sqlite_logs.get(db, run, task))

    async def logged_tasks(self, run: str) -> frozenset[str]:
        """Return the tasks of which a log is kept."""
        return await self._transact("DEFERRED", lambda db: sqlite_logs.tasks(db, run))

    async def claim_epoch(self, above: int) -> int:
        """Make the epoch one above everything seen."""
        return await self._transact("IMMEDIATE", lambda db: statements.claim_epoch(db, above))

    async def incarnation(self) -> str:
        """Return the random id that was written when the file was made."""
        return await self._transact("DEFERRED", lambda db: statements.setting(db, "incarnation"))

    async def close(self) -> None:
        """Close the file and end the thread, after what was asked before is done."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def _transact(self, kind: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction in the store's thread. Whoever is cancelled meanwhile knows no outcome."""
        if self._closed:
            raise StoreUnavailable(f"state file {self._path}: the store was closed")

        def transaction() -> T:
            try:
                db = self._connect()
                with _Transaction(db, kind):
                    return work(db)
            except sqlite3.OperationalError as problem:
                raise StoreUnavailable(f"state file {self._path}: {problem}") from problem

        return await asyncio.get_running_loop().run_in_executor(self._thread, transaction)

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare(db)
            except BaseException:
                db.close()
                raise
            self._connection = db
        return self._connection

    def _prepare(self, db: sqlite3.Connection) -> None:
        try:
            with _Transaction(db, "DEFERRED"):  # one look at a file that another store may be making
                self._check(db)
            _write_ahead(db)
            db.execute("PRAGMA synchronous = FULL")
            with _Transaction(db, "IMMEDIATE"):
                if db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
                    _create(db)
                for statement in statements.ADDED:
                    db.execute(statement)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as problem:
            raise NotAStore(
                f"state file {self._path}: found something else ({problem}); give another path"
            ) from problem

    def _check(self, db: sqlite3.Connection) -> None:
        (application_id,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        tables = db.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone()
        if application_id != _APPLICATION_ID and tables is not None:
            raise NotAStore(f"state file {self._path}: found another program's database; give another path")
        if application_id == _APPLICATION_ID and version != _SCHEMA_VERSION:
            raise NotAStore(
                f"state file {self._path}: found version {version}, expected {_SCHEMA_VERSION}; "
                "use the version of reactor that made it, or give another path"
            )

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Transaction:
    """Commits at the end, or rolls everything back where an exception left the block."""

    def __init__(self, db: sqlite3.Connection, kind: str) -> None:
        self._db = db
        self._kind = kind

    def __enter__(self) -> None:
        self._db.execute(f"BEGIN {self._kind}")

    def __exit__(self, exception_type: type[BaseException] | None, *_: object) -> None:
        try:
            if exception_type is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _write_ahead(db: sqlite3.Connection) -> None:
    """Switch to a write-ahead log. SQLite does not wait for who is doing the same, so it is tried again."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_SECONDS)


def _create(db: sqlite3.Connection) -> None:
    for statement in statements.SCHEMA:
        db.execute(statement)
    settings = [("epoch", 0), ("incarnation", secrets.token_hex(16))]
    db.executemany("INSERT INTO store(name, value) VALUES(?, ?)", settings)
    db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
