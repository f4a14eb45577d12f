"""The form http of an action: what may be written, and what its sources make the step wait for."""

from typing import Any

import pytest

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.planning import plan_of
from tests.unit.api.documents import PYTHON, check, found, sound, step

URL = {"value": "http://shop/orders"}
SECRET = {"secretKeyRef": {"name": "shop", "key": "token"}}


def http(method: str = "POST", url: object = URL, **fields: Any) -> dict[str, Any]:
    return {"http": {"method": method, "url": url, **fields}}


def requests(**fields: Any) -> dict[str, Any]:
    return step("a", run=http(**fields))


def test_a_request_stands_in_run_compensate_and_undo() -> None:
    spec = sound(step("a", run=http(), compensate=http("DELETE"), undo=http("DELETE")))
    assert spec.steps[0].undo is not None
    assert spec.steps[0].undo.http is not None
    assert spec.steps[0].undo.http.method == "DELETE"


def test_all_that_may_be_said() -> None:
    headers = {"Authorization": SECRET, "X-Mode": {"configMapKeyRef": {"name": "c", "key": "k"}}, "A": {"value": 7}}
    body = {"expr": "args"}
    written = requests(headers=headers, body=body, successCodes=[200, 404], resultPath="items[0].id")
    assert check(written).problems == ()


def test_it_stands_in_the_bodies_of_a_compose_and_a_switch() -> None:
    switch = {"cases": [{"when": "true", "run": http(url={"expr": "'http://' + results.b.host"})}]}
    spec = sound(step("b"), {"name": "a", "switch": switch}, {"name": "c", "compose": {"run": http()}})
    plan = plan_of(blueprint_of(spec), pending_timeout_ms=0)
    assert plan.steps["a"].needs == ("b",)
    assert plan.steps["a[0]"].run.has_request
    assert plan.steps["c"].run.has_request


@pytest.mark.parametrize("action", ["run", "compensate", "undo"])
@pytest.mark.parametrize("place", ["url", "body", "headers"])
def test_a_step_waits_for_what_its_requests_read(action: str, place: str) -> None:
    source = {"expr": "results.before.id"} if place != "body" else {"result": "before"}
    fields: dict[str, Any] = {"url": URL, place: {"X-Id": source} if place == "headers" else source}
    spec = sound(step("before"), step("a", **{action: http(**fields)}))
    assert plan_of(blueprint_of(spec), pending_timeout_ms=0).steps["a"].needs == ("before",)


def test_the_engine_is_told_which_actions_are_requests_and_that_they_check_in() -> None:
    spec = sound(step("a", run=http(), undo=PYTHON, compensate={"container": {"image": "c:1"}}))
    planned = plan_of(blueprint_of(spec), pending_timeout_ms=0).steps["a"]
    assert planned.undo is not None
    assert planned.compensate is not None
    assert [one.has_request for one in (planned.run, planned.undo, planned.compensate)] == [True, False, False]
    assert [one.checks_in for one in (planned.run, planned.undo, planned.compensate)] == [True, True, False]


@pytest.mark.parametrize(
    ("action", "name", "may"),
    [
        ("run", "args", True),
        ("run", "result", False),
        ("run", "failure", False),
        ("undo", "args", True),
        ("undo", "result", True),
        ("undo", "failure", False),
        ("compensate", "args", True),
        ("compensate", "result", False),
        ("compensate", "failure", True),
    ],
)
def test_what_an_expression_may_read_is_told_by_its_action(action: str, name: str, may: bool) -> None:
    problems = check(step("a", **{action: http(body={"expr": f"{name}.id"})})).problems
    assert found(problems) == (set() if may else {(f"spec.steps[0].{action}.http.body.expr", "InvalidExpression")})


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({"url": {"value": "shop/orders"}}, "url.value", "InvalidValue"),
        ({"url": {"value": "ftp://shop"}}, "url.value", "InvalidValue"),
        ({"url": {"value": "http://"}}, "url.value", "InvalidValue"),
        ({"url": {"value": 7}}, "url.value", "InvalidValue"),
        ({"url": {"value": "http://shop/a b"}}, "url.value", "InvalidValue"),
        ({"url": {"value": "http://shop/a\nb"}}, "url.value", "InvalidValue"),
        ({"url": SECRET}, "url", "InvalidValue"),
        ({"url": "http://shop"}, "url", "InvalidValue"),
        ({"url": {"expr": "args."}}, "url.expr", "InvalidExpression"),
        ({"url": {"input": "a["}}, "url.input", "InvalidPath"),
        ({"url": {"expr": "results.nobody.id"}}, "url.expr", "UnknownReference"),
        ({"url": {"result": "a"}}, "url.result", "SelfReference"),
        ({"body": SECRET}, "body", "InvalidValue"),
        ({"method": "BREW"}, "method", "InvalidValue"),
        ({"method": "post"}, "method", "InvalidValue"),
        ({"headers": {"Idempotency-Key": {"value": "a"}}}, "headers.Idempotency-Key", "ReservedName"),
        ({"headers": {"content-length": {"value": "1"}}}, "headers.content-length", "ReservedName"),
        ({"headers": {"Transfer-Encoding": SECRET}}, "headers.Transfer-Encoding", "ReservedName"),
        ({"headers": {"X-A": {"value": "1"}, "x-a": {"value": "2"}}}, "headers.x-a", "DuplicateName"),
        ({"headers": {"X-A": {"value": "a\r\nX-B: 1"}}}, "headers.X-A.value", "InvalidValue"),
        ({"headers": {"X-A": {"value": [1]}}}, "headers.X-A.value", "InvalidValue"),
        ({"successCodes": []}, "successCodes", "Required"),
        ({"successCodes": [99]}, "successCodes[0]", "InvalidValue"),
        ({"resultPath": "a..b"}, "resultPath", "InvalidPath"),
        ({"followRedirects": True}, "followRedirects", "UnknownField"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(fields: dict[str, Any], path: str, reason: str) -> None:
    assert (f"spec.steps[0].run.http.{path}", reason) in found(check(requests(**fields)).problems)


def test_a_header_whose_name_is_none_is_refused() -> None:
    assert check(requests(headers={"X A": {"value": "1"}})).spec is None
    assert check(requests(headers={"X-A\r\nX-B": {"value": "1"}})).spec is None


def test_method_and_url_are_required() -> None:
    assert found(check(step("a", run={"http": {}})).problems) >= {
        ("spec.steps[0].run.http.method", "Required"),
        ("spec.steps[0].run.http.url", "Required"),
    }


def test_exit_codes_mean_nothing_beside_a_request() -> None:
    problems = check(step("a", run={**http(), "exitCodes": {"skip": [4]}})).problems
    assert found(problems) == {("spec.steps[0].run.exitCodes", "InvalidValue")}
    assert "successCodes" in problems[0].message


def test_a_null_that_kubectl_would_drop_is_warned_of() -> None:
    warnings = check(step("a", run=http(body={"value": None}))).warnings
    assert found(warnings) == {("spec.steps[0].run.http.body.value", "NullDropped")}


def test_retry_on_may_name_the_kind() -> None:
    assert check(step("a", run=http(), retryOn=["Http", "Timeout"])).problems == ()
