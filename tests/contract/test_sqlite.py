"""What is promised of the state file beyond the port."""

import os
import sqlite3
from pathlib import Path

import pytest

from reactor_operator.store.port import Claim, Claimed, Commit, Held, StoreUnavailable
from reactor_operator.store.sqlite import NoPools, NotAStore, SqliteStore

RUN = "run"


async def store_changed_by(path: Path, statement: str) -> SqliteStore:
    """Return a store over a file that has a run in it, and that another program has changed."""
    store = SqliteStore(path)
    await store.commit(Commit(run=RUN, revision=0, epoch=1))
    await store.close()
    with sqlite3.connect(path) as file:
        file.execute(statement)
    file.close()
    return SqliteStore(path)


async def test_another_programs_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs(x)")
    other.close()
    before = path.read_bytes()
    store = SqliteStore(path)
    with pytest.raises(NotAStore, match=r"other\.db: found another program's database; give another path"):
        await store.load(RUN)
    await store.close()
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n" * 100)
    store = SqliteStore(path)
    with pytest.raises(NotAStore, match="give another path"):
        await store.commit(Commit(run=RUN, revision=0, epoch=1))
    await store.close()
    assert path.read_text() == "my notes\n" * 100


async def test_a_file_of_another_version_says_so(tmp_path: Path) -> None:
    store = await store_changed_by(tmp_path / "run.db", "PRAGMA user_version = 99")
    with pytest.raises(NotAStore, match="found version 99, expected 1"):
        await store.load(RUN)
    await store.close()


async def test_a_file_that_was_made_before_there_were_claims_takes_them(tmp_path: Path) -> None:
    store = await store_changed_by(tmp_path / "run.db", "DROP TABLE claims")
    claim = Claim(name="key/1", body=b"goes on", keep_ms=1)
    await store.commit(Commit(run="new", revision=0, epoch=1, claim=claim))
    assert await store.claimed("key/1") == Claimed(run="new", body=b"goes on")
    assert await store.stored_runs() == {RUN, "new"}
    await store.close()


async def test_claims_whose_time_is_over_are_deleted_a_hundred_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    store = SqliteStore(path)
    await store.commit(Commit(run=RUN, revision=0, epoch=1))
    with sqlite3.connect(path) as file:
        rows = [(f"key/{i}", "gone", b"", 1, 1) for i in range(250)]
        file.executemany("INSERT INTO claims(name, run, body, keep_ms, until) VALUES(?, ?, ?, ?, ?)", rows)
    for number, left in enumerate((150, 50, 0)):
        claim = Claim(name=f"new/{number}", body=b"", keep_ms=1)
        await store.commit(Commit(run=f"new-{number}", revision=0, epoch=1, claim=claim))
        assert file.execute("SELECT count(*) FROM claims WHERE run = 'gone'").fetchone() == (left,)
    file.close()
    await store.close()


async def test_a_file_that_was_made_before_there_were_correlation_ids_takes_them(tmp_path: Path) -> None:
    store = await store_changed_by(tmp_path / "run.db", "DROP TABLE correlations")
    await store.commit(Commit(run="new", revision=0, epoch=1, correlations={"order-1": "approve.1"}))
    assert await store.find_correlation("order-1") == Held(run="new", path="approve.1")
    await store.close()


async def test_names_whose_closing_is_long_ago_are_deleted_a_hundred_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    store = SqliteStore(path)
    await store.commit(Commit(run=RUN, revision=0, epoch=1))
    with sqlite3.connect(path) as file:
        rows = [(f"order-{i}".encode(), "gone", "approve.1", 1, 1) for i in range(250)]
        file.executemany("INSERT INTO correlations(name, run, path, closed_at, until) VALUES(?, ?, ?, ?, ?)", rows)
    assert await store.find_correlation("order-1") is None
    for revision, left in enumerate((150, 50, 0), start=1):
        taken = {f"new-{revision}": "approve.1"}
        await store.commit(Commit(run=RUN, revision=revision, epoch=1, correlations=taken))
        assert file.execute("SELECT count(*) FROM correlations WHERE run = 'gone'").fetchone() == (left,)
    assert file.execute("SELECT count(*) FROM correlations").fetchone() == (3,)
    file.close()
    await store.close()


async def test_a_folder_that_is_not_there_makes_the_store_unavailable(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "missing" / "run.db")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await store.load(RUN)
    await store.close()


async def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "run.db")
    await store.close()
    with pytest.raises(StoreUnavailable, match="was closed"):
        await store.load(RUN)


async def test_a_closed_store_leaves_one_file(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "run.db")
    await store.commit(Commit(run=RUN, revision=0, epoch=1))
    await store.close()
    assert os.listdir(tmp_path) == ["run.db"]


async def test_writes_wait_for_the_disk(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "run.db")
    await store.load(RUN)
    settings = await store._transact("DEFERRED", lambda db: db.execute("PRAGMA synchronous").fetchone())
    assert settings == (2,)
    await store.close()


async def test_a_commit_that_queues_tasks_for_a_pool_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "run.db")
    with pytest.raises(NoPools, match="run run would queue tasks for pool shop/fast"):
        await store.commit(Commit(run=RUN, revision=0, epoch=1, queued={"shop/fast": (("a.run.1.1.1",),)}))
    assert await store.load(RUN) is None
    await store.close()
