"""The Deployment of a pool: what is always so, and what its author may change."""

from typing import Any

import pytest

from reactor_operator.api.sources import KeyRef
from reactor_operator.gateway.tokens import verify
from reactor_operator.kube.fields import map_at
from reactor_operator.pools.manifest import deployment_name, pod_selector, render_deployment
from reactor_operator.pools.references import pool_variable
from reactor_operator.tasks.manifest import SELECTOR as TASKS
from tests.unit.pools.made import UID, Json, deployment, pool
from tests.unit.tasks.orders import KEY, SETTINGS, env_of


def worker_of(manifest: Json) -> Json:
    return next(one for one in manifest["spec"]["template"]["spec"]["containers"] if one["name"] == "worker")


def test_a_deployment_is_owned_by_its_pool_and_goes_with_it() -> None:
    metadata = deployment()["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("reactor-pool-resize", "shop")
    assert metadata["ownerReferences"] == [
        {"apiVersion": "reactor.run/v1alpha1", "kind": "ReactorPool", "name": "resize", "uid": UID, "controller": True}
    ]


def test_workers_are_restricted_by_construction_as_tasks_are() -> None:
    spec = deployment()["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (worker,) = spec["containers"]
    assert worker["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert worker["resources"]["requests"]
    assert worker["resources"]["limits"]
    assert {"name": "reactor-tmp", "mountPath": "/tmp"} in worker["volumeMounts"]


def test_a_worker_knows_the_gateway_its_pool_and_how_many_processes_it_has() -> None:
    worker = worker_of(deployment({"concurrency": 7}))
    told = env_of(worker)
    assert worker["command"] == ["python3", "-P", "-m", "reactor", "pool"]
    assert told["REACTOR_GATEWAY"] == "http://gateway:8080"
    assert told["REACTOR_POOL"] == "shop/resize"
    assert told["REACTOR_POOL_CONCURRENCY"] == "7"
    assert verify(KEY, "pool/shop/resize", told["REACTOR_POOL_TOKEN"])


def test_a_worker_is_given_time_to_end_what_it_does() -> None:
    assert deployment()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 60
    slow = {"pod": {"spec": {"terminationGracePeriodSeconds": 600}}}
    assert deployment(slow)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 600


def test_the_watch_of_tasks_does_not_meet_workers() -> None:
    name, _, value = TASKS.partition("=")
    theirs = {"pod": {"metadata": {"labels": {name: value, "team": "x", "reactor.run/pool": "forged"}}}}
    labels = deployment(theirs)["spec"]["template"]["metadata"]["labels"]
    assert labels[name] != value
    assert labels["team"] == "x"
    assert labels["reactor.run/pool"] == "resize"


def test_pods_are_selected_by_the_pool_and_its_uid() -> None:
    manifest = deployment()
    selected = manifest["spec"]["selector"]["matchLabels"]
    assert selected == {"reactor.run/pool": "resize", "reactor.run/pool-uid": UID}
    assert selected.items() <= manifest["spec"]["template"]["metadata"]["labels"].items()
    assert pod_selector(pool()) == f"reactor.run/pool=resize,reactor.run/pool-uid={UID}"


def test_the_image_is_ours_unless_the_pool_names_one() -> None:
    ours, theirs = worker_of(deployment()), worker_of(deployment({"image": "shop:2"}))
    assert (ours["image"], ours["imagePullPolicy"]) == ("reactor-runtime:1", "IfNotPresent")
    assert theirs["image"] == "shop:2"
    assert "imagePullPolicy" not in theirs


def test_modules_are_mounted_from_their_config_map() -> None:
    manifest = deployment({"modules": {"configMapRef": {"name": "mods"}}})
    assert {"name": "reactor-modules", "configMap": {"name": "mods"}} in manifest["spec"]["template"]["spec"]["volumes"]
    assert env_of(worker_of(manifest))["REACTOR_MODULES"] == "/reactor/modules"


def test_declared_keys_reach_the_workers_by_reference_in_variables_that_never_coincide() -> None:
    keys = [{"name": "shop", "key": "token"}, {"name": "a-b", "key": "c"}, {"name": "a.b", "key": "c"}]
    told = env_of(worker_of(deployment({"secrets": keys, "configMaps": keys})))
    by_reference = [found for found in told.values() if isinstance(found, dict)]
    assert by_reference == [{"secretKeyRef": key} for key in keys] + [{"configMapKeyRef": key} for key in keys]
    secret = KeyRef.model_validate(keys[0])
    assert told[pool_variable("Secret", secret)] == {"secretKeyRef": keys[0]}
    assert told[pool_variable("ConfigMap", secret)] == {"configMapKeyRef": keys[0]}


def test_variables_of_the_author_stand_beside_ours_and_never_replace_them() -> None:
    env = [
        {"name": "A", "value": "first"},
        {"name": "REACTOR_POOL_TOKEN", "value": "forged"},
        {"name": "A", "value": "$(B)"},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "EMPTY"},
    ]
    worker = worker_of(deployment({"env": env, "envFrom": [{"configMapRef": {"name": "x"}}]}))
    names = [entry["name"] for entry in worker["env"]]
    assert len(names) == len(set(names)), "applying refuses a name that is there twice"
    told = env_of(worker)
    assert (told["A"], told["EMPTY"]) == ("$(B)", "")
    assert told["NODE"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}
    assert told["REACTOR_POOL_TOKEN"] != "forged"
    assert worker["envFrom"] == [{"configMapRef": {"name": "x"}}]


def test_the_author_overrides_our_defaults_and_adds_to_the_pod() -> None:
    theirs = {
        "securityContext": {"runAsUser": 1000},
        "nodeSelector": {"disk": "ssd"},
        "containers": [
            {"name": "worker", "volumeMounts": [{"name": "cache", "mountPath": "/cache"}], "image": "other"},
            {"name": "proxy", "image": "envoy"},
        ],
        "volumes": [{"name": "cache", "emptyDir": {}}],
        "restartPolicy": "Never",
    }
    spec = deployment({"pod": {"spec": theirs, "metadata": {"annotations": {"a": "b", "reactor.run/seal": "x"}}}})[
        "spec"
    ]
    pod = spec["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["restartPolicy"] == "Always"
    assert [one["name"] for one in pod["containers"]] == ["worker", "proxy"]
    assert pod["containers"][0]["image"] == "reactor-runtime:1"
    assert {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]} == {"/tmp", "/cache"}
    assert {volume["name"] for volume in pod["volumes"]} == {"reactor-tmp", "cache"}
    assert spec["template"]["metadata"]["annotations"] == {"a": "b"}


def test_resources_are_the_authors_as_a_whole_or_ours_which_grow_with_the_processes() -> None:
    assert worker_of(deployment({"resources": {"limits": {"memory": "1Gi"}}}))["resources"] == {
        "limits": {"memory": "1Gi"}
    }
    few, many = (worker_of(deployment({"concurrency": count}))["resources"] for count in (1, 8))
    assert few["limits"]["memory"] == "512Mi"
    assert many["limits"]["memory"] == "2304Mi"


@pytest.mark.parametrize("changed", [{"replicas": 3}, {"spec": {"image": "shop:2"}}])
def test_the_seal_holds_for_these_very_bytes(changed: dict[str, Any]) -> None:
    def seal(**changes: Any) -> Any:
        return deployment(**changes)["metadata"]["annotations"]

    assert seal() == seal()
    assert seal()["reactor.run/seal"] != seal(**changed)["reactor.run/seal"]
    assert seal()["reactor.run/manifest"] != seal(**changed)["reactor.run/manifest"]


def test_long_names_fit_and_stay_apart() -> None:
    names = {deployment_name("a" * 240 + letter) for letter in "bc"}
    assert len(names) == 2
    assert all(len(name) == 200 for name in names)
    label = map_at(dict(render_deployment(pool(name="a" * 240), 1, SETTINGS)), "spec", "selector", "matchLabels")
    assert len(label["reactor.run/pool"]) <= 63


@pytest.mark.parametrize("theirs", [{"containers": "x"}, {"containers": [3, {"name": []}]}, {"volumes": {"a": 1}}])
def test_what_makes_no_sense_in_a_pod_is_left_for_the_api_server_to_refuse(theirs: Json) -> None:
    assert worker_of_any(deployment({"pod": {"spec": theirs}}))["image"] == "reactor-runtime:1"


def worker_of_any(manifest: Json) -> Json:
    containers = manifest["spec"]["template"]["spec"]["containers"]
    return next(one for one in containers if isinstance(one, dict) and one.get("name") == "worker")
