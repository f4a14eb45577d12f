"""Where tasks run: a pool has a name, and takes no containers."""

from typing import Any

import pytest

from reactor_operator.api.effective import effective
from reactor_operator.api.reactor import Placement
from tests.unit.api.documents import CONTAINER, PYTHON, check, found, sound, step
from tests.unit.api.maps import Document, inside, mapped, paged

POOL: dict[str, Any] = {"placement": "pool", "poolRef": {"name": "warm"}}
SECRET: Document = {"secretKeyRef": {"name": "s", "key": "k"}}
AT = "spec.steps[0]"
BAD: list[tuple[str, Document, Document, str, str]] = [
    ("no pool", step("a", placement="pool"), {}, f"{AT}.poolRef", "Required"),
    ("no pool in the defaults", step("a"), {"placement": "pool"}, f"{AT}.poolRef", "Required"),
    ("a container", step("a", run=CONTAINER, **POOL), {}, f"{AT}.run.container", "InvalidValue"),
    ("a container by default", step("a", run=CONTAINER), POOL, f"{AT}.run.container", "InvalidValue"),
    ("an undo by container", step("a", undo=CONTAINER, **POOL), {}, f"{AT}.undo.container", "InvalidValue"),
    ("a container inside", mapped("a", {"run": CONTAINER}, **POOL), {}, f"{AT}.map.run.container", "InvalidValue"),
    (
        "a container deeper",
        mapped("a", inside(step("b", run=CONTAINER))),
        POOL,
        f"{AT}.map.steps[0].run.container",
        "InvalidValue",
    ),
    (
        "a page by container",
        mapped("a", of=paged(run=CONTAINER), **POOL),
        {},
        f"{AT}.map.pages.run.container",
        "InvalidValue",
    ),
    ("another placement", step("a", placement="pods"), {}, f"{AT}.placement", "InvalidValue"),
    ("a pool by name alone", step("a", placement="pool", poolRef="warm"), {}, f"{AT}.poolRef", "InvalidValue"),
]


@pytest.mark.parametrize(("what", "written", "defaults", "path", "reason"), BAD, ids=[bad[0] for bad in BAD])
def test_what_is_wrong_is_named(what: str, written: Document, defaults: Document, path: str, reason: str) -> None:
    assert found(check(written, defaults=defaults).problems) == {(path, reason)}, what


@pytest.mark.parametrize(
    ("written", "defaults"),
    [
        (step("a", **POOL), {}),
        (step("a"), POOL),
        (step("a", placement="pool"), {"poolRef": {"name": "warm"}}),
        (step("a", poolRef={"name": "hot"}), POOL),
        (step("a", run=CONTAINER, placement="pod"), POOL),
        (step("a", arguments={"x": SECRET}, **POOL), {}),
        ({"name": "a", "transform": {"value": 1}}, {"placement": "pool"}),
        (mapped("a", inside(step("b", run=CONTAINER, placement="job"))), POOL),
        (step("a", run={"http": {"method": "GET", "url": {"value": "http://x"}}}, **POOL), {}),
    ],
)
def test_what_is_right_has_no_problem(written: Document, defaults: Document) -> None:
    assert check(written, defaults=defaults).problems == ()


def test_a_pool_that_nothing_is_placed_on_is_warned_of() -> None:
    warnings = check(step("a", poolRef={"name": "warm"}), defaults={"poolRef": {"name": "warm"}}).warnings
    assert found(warnings) == {("spec.steps[0].poolRef", "NoPool")}


def test_a_step_says_more_than_the_defaults() -> None:
    spec = sound(
        step("a"),
        step("b", placement="pod"),
        step("c", poolRef={"name": "hot"}),
        step("d", placement="job"),
        defaults=POOL,
    )
    chosen = [(one.placement, one.pool) for one in (effective(spec, written) for written in spec.steps)]
    assert chosen == [
        (Placement.POOL, "warm"),
        (Placement.POD, None),
        (Placement.POOL, "hot"),
        (Placement.JOB, None),
    ]
    assert effective(sound(step("a", run=PYTHON)), spec.steps[1]).pool is None
