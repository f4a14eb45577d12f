"""The request as its task is told of it: exactly what the sources say, with Secrets by reference."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.api.http import HttpAction
from reactor_operator.engine.identity import Action
from reactor_operator.reconciling.requests import evaluated_sources, render_request

URL = {"expr": "args.url"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


def action(**fields: Any) -> HttpAction:
    return HttpAction.model_validate({"method": "POST", "url": URL, **fields})


def rendered(http: HttpAction, timeout_ms: int | None = None, **values: Any) -> Any:
    found = {"run.http.url": "http://shop/", **{f"run.http.{name}": value for name, value in values.items()}}
    return render_request(http, Action.RUN, found, timeout_ms)


def test_a_request_says_all_that_the_runtime_needs() -> None:
    assert rendered(action(), 3_000) == {
        "method": "POST",
        "url": "http://shop/",
        "headers": [],
        "references": {},
        "timeoutMs": 3_000,
        "successCodes": None,
        "resultPath": None,
    }


def test_codes_and_the_keys_of_the_path_are_told() -> None:
    told = rendered(action(successCodes=[201, 404], resultPath="items[0].id"))
    assert told["successCodes"] == [201, 404]
    assert told["resultPath"] == ["items", 0, "id"]


@pytest.mark.parametrize(
    ("value", "body", "type_"),
    [
        ("text", "text", "text/plain; charset=utf-8"),
        ("", "", "text/plain; charset=utf-8"),
        ('{"a": 1}', '{"a": 1}', "text/plain; charset=utf-8"),
        ({"b": 1, "a": [None, 1.5, "é"]}, '{"b":1,"a":[null,1.5,"é"]}', "application/json"),
        (None, "null", "application/json"),
        (7, "7", "application/json"),
    ],
)
def test_text_is_sent_as_it_is_and_anything_else_as_json(value: object, body: str, type_: str) -> None:
    told = rendered(action(body={"expr": "args"}), body=value)
    assert (told["body"], told["bodyType"]) == (body, type_)


@given(JSON)
def test_a_body_of_any_json_is_sent_without_loss(value: Any) -> None:
    body = rendered(action(body={"expr": "args"}), body=value)["body"]
    assert (body if isinstance(value, str) else json.loads(body)) == value


def test_a_body_that_is_too_deep_is_refused() -> None:
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    assert "run.http.body: found JSON that is nested too deeply" in rendered(action(body={"expr": "args"}), body=deep)


def test_headers_are_text_in_the_order_in_which_they_are_written_and_null_is_none() -> None:
    http = action(headers={name: {"expr": "args"} for name in ("X-B", "X-A", "X-N", "X-T", "X-None")})
    values = {"X-B": " b ", "X-A": "", "X-N": 7, "X-T": True, "X-None": None}
    told = rendered(http, None, **{f"headers.{name}": value for name, value in values.items()})
    assert told["headers"] == [("X-B", " b "), ("X-A", ""), ("X-N", "7"), ("X-T", "true")]


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_header_that_is_no_text_is_refused(value: object) -> None:
    assert "run.http.headers.X-A: found" in rendered(action(headers={"X-A": URL}), None, **{"headers.X-A": value})


@pytest.mark.parametrize("value", [None, 7, ["http://shop/"]])
def test_an_address_that_is_no_text_is_refused(value: object) -> None:
    assert "run.http.url: found" in rendered(action(), url=value)


def test_a_header_of_a_secret_is_not_evaluated_and_names_its_variable() -> None:
    secret = {"secretKeyRef": {"name": "shop", "key": "token"}}
    config = {"configMapKeyRef": {"name": "shop", "key": "mode"}}
    http = action(headers={"X-Mode": config, "Authorization": secret, "X-A": {"value": "1"}})
    assert set(evaluated_sources(http, Action.UNDO)) == {"undo.http.url", "undo.http.headers.X-A"}
    told = rendered(http, None, **{"headers.X-A": "1"})
    assert told["headers"] == [("X-A", "1")]
    assert told["references"] == {"Authorization": "REACTOR_HEADER_0", "X-Mode": "REACTOR_HEADER_1"}
