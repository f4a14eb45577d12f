"""Notifications in a Reactor: what is refused, and what the engine is told of them."""

from typing import Any

import pytest

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.notifications import EventName
from reactor_operator.api.planning import plan_of
from reactor_operator.engine.facts import FactKind
from reactor_operator.engine.plan import Backoff, Endpoint, NotificationPlan, RetryPolicy
from tests.unit.api.documents import check, found, sound, step

URL = "https://audit.example/events"


def one(name: str = "audit", events: Any = ("run.failed",), **http: Any) -> dict[str, Any]:
    return {"name": name, "events": list(events), "http": {"url": URL, **http}}


AT = "spec.notifications[0]"
BAD: list[tuple[str, Any, str, str]] = [
    ("no list", one(), "spec.notifications", "InvalidValue"),
    ("too many", [one(f"n{n}") for n in range(11)], "spec.notifications", "TooMany"),
    ("an unknown field", [{**one(), "eventz": 1}], f"{AT}.eventz", "UnknownField"),
    ("an unknown event", [one(events=["run.exploded"])], f"{AT}.events[0]", "InvalidValue"),
    ("no events", [one(events=[])], f"{AT}.events", "Required"),
    ("no place", [{"name": "a", "events": ["*"]}], f"{AT}.http", "Required"),
    ("two of one name", [one(), one()], "spec.notifications[1].name", "DuplicateName"),
    ("another scheme", [one(url="ftp://audit")], f"{AT}.http.url", "InvalidValue"),
    ("no host", [one(url="http:///events")], f"{AT}.http.url", "InvalidValue"),
    ("no port", [one(url="http://audit:port/")], f"{AT}.http.url", "InvalidValue"),
    ("a password in it", [one(url="http://me:secret@audit/")], f"{AT}.http.url", "InvalidValue"),
    ("a line end", [one(url="http://audit/\r\nX: y")], f"{AT}.http.url", "InvalidValue"),
    ("a fragment", [one(url="http://audit/#top")], f"{AT}.http.url", "InvalidValue"),
    ("an expression", [one(url={"expr": "inputs.url"})], f"{AT}.http.url", "InvalidValue"),
    ("a path as a key", [one(signingKey="../token")], f"{AT}.http.signingKey", "InvalidValue"),
    ("too long", [one(timeout="2m")], f"{AT}.http.timeout", "InvalidValue"),
    ("no time", [one(timeout="0s")], f"{AT}.http.timeout", "InvalidValue"),
    ("too often", [one(retries={"maxAttempts": 101})], f"{AT}.http.retries.maxAttempts", "InvalidValue"),
]


@pytest.mark.parametrize(("what", "written", "path", "reason"), BAD, ids=[what for what, *_ in BAD])
def test_what_is_wrong_is_told_with_its_place(what: str, written: Any, path: str, reason: str) -> None:
    assert (path, reason) in found(check(step("a"), notifications=written).problems)


def test_a_wrong_step_does_not_hide_a_wrong_notification() -> None:
    problems = check(step("a", undoo=1), notifications=[one(), one(url="nowhere"), 3]).problems
    places = {problem.path for problem in problems}
    assert {"spec.steps[0].undoo", "spec.notifications[1].http.url", "spec.notifications[2]"} <= places


def test_a_password_in_an_address_is_not_repeated() -> None:
    problems = check(step("a"), notifications=[one(url="http://me:hunter2@audit/")]).problems
    assert problems
    assert not any("hunter2" in problem.message for problem in problems)


def test_the_engine_is_told_what_to_tell_and_where() -> None:
    written = one(events=["run.failed", "step.failed"], signingKey="shop", timeout="3s", retries={"maxAttempts": 2})
    plan = plan_of(blueprint_of(sound(step("a"), notifications=[written])), pending_timeout_ms=0)
    endpoint = Endpoint(url=URL, key="shop", timeout_ms=3_000, retries=RetryPolicy(max_attempts=2))
    kinds = frozenset({FactKind.RUN_FAILED, FactKind.STEP_FAILED})
    assert plan.notifications == (NotificationPlan(name="audit", kinds=kinds, endpoint=endpoint),)


def test_what_is_not_said_is_eight_attempts_of_ten_seconds_unsigned() -> None:
    plan = plan_of(blueprint_of(sound(step("a"), notifications=[one(events=["*"])])), pending_timeout_ms=0)
    (notification,) = plan.notifications
    assert notification.kinds == frozenset(FactKind)
    retries = RetryPolicy(max_attempts=8, backoff=Backoff.EXPONENTIAL)
    assert notification.endpoint == Endpoint(url=URL, key="", timeout_ms=10_000, retries=retries)


def test_every_kind_of_fact_can_be_listed() -> None:
    assert {name.value for name in EventName} == {kind.value for kind in FactKind} | {"*"}
