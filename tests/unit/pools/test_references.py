"""What a task may ask for on a pool: the keys that the pool declares, no other."""

from typing import Any

import pytest

from reactor_operator.api.pool import PoolSpec
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.pools.references import refuse_on_pool
from tests.unit.tasks.orders import order, python

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
