"""The file that somebody sent. Here it is made up, the same each time, so that it need not lie beside the example."""

import os
from pathlib import Path
from typing import Any

from bulk import database

HEADER = "id,name,email,country,balance"
FIRST = ("Ada", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gina")
LAST = ("Archer", "Baker", "Cook", "Dyer", "Fisher", "Glover", "Hunter", "Mason", "Potter", "Smith", "Weaver")
COUNTRIES = ("DE", "FR", "IT", "PT", "SE")


def receive(folder: str, file: str, rows: int, bad_every: int) -> dict[str, Any]:
    """Have the file and the database; of `bad_every` rows one is no good."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    database.prepare(folder)
    path = Path(folder, f"{file}-{rows}-{bad_every}.csv")
    if not path.exists():
        parts = path.with_suffix(f".{os.getpid()}.part")  # never a half file under its name
        with parts.open("w", encoding="utf-8") as lines:
            print(HEADER, file=lines)
            for number in range(1, rows + 1):
                bad, rest = divmod(number, bad_every)
                print(line_of(file, number) if rest else bad_line(file, number, bad), file=lines)
        parts.rename(path)
    print(f"{path} has {path.stat().st_size:,} bytes")
    return {"path": str(path), "bytes": path.stat().st_size}


def line_of(file: str, number: int, **other: str) -> str:
    name = f"{FIRST[number % len(FIRST)]} {LAST[number % len(LAST)]}"
    customer = {
        "id": f"{file}-{number}",
        "name": name,
        "email": f"{name.replace(' ', '.').lower()}.{number}@example.com",
        "country": COUNTRIES[number % len(COUNTRIES)],
        "balance": f"{number * 7919 % 100_000 / 100:.2f}",
    }
    return ",".join({**customer, **other}.values())


def bad_line(file: str, number: int, kind: int) -> str:
    """Return a line with one of the things that go wrong with files."""
    faults = (
        line_of(file, number, email="nobody.example.com"),
        line_of(file, number, balance="twelve"),
        line_of(file, number, country="Atlantis"),
        f"{file}-{number},cut off in the mid",
    )
    return faults[kind % len(faults)]
