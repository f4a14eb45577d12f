"""What a task may ask for on a pool: the keys that the pool declares, no other."""

import json
from typing import Any

import pytest

from reactor_operator.api.pool import PoolSpec
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.api.sources import KeyRef
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.pools.references import pool_variable, refuse_on_pool
from reactor_operator.ports import RunRef
from reactor_operator.tasks.pools import pool_step
from tests.unit.tasks.orders import UID, order, python

POOL = "shop/resize"
SECRET = {"secretKeyRef": {"name": "bank", "key": "token"}}
CONFIG = {"configMapKeyRef": {"name": "modes", "key": "mode"}}


def refused(step: dict[str, Any], pool: dict[str, Any] | None = None, **changes: Any) -> str:
    asked = order(step, **changes)
    action = asked.step.action(asked.task.action)
    assert action is not None
    failure = refuse_on_pool(asked.task.path, asked.step, action, POOL, PoolSpec.model_validate(pool or {}))
    if failure is None:
        return ""
    assert failure.kind is FailureKind.CANNOT_START
    return failure.message


def test_a_task_without_references_starts() -> None:
    assert refused(python(arguments={"a": {"value": 1}, "b": {"input": "x"}})) == ""


def test_a_secret_that_the_pool_does_not_declare_is_refused_and_told_how_to_declare() -> None:
    assert refused(python(arguments={"token": SECRET})) == (
        "step 'work': its argument 'token' is key 'token' of Secret 'bank', which ReactorPool shop/resize does "
        "not declare; add {name: bank, key: token} to spec.secrets of the pool"
    )


@pytest.mark.parametrize("other", [{"name": "bank", "key": "other"}, {"name": "other", "key": "token"}])
def test_name_and_key_are_both_meant(other: dict[str, str]) -> None:
    assert "'token' of Secret 'bank'" in refused(python(arguments={"token": SECRET}), {"secrets": [other]})


def test_what_is_declared_starts() -> None:
    arguments = {"token": SECRET, "mode": CONFIG}
    pool = {"secrets": [SECRET["secretKeyRef"]], "configMaps": [CONFIG["configMapKeyRef"]]}
    assert refused(python(arguments=arguments), pool) == ""


def test_config_maps_and_secrets_are_declared_apart_and_all_that_is_missing_is_told() -> None:
    arguments = {"token": SECRET, "mode": CONFIG}
    told = refused(python(arguments=arguments), {"secrets": [CONFIG["configMapKeyRef"]]})
    assert "add {name: bank, key: token} to spec.secrets" in told
    assert "add {name: modes, key: mode} to spec.configMaps" in told


def test_of_a_request_its_headers_count_and_not_its_arguments() -> None:
    request = {"method": "POST", "url": {"value": "http://bank/"}, "headers": {"Authorization": SECRET}}
    step = {"arguments": {"mode": CONFIG}, "run": {"http": request}}
    assert refused(step).startswith("step 'work': its header 'Authorization' is key 'token' of Secret 'bank'")
    assert refused(step, {"secrets": [SECRET["secretKeyRef"]]}) == ""


def test_the_undo_of_a_step_is_judged_as_its_run() -> None:
    step = python(arguments={"token": SECRET}, undo={"python": {"handler": "shop:undo"}})
    assert refused(step, action=Action.UNDO, task=Task("work", Action.UNDO, 1, 1, 1))


def told(step: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """Return what a worker is told of the step."""
    spec = ReactorSpec.model_validate(
        {
            "defaults": {"placement": "pool", "poolRef": {"name": "resize"}, **defaults},
            "steps": [{"name": "work", **step}],
        }
    )
    action = spec.steps[0].run
    assert action is not None
    document: dict[str, Any] = json.loads(
        pool_step(RunRef("shop", "order-1", UID), "order-1", spec, spec.steps[0], action)
    )
    return document


def variable(kind: str, source: dict[str, Any]) -> str:
    (key,) = source.values()
    return pool_variable(kind, KeyRef.model_validate(key))


def test_a_worker_is_told_in_which_of_its_variables_it_finds_what_a_task_has_in_its_own() -> None:
    arguments = {"token": SECRET, "mode": CONFIG, "amount": {"value": 1}}
    document = told(python(arguments=arguments), env=[{"name": "T", "argument": "token"}, {"name": "A", "value": "1"}])
    found = {one["name"]: one["variable"] for one in document["references"]}
    assert found == {
        "REACTOR_SECRET_TOKEN": variable("Secret", SECRET),
        "REACTOR_SECRET_MODE": variable("ConfigMap", CONFIG),
        "T": variable("Secret", SECRET),
    }
    named = json.loads(document["variables"]["REACTOR_SECRET_ARGUMENTS"])
    assert set(named.values()) == {"REACTOR_SECRET_TOKEN", "REACTOR_SECRET_MODE"}
    assert document["env"] == [{"name": "A", "value": "1"}]


def test_headers_of_a_request_are_found_so_too() -> None:
    request = {"method": "POST", "url": {"value": "http://bank/"}, "headers": {"Authorization": SECRET}}
    document = told({"run": {"http": request}})
    (one,) = document["references"]
    assert (one["name"], one["variable"]) == ("REACTOR_HEADER_0", variable("Secret", SECRET))


def test_a_worker_without_the_variable_refuses_in_the_words_of_the_operator() -> None:
    (one,) = told(python(arguments={"token": SECRET}))["references"]
    assert refused(python(arguments={"token": SECRET})) == f"step 'work': {one['refused']}"


def test_a_step_without_references_is_told_of_none() -> None:
    assert "references" not in told(python(arguments={"amount": {"value": 1}}))
