"""Every row of docs/failure-matrix.md names tests that prove it, and each of them is there."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
MATRIX = ROOT / "docs" / "failure-matrix.md"
COLUMNS = ["what fails", "when", "what happens", "what the user sees", "proven by"]
FEWEST_ROWS = 30


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows() -> list[list[str]]:
    """Return the rows of all tables that have the columns of the matrix."""
    found: list[list[str]] = []
    inside = False
    for line in MATRIX.read_text().splitlines():
        if not line.startswith("|"):
            inside = False
        elif cells_of(line) == COLUMNS:
            inside = True
        elif inside and not line.startswith("|---"):
            found.append(cells_of(line))
    return found


def named_in(row: list[str]) -> list[str]:
    return re.findall(r"`(tests/[^`]+)`", row[-1])


@cache
def collected_from(file: str) -> frozenset[str]:
    """Return the tests of a file by the names that pytest calls them; none where there is no such file."""
    path = ROOT / file
    return frozenset(names_of(ast.parse(path.read_text()).body)) if path.is_file() else frozenset()


def names_of(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from (f"{node.name}::{name}" for name in names_of(node.body))


def test_every_test_that_the_matrix_names_is_there() -> None:
    named = {name for row in rows() for name in named_in(row)}
    missing = []
    for name in sorted(named):
        file, _, test = name.partition("::")
        if test not in collected_from(file):
            missing.append(name)
    assert not missing


def test_no_row_is_without_a_cell_or_a_test() -> None:
    for row in rows():
        assert len(row) == len(COLUMNS), row
        assert all(row), row
        assert named_in(row), row
        assert row[-1] == "<br>".join(f"`{name}`" for name in named_in(row)), row


def test_no_failure_is_told_twice() -> None:
    told = [(row[0], row[1]) for row in rows()]
    assert len(told) == len(set(told)), sorted(pair for pair in set(told) if told.count(pair) > 1)


def test_the_matrix_has_enough_rows() -> None:
    assert len(rows()) >= FEWEST_ROWS
