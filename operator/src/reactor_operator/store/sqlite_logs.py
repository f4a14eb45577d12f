"""The logs of tasks as SQL, inside one transaction that its caller opened.

In: a connection, logs. Out: logs. Never here: what is in one.
"""

import sqlite3

ADDED = (
    "CREATE TABLE IF NOT EXISTS logs(number INTEGER PRIMARY KEY, run TEXT NOT NULL, task TEXT NOT NULL,"
    " body BLOB NOT NULL, UNIQUE(run, task))",
)


def put(db: sqlite3.Connection, run: str, task: str, body: bytes, most_bytes: int) -> bool:
    """Write a log as the newest one of its run, and drop the oldest of those that are too much."""
    if db.execute("SELECT 1 FROM runs WHERE run = ?", (run,)).fetchone() is None:
        return False
    db.execute("DELETE FROM logs WHERE run = ? AND task = ?", (run, task))
    db.execute("INSERT INTO logs(run, task, body) VALUES(?, ?, ?)", (run, task, body))
    kept = db.execute("SELECT number, LENGTH(body) FROM logs WHERE run = ? ORDER BY number DESC", (run,)).fetchall()
    room = most_bytes
    for place, (number, size) in enumerate(kept):
        room -= size
        if room < 0 and place:
            db.execute("DELETE FROM logs WHERE run = ? AND number <= ?", (run, number))
            break
    return True


def get(db: sqlite3.Connection, run: str, task: str) -> bytes | None:
    """Read a log."""
    row = db.execute("SELECT body FROM logs WHERE run = ? AND task = ?", (run, task)).fetchone()
    return None if row is None else row[0]


def tasks(db: sqlite3.Connection, run: str) -> frozenset[str]:
    """Read of which tasks there are logs."""
    return frozenset(task for (task,) in db.execute("SELECT task FROM logs WHERE run = ?", (run,)))
