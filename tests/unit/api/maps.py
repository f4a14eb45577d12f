"""Steps with maps that tests build on, and one with everything in it."""

from collections.abc import Mapping
from typing import Any

from reactor_operator.api.blueprint import Blueprint, blueprint_of
from reactor_operator.api.planning import plan_of
from reactor_operator.engine.plan import Plan
from tests.unit.api.documents import PYTHON, sound, step

Document = Mapping[str, Any]
ROWS: Document = {"source": {"input": "rows"}}


def mapped(
    name: str = "rows", body: Document | None = None, /, *, of: Document | None = None, **fields: Any
) -> dict[str, Any]:
    """A step with a map: what `body` says beside its source, a task unless it says what else."""
    written = {**ROWS, "run": PYTHON} if body is None else {**ROWS, **body}
    if of is not None:
        del written["source"]
        written |= of
    return {"name": name, "map": written, **fields}


def inside(*steps: Document, **fields: Any) -> dict[str, Any]:
    return {"steps": list(steps), **fields}


def paged(**pages: Any) -> dict[str, Any]:
    return {"pages": {"run": PYTHON, **pages}}


NESTED = mapped(
    "rows",
    {
        **inside(
            step("store", arguments={"x": {"element": "rows"}}, undo=PYTHON),
            mapped(
                "lines",
                {"run": PYTHON},
                of={"source": {"element": "rows", "path": "lines"}},
                arguments={"x": {"expr": "element"}, "y": {"element": "rows"}, "z": {"result": "store"}},
            ),
            {"name": "route", "switch": {"cases": [{"when": "element.x", **inside(step("deep", when="index > 0"))}]}},
        ),
        "collect": {"run": PYTHON},
    },
    of=paged(arguments={"d": {"result": "before"}}),
    arguments={"row": {"element": "rows"}},
    compensate=PYTHON,
    retries={"maxAttempts": 3},
    when="inputs.go",
    waitFor=["before"],
    onError={"action": "Continue"},
)


def laid_out(*steps: Document, **fields: Any) -> Blueprint:
    return blueprint_of(sound(*steps, **fields))


def plan(*steps: Document, **fields: Any) -> Plan:
    return plan_of(laid_out(*steps, **fields), pending_timeout_ms=600_000)
