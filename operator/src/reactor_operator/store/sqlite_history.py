"""The histories of runs as SQL, inside one transaction that its caller opened.

In: a connection, commits, what is asked for. Out: entries with their numbers. Never here: what is in an entry.
"""

import sqlite3

from reactor_operator.store.port import Commit, HistoryPage

ADDED = (
    "CREATE TABLE IF NOT EXISTS history(run TEXT, number INTEGER, body BLOB NOT NULL, PRIMARY KEY(run, number))"
    " WITHOUT ROWID",
)


def append(db: sqlite3.Connection, commit: Commit) -> None:
    """Write the entries of a commit after the others, and drop the oldest of those that are too many."""
    if not commit.history:
        return
    before = _last(db, commit.run)
    numbered = enumerate(
        commit.history[-commit.history_kept :], before + 1 + max(0, len(commit.history) - commit.history_kept)
    )
    db.executemany(
        "INSERT INTO history(run, number, body) VALUES(?, ?, ?)",
        [(commit.run, number, body) for number, body in numbered],
    )
    dropped = before + len(commit.history) - commit.history_kept
    if dropped > 0:
        db.execute("DELETE FROM history WHERE run = ? AND number <= ?", (commit.run, dropped))


def read(db: sqlite3.Connection, run: str, after: int, limit: int) -> HistoryPage:
    """Read entries above a number."""
    last = _last(db, run)
    if not last:
        return HistoryPage()
    (first,) = db.execute("SELECT MIN(number) FROM history WHERE run = ?", (run,)).fetchone()
    found = db.execute(
        "SELECT number, body FROM history WHERE run = ? AND number > ? ORDER BY number LIMIT ?", (run, after, limit)
    )
    return HistoryPage(entries=tuple(found), first=first, last=last)


def _last(db: sqlite3.Connection, run: str) -> int:
    (last,) = db.execute("SELECT MAX(number) FROM history WHERE run = ?", (run,)).fetchone()
    return last or 0
