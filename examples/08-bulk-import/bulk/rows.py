"""The rows of a file: read in pages, stored one by one, taken back one by one.

A line is a row: values with line breaks in them are more than this needs.
"""

import csv
import itertools
import os
import re
from typing import Any

from bulk import database

from reactor import Context, Failure

HEADER_LINES = 1
COUNTRIES = {"DE", "FR", "IT", "PT", "SE"}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
AMOUNT = re.compile(r"-?[0-9]{1,12}\.[0-9]{2}")


def page(path: str, cursor: int | None, limit: int) -> dict[str, Any]:
    """Return the next rows. The cursor is where in the file they begin, in bytes; null is the beginning."""
    with open(path, "rb") as file:
        if cursor is None:
            header = file.readline().decode(errors="replace").strip()
            if header != ",".join(database.COLUMNS):
                # Read again it would be the same: no second attempt.
                raise Failure(f"{path} begins with {header!r}, expected {','.join(database.COLUMNS)}", retryable=False)
        else:
            file.seek(cursor)
        rows = [line.decode(errors="replace").rstrip("\r\n") for line in itertools.islice(file, limit)]
        reached = file.tell()
        return {"items": rows, "next": reached if reached < os.fstat(file.fileno()).st_size else None}


def store(row: str, place: int, folder: str, context: Context) -> int:
    """Insert or update the customer of one row; its balance is the result."""
    customer = parse(row, place + 1 + HEADER_LINES)
    database.upsert(folder, context.idempotency_key, customer)
    return int(customer["balance"])


def take_back(folder: str, context: Context, **_: object) -> None:
    """Both undo and compensate: what was done is looked up, so it is right whether or not `store` came that far."""
    database.take_back(folder, context.forward_key)


def parse(row: str, line: int) -> dict[str, Any]:
    """Return the customer of a row. Raises Failure that says in which line what is wrong."""

    def wrong(what: str) -> Failure:
        return Failure(f"line {line}: {what}", retryable=False)

    values = next(csv.reader([row]), [])
    if len(values) != len(database.COLUMNS):
        raise wrong(f"found {len(values)} values, expected {len(database.COLUMNS)}")
    customer: dict[str, Any] = dict(zip(database.COLUMNS, values, strict=True))
    if not EMAIL.fullmatch(customer["email"]):
        raise wrong(f"'{customer['email']}' is no mail address")
    if customer["country"] not in COUNTRIES:
        raise wrong(f"'{customer['country']}' is no country we sell to")
    if not AMOUNT.fullmatch(customer["balance"]):
        raise wrong(f"'{customer['balance']}' is no amount")
    return {**customer, "balance": int(customer["balance"].replace(".", ""))}
