"""Who holds which correlation id, as SQL: each function runs inside one transaction that its caller opened.

In: a connection, commits, names. Out: holders, what closed, and the refusal of a commit that would take what is held.
Never here: a name as text, for SQLite keeps no text that is not valid Unicode, and a name may be anything.
"""

import sqlite3
import time

from reactor_operator.store.port import Closed, Commit, CorrelationTaken, Held

ADDED = (
    "CREATE TABLE IF NOT EXISTS correlations(name BLOB PRIMARY KEY, run TEXT NOT NULL, path TEXT NOT NULL,"
    " closed_at INTEGER, until INTEGER)",
    "CREATE INDEX IF NOT EXISTS correlations_by_run ON correlations(run)",
    "CREATE INDEX IF NOT EXISTS correlations_by_end ON correlations(until)",
)
_SWEPT_AT_ONCE = 100


def check(db: sqlite3.Connection, commit: Commit) -> None:
    """Raise CorrelationTaken where the commit would take what is held."""
    taken = []
    for name, path in commit.correlations.items():
        found = None if path is None else find_correlation(db, name)
        if isinstance(found, Held) and (
            found.run != commit.run or (found.path != path and name not in commit.passed_on)
        ):
            taken.append(name)
    if taken:
        raise CorrelationTaken(commit.run, taken)


def apply(db: sqlite3.Connection, commit: Commit) -> None:
    """Let names go, take those that were found free, and drop some that closed and whose time is over."""
    if not commit.correlations:
        return
    now = _now()
    db.executemany(
        "UPDATE correlations SET closed_at = ?, until = ? WHERE name = ? AND run = ? AND closed_at IS NULL",
        [
            (now, now + commit.closed_kept_ms, _stored(name), commit.run)
            for name, path in commit.correlations.items()
            if path is None
        ],
    )
    db.executemany(
        "INSERT OR REPLACE INTO correlations(name, run, path) VALUES(?, ?, ?)",
        [(_stored(name), commit.run, path) for name, path in commit.correlations.items() if path is not None],
    )
    over = "SELECT name FROM correlations WHERE until <= ? LIMIT ?"
    db.execute(f"DELETE FROM correlations WHERE name IN ({over})", (now, _SWEPT_AT_ONCE))  # noqa: S608 - stands above


def forget(db: sqlite3.Connection, run: str) -> None:
    """Free the names that a run holds."""
    db.execute("DELETE FROM correlations WHERE run = ? AND closed_at IS NULL", (run,))


def find_correlation(db: sqlite3.Connection, name: str) -> Held | Closed | None:
    """Read what is known of a name."""
    row = db.execute(
        "SELECT run, path, closed_at FROM correlations WHERE name = ? AND (until IS NULL OR until > ?)",
        (_stored(name), _now()),
    ).fetchone()
    if row is None:
        return None
    run, path, closed_at = row
    return Held(run=run, path=path) if closed_at is None else Closed(run=run, path=path, at=closed_at)


def _stored(name: str) -> bytes:
    return name.encode(errors="surrogatepass")


def _now() -> int:
    return time.time_ns() // 1_000_000
