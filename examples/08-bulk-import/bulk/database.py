"""The database of customers: one SQLite file, which any number of processes of one machine write to.

`changes` says what each row of a file did to it, under the idempotency key of that row: who asks twice finds that it is
done, and who takes it back finds what was there before.
"""

import functools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

WAIT_SECONDS = 30  # for other writers
COLUMNS = ("id", "name", "email", "country", "balance")
SCHEMA = """
CREATE TABLE IF NOT EXISTS customers (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, country TEXT NOT NULL,
  balance INTEGER NOT NULL,    -- in cents
  written_by TEXT NOT NULL     -- the key of the change that made it what it is
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (
  key TEXT PRIMARY KEY,
  id TEXT NOT NULL,
  before TEXT,                 -- the customer as it was, as JSON; null: there was none
  undone INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""


def file_in(folder: str) -> Path:
    return Path(folder, "customers.db")


def prepare(folder: str) -> None:
    """Make the tables, where there are none."""
    with closing(sqlite3.connect(file_in(folder), timeout=WAIT_SECONDS)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(SCHEMA)


@functools.cache
def connection(folder: str) -> sqlite3.Connection:
    """One for each process, for a worker does many rows."""
    # mode=rw: a file that is missing is not made anew, without its tables
    address = f"{file_in(folder).absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS, isolation_level=None)


@contextmanager
def transaction(folder: str) -> Iterator[sqlite3.Connection]:
    database = connection(folder)
    with database:  # commits, or takes back all of it
        database.execute("BEGIN IMMEDIATE")
        yield database


def upsert(folder: str, key: str, customer: dict[str, Any]) -> None:
    """Insert a customer, or replace what is known of it: once, however often it is called with this key."""
    with transaction(folder) as database:
        if database.execute("SELECT 1 FROM changes WHERE key = ?", (key,)).fetchone():
            return
        row = database.execute("SELECT * FROM customers WHERE id = ?", (customer["id"],)).fetchone()
        before = None if row is None else json.dumps(row)
        database.execute("INSERT INTO changes (key, id, before) VALUES (?, ?, ?)", (key, customer["id"], before))
        _put(database, (*(customer[column] for column in COLUMNS), key))


def take_back(folder: str, key: str) -> None:
    """Make a customer what it was before the change of this key, unless there was none, or a later one."""
    with transaction(folder) as database:
        found = database.execute("SELECT id, before FROM changes WHERE key = ? AND NOT undone", (key,)).fetchone()
        if found is None:
            return
        customer, before = found
        gone = database.execute("DELETE FROM customers WHERE id = ? AND written_by = ?", (customer, key))
        if before is not None and gone.rowcount:
            _put(database, json.loads(before))
        database.execute("UPDATE changes SET undone = 1 WHERE key = ?", (key,))


def _put(database: sqlite3.Connection, row: tuple[Any, ...] | list[Any]) -> None:
    database.execute("INSERT OR REPLACE INTO customers VALUES (?, ?, ?, ?, ?, ?)", row)
