"""docs/metrics.md tells of every series what it is, and of every alert what to do."""

import re
from pathlib import Path

from reactor_operator.metering.reactors import MOST
from tests.unit.metering.series import Series, every_series, of_gateway, of_operator
from tests.unit.test_chart_metrics import RULES

DOCUMENT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
SECTIONS = dict(re.findall(r"^### (.*)\n((?:(?!^##).*\n?)*)", DOCUMENT, flags=re.MULTILINE))


def rows(text: str, first: str) -> list[list[str]]:
    """Return the rows of tables whose first cell begins so."""
    lines = [line for line in text.splitlines() if line.startswith(f"| `{first}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def documented(text: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = {}
    for row in rows(text, "reactor_"):
        name, kind, labels, meaning = row
        assert meaning
        assert name.strip("`") not in found
        found[name.strip("`")] = (kind, tuple(re.findall(r"`(\w+)`", labels)))
    return found


def told(series: dict[str, Series]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {name: (one.type, one.labels) for name, one in series.items()}


def test_the_tables_have_every_series_with_its_type_and_labels_and_no_other() -> None:
    assert documented(DOCUMENT) == told(every_series())


def test_each_series_is_in_a_section_of_who_has_it() -> None:
    gateway = {name for title, text in SECTIONS.items() if "gateway" in title for name in documented(text)}
    operator = {name for title, text in SECTIONS.items() if "operator" in title for name in documented(text)}
    assert (operator, gateway) == (set(of_operator()), set(of_gateway()))


def test_every_alert_is_there_with_its_severity_and_what_to_do() -> None:
    found = {row[0].strip("`"): row[1] for row in rows(DOCUMENT, "Reactor")}
    assert found == {rule["alert"]: rule["labels"]["severity"] for rule in RULES}
    assert all(len(row) == 4 and all(row) for row in rows(DOCUMENT, "Reactor"))


def test_the_cap_is_told() -> None:
    assert f"The first **{MOST}** reactors" in DOCUMENT
