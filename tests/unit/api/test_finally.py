"""Steps that run at every end: what is refused, and where they are laid out."""

from typing import Any

import pytest

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.planning import plan_of
from reactor_operator.api.reactor import MAX_FINALS
from reactor_operator.engine.plan import FINALLY
from tests.unit.api.documents import PYTHON, check, found, sound, step

SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}

BAD: list[tuple[str, Any, str, str]] = [
    ("no list", {"name": "tell"}, "spec.finally", "InvalidValue"),
    ("too many", [step(f"t{n}") for n in range(MAX_FINALS + 1)], "spec.finally", "TooMany"),
    ("no step", [1], "spec.finally[0]", "InvalidValue"),
    ("an unknown field", [step("tell", undoo=1)], "spec.finally[0].undoo", "UnknownField"),
    ("an undo", [step("tell", undo=PYTHON)], "spec.finally[0].undo", "InvalidValue"),
    ("a compensate", [step("tell", compensate=PYTHON)], "spec.finally[0].compensate", "InvalidValue"),
    ("onError", [step("tell", onError={"action": "Continue"})], "spec.finally[0].onError", "InvalidValue"),
    ("a compose", [{"name": "tell", "compose": {"steps": [step("b")]}}], "spec.finally[0].compose", "InvalidValue"),
    ("two of one name", [step("tell"), step("tell")], "spec.finally[1].name", "DuplicateName"),
    ("the name of a step", [step("main")], "spec.finally[0].name", "DuplicateName"),
    ("a cycle", [step("b", waitFor=["c"]), step("c", waitFor=["b"])], "spec.finally[0]", "Cycle"),
    ("an unknown step", [step("tell", waitFor=["nobody"])], "spec.finally[0].waitFor[0]", "UnknownReference"),
    ("a bad condition", [step("tell", when="1 +")], "spec.finally[0].when", "InvalidExpression"),
    ("a secret as a value", [{"name": "tell", "transform": SECRET}], "spec.finally[0].transform", "InvalidValue"),
]


@pytest.mark.parametrize(("what", "finals", "path", "reason"), BAD, ids=[what for what, *_ in BAD])
def test_what_is_wrong_is_named_by_field_and_reason(what: str, finals: Any, path: str, reason: str) -> None:
    assert (path, reason) in found(check(step("main"), **{"finally": finals}).problems)


def test_a_step_of_the_run_may_not_read_what_runs_after_it() -> None:
    reader = step("main", arguments={"x": {"result": "tell"}})
    written = check(reader, **{"finally": [step("tell")]})
    assert found(written.problems) == {("spec.steps[0].arguments.x.result", "UnknownReference")}


REQUEST = {"http": {"method": "GET", "url": {"value": "http://x"}}}


@pytest.mark.parametrize(
    ("final", "defaults", "warned"),
    [
        (step("tell"), {}, True),
        (step("tell", timeout="1m"), {}, False),
        (step("tell"), {"timeout": "1m"}, False),
        ({"name": "tell", "run": REQUEST}, {}, False),
        ({"name": "tell", "transform": {"value": 1}}, {}, False),
    ],
)
def test_one_that_nothing_would_end_deserves_a_second_look(final: Any, defaults: Any, warned: bool) -> None:
    checked = check(step("main"), defaults=defaults, **{"finally": [final]})
    assert not checked.problems
    assert found(checked.warnings) == ({("spec.finally[0]", "NoTimeout")} if warned else set())


def test_they_see_all_results_and_wait_for_each_other_alone() -> None:
    tell = step("tell", arguments={"m": {"result": "main"}, "why": {"expr": "run.failure"}})
    spec = sound(step("main"), **{"finally": [tell, step("log", waitFor=["tell"])]})
    plan = plan_of(blueprint_of(spec), pending_timeout_ms=0)
    assert (plan.children, plan.finals) == (("main",), ("tell", "log"))
    assert {path: one.needs for path, one in plan.steps.items()} == {"main": (), "tell": (), "log": ("tell",)}
    assert {one.scope for path, one in plan.steps.items() if path in plan.finals} == {FINALLY}
