"""What people and programs read: one table on the terminal, one JSON file.

In: the outcomes by row. Out: text. Never here: a measurement, or a judgement that ends the process.
"""

import json
from collections.abc import Mapping, Sequence

from tests.benchmarks.rows import ROWS, Measured, NotMeasured, Outcome, Row, verdict

_HEADINGS = ("row", "measured", "spread", "must reach", "aim", "verdict")


def render_table(outcomes: Mapping[str, Outcome]) -> str:
    """Return the table of the rows that were asked for."""
    lines = [_HEADINGS, *(_cells(row, outcomes[row.name]) for row in ROWS if row.name in outcomes)]
    return _aligned(lines) + "".join(
        f"\n{row.name}: {outcome.reason}" for row in ROWS if isinstance(outcome := outcomes.get(row.name), NotMeasured)
    )


def render_document(
    outcomes: Mapping[str, Outcome], machine: Mapping[str, object], settings: Mapping[str, object]
) -> str:
    """Return everything that is known of the run of the benchmarks, as JSON."""
    rows = [_described(row, outcomes[row.name]) for row in ROWS if row.name in outcomes]
    return json.dumps({"machine": machine, "settings": settings, "rows": rows}, indent=2, ensure_ascii=False) + "\n"


def _cells(row: Row, outcome: Outcome) -> tuple[str, ...]:
    measured, spread = "—", ""
    if isinstance(outcome, Measured):
        measured = _figure(outcome.value, row.unit)
        spread = "" if outcome.spread is None else "–".join(_figure(edge, "") for edge in outcome.spread)
    aim = "" if row.aim is None else _figure(row.aim, row.unit)
    sign = "≥" if row.more else "≤"
    return row.title, measured, spread, f"{sign} {_figure(row.must, row.unit)}", aim, verdict(row, outcome)


def _figure(value: float, unit: str) -> str:
    digits = 3 if value < 1 else 2 if value < 10 else 1
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return f"{text} {unit}" if unit else text


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([padded[0], "─" * sum(widths, 2 * (len(widths) - 1)), *padded[1:]])


def _described(row: Row, outcome: Outcome) -> dict[str, object]:
    judged: dict[str, object] = {
        "row": row.name,
        "title": row.title,
        "unit": row.unit or "ratio",
        "better": "more" if row.more else "less",
        "mustReach": row.must,
        "aim": row.aim,
        "verdict": verdict(row, outcome),
    }
    if isinstance(outcome, NotMeasured):
        return judged | {"reason": outcome.reason}
    return judged | {
        "measured": outcome.value,
        "spread": outcome.spread,
        "arms": {name: samples.as_json() for name, samples in outcome.arms.items()},
        "details": dict(outcome.details),
    }
