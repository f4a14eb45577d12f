"""A pool as written: what it means when little is said, and what is wrong with it."""

from typing import Any

import pytest

from reactor_operator.api.pool import check_pool_spec


def problems_of(spec: object) -> list[str]:
    return [str(problem) for problem in check_pool_spec(spec).problems]


def test_an_empty_spec_is_one_worker_of_the_operators_image_with_two_processes() -> None:
    spec = check_pool_spec({}).spec
    assert spec is not None
    assert (spec.replicas, spec.image, spec.concurrency, spec.scales_itself) == (1, None, 2, False)


@pytest.mark.parametrize(
    ("bounds", "itself"),
    [({"minReplicas": 0}, False), ({"maxReplicas": 3}, False), ({"minReplicas": 0, "maxReplicas": 3}, True)],
)
def test_the_operator_scales_where_both_bounds_are_set(bounds: dict[str, int], itself: bool) -> None:
    spec = check_pool_spec({"replicas": 2, **bounds}).spec
    assert spec is not None
    assert spec.scales_itself is itself


def test_everything_that_may_be_said() -> None:
    spec: dict[str, Any] = {
        "image": "shop:1",
        "replicas": 0,
        "minReplicas": 1,
        "maxReplicas": 9,
        "concurrency": 64,
        "modules": {"configMapRef": {"name": "m"}},
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "envFrom": [{"configMapRef": {"name": "x"}}],
        "resources": {"limits": {"memory": "1Gi"}},
        "pod": {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeSelector": {"c": "d"}}},
        "secrets": [{"name": "shop", "key": "token"}],
        "configMaps": [{"name": "shop", "key": "mode"}],
    }
    assert problems_of(spec) == []


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"minReplicas": 3, "maxReplicas": 2}, "spec.minReplicas: found 3, expected at most maxReplicas (2)"),
        ({"concurrency": 0}, "spec.concurrency: found 0, expected at least 1"),
        ({"concurrency": 65}, "spec.concurrency: found 65, expected at most 64"),
        ({"maxReplicas": 0}, "spec.maxReplicas: found 0, expected at least 1"),
        ({"replica": 2}, "spec.replica: unknown field 'replica': did you mean replicas?"),
        ({"secrets": [{"name": "a"}]}, "spec.secrets[0].key: found none, expected a value: the field is required"),
        (
            {"secrets": [{"name": "a", "key": "b"}, {"name": "a", "key": "b"}]},
            "spec.secrets[1]: found a/b again, expected it once",
        ),
        ({"env": [{"name": "A", "argument": "b"}]}, "spec.env[0].argument: unknown field 'argument': "),
    ],
)
def test_what_is_wrong_is_named_with_its_path(spec: dict[str, Any], told: str) -> None:
    (problem,) = problems_of(spec)
    assert problem.startswith(told)


@pytest.mark.parametrize("spec", [None, 3, "x", [], {"env": 3}, {"pod": {"spec": [1]}}])
def test_any_json_is_judged(spec: object) -> None:
    assert problems_of(spec)
