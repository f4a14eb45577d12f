"""What the examples with maps leave behind: rows of a database, files; also where they are ended in the middle."""

import importlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reactor import Context, Failure
from tests.expected_examples import EXAMPLES

IMPORT, ARCHIVE = EXAMPLES / "08-bulk-import", EXAMPLES / "09-archive-users"
Load = Callable[[str], ModuleType]
Rows = list[tuple[Any, ...]]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Yield what imports a module of an example."""
    before = set(sys.modules)
    for folder in (IMPORT, ARCHIVE):
        monkeypatch.syspath_prepend(folder)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        del sys.modules[name]


def command(example: Path, folder: Path, *words: str) -> list[str]:
    return [
        str(Path(sys.executable).with_name("reactor")),
        *("run", str(example), "-o", "json", "--set", f"folder={folder}", *words),
    ]


def run(example: Path, folder: Path, *words: str, seconds: float = 120) -> dict[str, Any]:
    """Run an example and return the status of each run by name."""
    done = subprocess.run(
        command(example, folder, *words), capture_output=True, text=True, check=False, timeout=seconds
    )
    document = json.loads(done.stdout)
    return {run["metadata"]["name"]: run["status"] for run in document.get("items", [document])}


def read(folder: Path, query: str) -> Rows:
    with closing(sqlite3.connect(folder / "customers.db", timeout=30)) as database:
        return database.execute(query).fetchall()


@pytest.mark.heavy
@pytest.mark.timeout(240)
def test_what_is_imported_stays_however_often_and_what_failed_leaves_nothing(tmp_path: Path) -> None:
    runs = run(IMPORT, tmp_path, "--set", "rows=200")
    ids = [number for (number,) in read(tmp_path, "SELECT id FROM customers")]
    assert set(ids) == {f"north-{number}" for number in range(1, 201) if number % 100}
    assert read(tmp_path, "SELECT count(*) FROM changes WHERE NOT undone") == [(198,)]
    report = Path(runs["customers-imported"]["result"]["report"]).read_text()
    assert report.splitlines()[1:] == [
        "line 101: 'twelve' is no amount",
        "line 201: 'Atlantis' is no country we sell to",
    ]

    everything = "SELECT id, name, email, country, balance FROM customers"
    before = read(tmp_path, everything)
    run(IMPORT, tmp_path, "--set", "rows=200", "--run", "customers-imported")
    assert read(tmp_path, everything) == before


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_rows_are_imported(tmp_path: Path) -> None:
    words = ("--run", "customers-imported", "--set", "rows=100000", "--state", str(tmp_path / "state.db"))
    status = run(IMPORT, tmp_path, *words, seconds=1700)["customers-imported"]
    assert (status["phase"], status["result"]["imported"], status["result"]["rejected"]) == ("Succeeded", 99_000, 1_000)
    assert read(tmp_path, "SELECT count(*), count(DISTINCT id), sum(undone) FROM changes") == [(99_000, 99_000, 0)]


@pytest.mark.heavy
@pytest.mark.timeout(240)
def test_an_import_that_is_killed_goes_on_and_no_row_is_done_twice(tmp_path: Path) -> None:
    words = ("--run", "customers-imported", "--state", str(tmp_path / "state.db"))
    with subprocess.Popen(command(IMPORT, tmp_path, *words), stdout=subprocess.DEVNULL) as first:
        deadline = time.monotonic() + 60
        while not _has_rows(tmp_path, 150):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
    assert len(read(tmp_path, "SELECT * FROM changes")) < 990
    status = run(IMPORT, tmp_path, *words)["customers-imported"]
    assert (status["phase"], status["result"]["imported"], status["result"]["rejected"]) == ("Succeeded", 990, 10)
    assert read(tmp_path, "SELECT count(*), sum(before IS NULL) FROM changes") == [(990, 990)]


def _has_rows(folder: Path, count: int) -> bool:
    try:
        return len(read(folder, "SELECT * FROM changes")) >= count
    except sqlite3.OperationalError:
        return False


def test_pages_are_all_of_a_file_whatever_their_size(load: Load, tmp_path: Path) -> None:
    upload, rows = load("bulk.upload"), load("bulk.rows")
    path = upload.receive(str(tmp_path), "north", 25, 10)["path"]
    lines = Path(path).read_text().splitlines()[1:]
    for limit in (1, 7, 25, 26):
        page = rows.page(path, None, limit)
        found = list(page["items"])
        while page["next"] is not None:
            page = rows.page(path, page["next"], limit)
            assert len(page["items"]) <= limit
            found += page["items"]
        assert found == lines


def test_a_file_without_a_last_line_end_is_read_to_its_end_and_another_file_is_refused(
    load: Load, tmp_path: Path
) -> None:
    rows, file = load("bulk.rows"), tmp_path / "a.csv"
    file.write_bytes(b"id,name,email,country,balance\r\na,b,c,d,e\r\nf\xff")
    assert rows.page(str(file), None, 10) == {"items": ["a,b,c,d,e", "f�"], "next": None}
    file.write_text("name;id\n")
    with pytest.raises(Failure, match="begins with 'name;id', expected id,name,email,country,balance") as refused:
        rows.page(str(file), None, 10)
    assert not refused.value.retryable


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("a,b,c@d.ee,DE", "found 4 values, expected 5"),
        ("", "found 0 values, expected 5"),
        ("a,b,c,DE,1.00", "'c' is no mail address"),
        ("a,b,c@d.ee,XX,1.00", "'XX' is no country we sell to"),
        ("a,b,c@d.ee,DE,1e3", "'1e3' is no amount"),
    ],
)
def test_a_row_that_is_no_good_says_why_and_where(load: Load, row: str, wrong: str) -> None:
    with pytest.raises(Failure, match=f"^line 7: {wrong}$"):
        load("bulk.rows").parse(row, 7)


def test_a_row_that_is_done_or_undone_twice_is_so_once(load: Load, tmp_path: Path) -> None:
    rows, folder = load("bulk.rows"), str(tmp_path)
    load("bulk.database").prepare(folder)

    def store(row: str, key: str) -> None:
        rows.store(row, 0, folder, Context(idempotency_key=key))

    def undo(key: str) -> None:
        rows.take_back(folder, Context(forward_key=key), row="", place=0)

    def balances() -> Rows:
        return read(tmp_path, "SELECT id, balance FROM customers")

    store("a,Ada,a@b.cc,DE,1.00", "first")
    store('a,"Ada, B.",a@b.cc,DE,2.00', "second")
    store("a,Ada,a@b.cc,DE,1.00", "first")
    assert balances() == [("a", 200)], "what is launched again later changes nothing"
    undo("second")
    undo("second")
    undo("never done")
    assert balances() == [("a", 100)]
    store("a,Ada,a@b.cc,DE,3.00", "third")
    undo("first")
    assert balances() == [("a", 300)], "what a later change wrote is not taken back with an earlier one"


@pytest.mark.heavy
@pytest.mark.timeout(120)
def test_users_are_in_the_archive_or_in_the_directory_and_all_in_the_directory_after_a_failure(tmp_path: Path) -> None:
    run(ARCHIVE, tmp_path)

    def users(folder: str, team: str) -> set[str]:
        return {file.stem for file in (tmp_path / folder).glob(f"{team}-*")}

    kept = {"sales-0010", "sales-0012", "sales-0024"}
    archived = {f"sales-{number:04}" for number in range(2, 25, 2)} - kept
    assert users("archive", "sales") == archived
    assert users("directory", "sales") == {f"sales-{number:04}" for number in range(1, 25)} - archived
    assert users("archive", "support") == set()
    assert users("directory", "support") == {f"support-{number:04}" for number in range(1, 25)}

    again = run(ARCHIVE, tmp_path, "--run", "sales-archived")["sales-archived"]["result"]
    assert (again["archived"], again["failed"]) == (0, 3)


def test_what_an_archive_does_twice_is_done_once(load: Load, tmp_path: Path) -> None:
    directory, archive, folder = load("users.directory"), load("users.archive"), str(tmp_path)
    users = directory.find_inactive(folder, "ops", 6, 180)
    assert users == ["ops-0002", "ops-0004", "ops-0006"]
    assert directory.find_inactive(folder, "ops", 6, 180) == users
    record = directory.path_of(folder, "ops-0002").read_text()
    for _ in range(2):
        archive.export("ops-0002", folder, Context(attempt=2))
    for _ in range(2):
        directory.delete("ops-0002", folder)
    assert not directory.path_of(folder, "ops-0002").exists()
    for _ in range(2):
        directory.restore("ops-0002", folder)
    for _ in range(2):
        archive.discard("ops-0002", folder)
    assert directory.path_of(folder, "ops-0002").read_text() == record
    assert not archive.path_of(folder, "ops-0002").exists()
