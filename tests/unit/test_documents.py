"""The Markdown files: links lead to files and headings that are there, and lines of prose are within 128 columns."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLUMNS = 128
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(file for folder in ("docs", "examples", "charts", "tests") for file in ROOT.joinpath(folder).rglob("*.md")),
]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose_of(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a document that are not in a block of code, by number."""
    inside = False
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading as GitHub makes it: of `Looking at runs` it is `looking-at-runs`."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@cache
def anchors_of(file: Path) -> frozenset[str]:
    """Return the anchors of all headings of a document; of one that is there twice the second ends in `-1`."""
    found: list[str] = []
    for _, line in prose_of(file):
        if heading := re.match(r"#+ (.*)", line):
            found.append(anchor_of(heading[1]))
    return frozenset(
        anchor + (f"-{found[:place].count(anchor)}" if anchor in found[:place] else "")
        for place, anchor in enumerate(found)
    )


def faults_of(file: Path) -> Iterator[str]:
    """Yield each link of a document that leads nowhere, with its line."""
    for number, line in prose_of(file):
        for link in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            there = (file.parent / target).resolve() if target else file
            if not there.exists():
                yield f"{number}: {link}: no such file"
            elif anchor and anchor not in anchors_of(there):
                yield f"{number}: {link}: no such heading, found {', '.join(sorted(anchors_of(there)))}"


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_are_there(file: Path) -> None:
    assert list(faults_of(file)) == []


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_lines_of_prose_are_within_128_columns(file: Path) -> None:
    wide = [number for number, line in prose_of(file) if len(line) > COLUMNS and not line.startswith("|")]
    assert wide == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    file = tmp_path / "one.md"
    file.write_text(
        "# Two words: `code`\n## Again\n## Again\n[a](#two-words-code) [b](#again-1) [c](https://x.example/#y)\n"
        "[d](#nowhere)\n[e](two.md)\n`[f](three.md)`\n```\n[g](four.md)\n```\n"
    )
    assert [fault.split(",")[0] for fault in faults_of(file)] == [
        "5: #nowhere: no such heading",
        "6: two.md: no such file",
    ]
