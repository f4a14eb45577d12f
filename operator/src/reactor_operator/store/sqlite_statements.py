"""The calls of the store port as SQL: each function runs inside one transaction that its caller opened.

In: a connection and what the port's call was given. Out: the port's answers, or its refusals as exceptions, on which
the caller rolls back. Never here: transactions, files or threads.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence

from reactor_operator.store import sqlite_correlations as correlations
from reactor_operator.store import sqlite_history as history
from reactor_operator.store import sqlite_logs as logs
from reactor_operator.store.port import (
    Appended,
    Claim,
    Claimed,
    Commit,
    Entry,
    InboxAhead,
    KeyTaken,
    OldEpoch,
    OpenTask,
    Snapshot,
    StaleRevision,
)

SCHEMA = (
    "CREATE TABLE store(name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE runs(run TEXT PRIMARY KEY, revision INTEGER NOT NULL, active INTEGER NOT NULL,"
    " last_position INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",
    "CREATE TABLE records(run TEXT, name TEXT, body BLOB NOT NULL, PRIMARY KEY(run, name)) WITHOUT ROWID",
    "CREATE TABLE inbox(run TEXT, position INTEGER, body BLOB NOT NULL, PRIMARY KEY(run, position)) WITHOUT ROWID",
    "CREATE TABLE outbox(sequence INTEGER PRIMARY KEY, run TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,"
    " UNIQUE(run, id))",
    "CREATE TABLE tasks(run TEXT, task TEXT, record BLOB NOT NULL, binding TEXT NOT NULL DEFAULT '',"
    " outcome TEXT NOT NULL DEFAULT '', last_position INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(run, task))"
    " WITHOUT ROWID",
    "CREATE TABLE seen(run TEXT, task TEXT, digest TEXT, PRIMARY KEY(run, task, digest)) WITHOUT ROWID",
    "CREATE TABLE documents(run TEXT, digest TEXT, body BLOB NOT NULL, PRIMARY KEY(run, digest))",
)
ADDED = (
    "CREATE TABLE IF NOT EXISTS claims(name TEXT PRIMARY KEY, run TEXT NOT NULL, body BLOB NOT NULL, document BLOB,"
    " keep_ms INTEGER NOT NULL, until INTEGER)",
    "CREATE INDEX IF NOT EXISTS claims_by_end ON claims(until)",
    "CREATE TABLE IF NOT EXISTS claimants(run TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS claimants_by_name ON claimants(name)",
    "CREATE TABLE IF NOT EXISTS pages(run TEXT, name TEXT, body BLOB NOT NULL, PRIMARY KEY(run, name))",
    *correlations.ADDED,
    *history.ADDED,
    *logs.ADDED,
)
"""What a file of the same version may lack, for it was made before there were any."""
_NAMES_PER_QUERY = 500
_SWEPT_AT_ONCE = 100


def load(db: sqlite3.Connection, run: str, known_revision: int) -> Snapshot | None:
    """Read a run, its records and outbox only where the revision is not the known one."""
    row = db.execute("SELECT revision FROM runs WHERE run = ?", (run,)).fetchone()
    if row is None:
        return None
    (revision,) = row
    inbox = db.execute("SELECT position, body FROM inbox WHERE run = ? ORDER BY position", (run,)).fetchall()
    if revision == known_revision:
        return Snapshot(revision=revision, inbox=tuple(inbox), records=None, actions=None)
    return Snapshot(
        revision=revision,
        inbox=tuple(inbox),
        records=dict(db.execute("SELECT name, body FROM records WHERE run = ?", (run,))),
        actions=dict(db.execute("SELECT id, body FROM outbox WHERE run = ? ORDER BY sequence", (run,))),
    )


def commit(db: sqlite3.Connection, commit: Commit) -> int:
    """Check and apply a commit."""
    run = commit.run
    epoch = int(setting(db, "epoch"))
    if commit.epoch < epoch:
        raise OldEpoch(f"run {run}: epoch {commit.epoch} was replaced by {epoch}")
    row = db.execute("SELECT revision FROM runs WHERE run = ?", (run,)).fetchone()
    stored = row[0] if row else 0
    if commit.revision != stored:
        raise StaleRevision(f"run {run}: decided on revision {commit.revision}, stored is {stored}")
    for task in sorted(commit.closes):
        # The task's newest entry counts only while it waits: one that an earlier commit consumed is no longer there.
        ahead = db.execute(
            "SELECT 1 FROM tasks JOIN inbox ON inbox.run = tasks.run AND inbox.position = tasks.last_position"
            " WHERE tasks.run = ? AND tasks.task = ? AND tasks.last_position > ?",
            (run, task, commit.inbox_position),
        ).fetchone()
        if ahead:
            raise InboxAhead(f"run {run}: the inbox holds an entry for task {task}, which this would close")
    if commit.claim is not None:
        _take(db, commit, commit.claim)
    correlations.check(db, commit)
    if commit.epoch > epoch:
        db.execute("UPDATE store SET value = ? WHERE name = 'epoch'", (commit.epoch,))
    db.execute(
        "INSERT INTO runs(run, revision, active) VALUES(?, 1, ?)"
        " ON CONFLICT(run) DO UPDATE SET revision = revision + 1, active = excluded.active",
        (run, commit.active),
    )
    _apply(db, commit)
    return commit.revision + 1


def claimed(db: sqlite3.Connection, name: str) -> Claimed | None:
    """Read a claim that is held."""
    row = db.execute(
        "SELECT run, body, document FROM claims WHERE name = ? AND (until IS NULL OR until > ?)", (name, _now())
    ).fetchone()
    return None if row is None else Claimed(run=row[0], body=row[1], document=row[2])


def append(db: sqlite3.Connection, entry: Entry) -> Appended:
    """Check and record an entry."""
    run, task = entry.run, entry.task
    row = db.execute("SELECT last_position FROM runs WHERE run = ?", (run,)).fetchone()
    if row is None:
        return Appended.UNKNOWN
    (last_position,) = row
    open_ = db.execute("SELECT binding, outcome FROM tasks WHERE run = ? AND task = ?", (run, task)).fetchone()
    if task and open_ is None:
        return Appended.CLOSED
    binding, outcome = open_ or ("", "")
    if entry.binding and binding and entry.binding != binding:
        return Appended.CONFLICT
    if db.execute("SELECT 1 FROM seen WHERE run = ? AND task = ? AND digest = ?", (run, task, entry.digest)).fetchone():
        return Appended.REPEATED
    if outcome:
        return Appended.CONFLICT
    position = last_position + 1
    db.execute("UPDATE runs SET last_position = ? WHERE run = ?", (position, run))
    db.execute("INSERT INTO inbox(run, position, body) VALUES(?, ?, ?)", (run, position, entry.body))
    db.execute("INSERT INTO seen(run, task, digest) VALUES(?, ?, ?)", (run, task, entry.digest))
    db.execute(
        "UPDATE tasks SET binding = ?, outcome = ?, last_position = ? WHERE run = ? AND task = ?",
        (binding or entry.binding, entry.digest if entry.final else "", position, run, task),
    )
    put_values(db, run, entry.values)
    return Appended.RECORDED


def open_task(db: sqlite3.Connection, run: str, task: str) -> OpenTask | None:
    """Read an open task."""
    row = db.execute(
        "SELECT record, binding, outcome FROM tasks WHERE run = ? AND task = ?",
        (run, task),
    ).fetchone()
    return None if row is None else OpenTask(record=row[0], binding=row[1], outcome=row[2])


def active_runs(db: sqlite3.Connection) -> frozenset[str]:
    """Read which runs still have something to do."""
    found = db.execute("SELECT run FROM runs WHERE active UNION SELECT run FROM outbox UNION SELECT run FROM inbox")
    return frozenset(run for (run,) in found)


def stored_runs(db: sqlite3.Connection) -> frozenset[str]:
    """Read which runs there are."""
    return frozenset(run for (run,) in db.execute("SELECT run FROM runs"))


def forget(db: sqlite3.Connection, run: str) -> None:
    """Delete a run from every table."""
    for table in ("runs", "records", "inbox", "outbox", "tasks", "seen", "documents", "pages", "history", "logs"):
        db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - the names stand in this line
    correlations.forget(db, run)
    row = db.execute("SELECT name FROM claimants WHERE run = ?", (run,)).fetchone()
    if row is not None:
        db.execute("DELETE FROM claimants WHERE run = ?", (run,))
        db.execute(
            "UPDATE claims SET until = ? + keep_ms WHERE name = ?"
            " AND NOT EXISTS (SELECT 1 FROM claimants WHERE claimants.name = claims.name)",
            (_now(), row[0]),
        )


def get_values(db: sqlite3.Connection, run: str, digests: Sequence[str]) -> dict[str, bytes]:
    """Read documents by digest."""
    return _read_named(db, "SELECT digest, body FROM documents WHERE run = ? AND digest IN", run, digests)


def get_pages(db: sqlite3.Connection, run: str, names: Sequence[str]) -> dict[str, bytes]:
    """Read pages by name."""
    return _read_named(db, "SELECT name, body FROM pages WHERE run = ? AND name IN", run, names)


def put_values(db: sqlite3.Connection, run: str, values: Mapping[str, bytes]) -> None:
    """Write documents that are not there yet."""
    db.executemany(
        "INSERT INTO documents(run, digest, body) VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
        [(run, digest, body) for digest, body in values.items()],
    )


def claim_epoch(db: sqlite3.Connection, above: int) -> int:
    """Raise the epoch."""
    epoch = 1 + max(above, int(setting(db, "epoch")))
    db.execute("UPDATE store SET value = ? WHERE name = 'epoch'", (epoch,))
    return epoch


def setting(db: sqlite3.Connection, name: str) -> str:
    """Read one row of the table that describes the store itself."""
    (value,) = db.execute("SELECT value FROM store WHERE name = ?", (name,)).fetchone()
    return str(value)


def _read_named(db: sqlite3.Connection, query: str, run: str, names: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start in range(0, len(names), _NAMES_PER_QUERY):
        some = names[start : start + _NAMES_PER_QUERY]
        marks = ",".join("?" * len(some))
        found.update(db.execute(f"{query} ({marks})", (run, *some)))
    return found


def _take(db: sqlite3.Connection, commit: Commit, claim: Claim) -> None:
    """Write a claim, and drop some of those whose time is over."""
    db.execute("DELETE FROM claims WHERE name = ? AND until <= ?", (claim.name, _now()))
    over = "SELECT name FROM claims WHERE until <= ? LIMIT ?"
    db.execute(f"DELETE FROM claims WHERE name IN ({over})", (_now(), _SWEPT_AT_ONCE))  # noqa: S608 - stands above
    row = db.execute("SELECT run FROM claims WHERE name = ?", (claim.name,)).fetchone()
    if row is not None and row[0] != commit.run and not claim.shared:
        if commit.revision == 0:
            raise KeyTaken(f"run {commit.run}: run {row[0]} holds the claim {claim.name}")
        return
    if row is None and claim.shared:
        return
    if claim.shared:
        db.execute("UPDATE claims SET until = NULL WHERE name = ?", (claim.name,))
    else:
        db.execute(
            "INSERT OR REPLACE INTO claims(name, run, body, document, keep_ms) VALUES(?, ?, ?, ?, ?)",
            (claim.name, commit.run, claim.body, claim.document, claim.keep_ms),
        )
    db.execute("INSERT OR IGNORE INTO claimants(run, name) VALUES(?, ?)", (commit.run, claim.name))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _apply(db: sqlite3.Connection, commit: Commit) -> None:
    run = commit.run
    for name, record in commit.records.items():
        if record is None:
            db.execute("DELETE FROM records WHERE run = ? AND name = ?", (run, name))
        else:
            db.execute("INSERT OR REPLACE INTO records(run, name, body) VALUES(?, ?, ?)", (run, name, record))
    for name, page in commit.pages.items():
        if page is None:
            db.execute("DELETE FROM pages WHERE run = ? AND name = ?", (run, name))
        else:
            db.execute("INSERT OR REPLACE INTO pages(run, name, body) VALUES(?, ?, ?)", (run, name, page))
    db.execute("DELETE FROM inbox WHERE run = ? AND position <= ?", (run, commit.inbox_position))
    for task, record in commit.opens.items():
        db.execute(
            "INSERT INTO tasks(run, task, record) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET record = excluded.record",
            (run, task, record),
        )
    for task in commit.closes:
        db.execute("DELETE FROM tasks WHERE run = ? AND task = ?", (run, task))
        db.execute("DELETE FROM seen WHERE run = ? AND task = ?", (run, task))
    if not commit.active:
        db.execute("DELETE FROM tasks WHERE run = ?", (run,))
        db.execute("DELETE FROM seen WHERE run = ? AND task != ''", (run,))
    for id_ in commit.acknowledged:
        db.execute("DELETE FROM outbox WHERE run = ? AND id = ?", (run, id_))
    for id_, body in commit.actions.items():
        db.execute(
            "INSERT INTO outbox(run, id, body) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
            (run, id_, body),
        )
    db.executemany("DELETE FROM documents WHERE run = ? AND digest = ?", [(run, digest) for digest in commit.dropped])
    put_values(db, run, commit.values)
    correlations.apply(db, commit)
    history.append(db, commit)
