"""The manifest of a task: what is always so, and what the author of a reactor may change."""

import json
import re
from typing import Any

import pytest

from reactor_operator.api.sources import KeyRef
from reactor_operator.engine.failures import FailureKind
from reactor_operator.gateway.tokens import pool_fence, task_token
from reactor_operator.pools.references import pool_variable
from reactor_operator.ports import RunRef
from reactor_operator.tasks.manifest import MANIFEST_LIMIT, label_value, render_manifest
from reactor_operator.tasks.manifest_env import INLINE_LIMIT, Unlaunchable
from tests.unit.tasks.orders import BUSYBOX, KEY, SETTINGS, UID, env_of, main_of, order, pod, python


@pytest.mark.parametrize("step", [None, python()])
def test_every_pod_is_restricted_by_construction(step: dict[str, Any] | None) -> None:
    spec = pod(step)["spec"]
    assert spec["restartPolicy"] == "Never"
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in spec["containers"] + spec.get("initContainers", []):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]


def test_the_same_order_gives_the_same_bytes() -> None:
    assert json.dumps(render_manifest(order(), SETTINGS)) == json.dumps(render_manifest(order(), SETTINGS))


def test_a_pod_says_whose_it_is() -> None:
    metadata = pod()["metadata"]
    assert metadata["labels"] == {
        "reactor.run/run": "order-1",
        "reactor.run/run-uid": UID,
        "reactor.run/reactor": "checkout",
        "reactor.run/step": "work",
        "reactor.run/action": "run",
        "reactor.run/attempt": "1",
        "app.kubernetes.io/managed-by": "reactor-operator",
    }
    assert metadata["ownerReferences"] == [
        {"apiVersion": "reactor.run/v1alpha1", "kind": "ReactorRun", "name": "order-1", "uid": UID, "controller": True}
    ]


@pytest.mark.parametrize("text", ["a" * 64, "a" * 253, "ship/book", "rows[7]/store", "-x", "x.", "é", "..."])
def test_what_is_no_label_value_ends_in_a_hash(text: str) -> None:
    value = label_value(text)
    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", value)
    assert value != label_value(text + "x")


def test_long_names_with_one_prefix_give_different_pods() -> None:
    one = pod(run=RunRef("shop", "a" * 252 + "b", UID))
    other = pod(run=RunRef("shop", "a" * 252 + "c", "0a2ce048-cd93-4a36-961c-e5f443d29c01"))
    assert one["metadata"]["name"] != other["metadata"]["name"]
    assert len(one["metadata"]["name"]) <= 63
    assert one["metadata"]["labels"]["reactor.run/run"] != other["metadata"]["labels"]["reactor.run/run"]


def test_the_author_keeps_labels_and_annotations_but_not_ours() -> None:
    theirs = {"team": "x", "reactor.run/step": "forged", "app.kubernetes.io/managed-by": "me"}
    metadata = pod(
        defaults={"pod": {"metadata": {"labels": theirs, "annotations": {"reactor.run/seal": "forged", "a": "b"}}}}
    )["metadata"]
    assert metadata["labels"]["team"] == "x"
    assert metadata["labels"]["reactor.run/step"] == "work"
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "reactor-operator"
    assert metadata["annotations"]["a"] == "b"
    assert metadata["annotations"]["reactor.run/seal"] != "forged"


def test_python_runs_in_the_runtime_image_unless_the_reactor_names_one() -> None:
    ours = main_of(pod(python()))
    assert (ours["image"], ours["imagePullPolicy"]) == ("reactor-runtime:1", "IfNotPresent")
    theirs = main_of(pod(python(), defaults={"image": "shop:2"}))
    assert theirs["image"] == "shop:2"
    assert "imagePullPolicy" not in theirs
    assert theirs["command"] == ["python3", "-m", "reactor"]


def test_modules_are_mounted_from_their_config_map() -> None:
    manifest = pod(python(modules={"configMapRef": {"name": "mods"}}))
    assert {"name": "reactor-modules", "configMap": {"name": "mods"}} in manifest["spec"]["volumes"]
    assert env_of(main_of(manifest))["REACTOR_MODULES"] == "/reactor/modules"


def test_large_documents_are_fetched_by_an_init_container() -> None:
    manifest = pod(arguments={"a": "x" * INLINE_LIMIT})
    fetch = manifest["spec"]["initContainers"][0]
    assert fetch["command"] == ["python3", "-m", "reactor", "fetch", "arguments"]
    assert fetch["image"] == "reactor-runtime:1"
    assert "REACTOR_ARGUMENTS" not in env_of(main_of(manifest))
    mounted = [mount for mount in main_of(manifest)["volumeMounts"] if mount["mountPath"] == "/reactor"]
    assert mounted == [{"name": "reactor-files", "mountPath": "/reactor", "readOnly": True}]


def test_an_output_file_is_shared_with_a_native_sidecar() -> None:
    manifest = pod({"run": {"container": {**BUSYBOX, "output": {"path": "/out/r.json"}}}})
    helper = manifest["spec"]["initContainers"][0]
    assert helper["restartPolicy"] == "Always"
    assert helper["command"] == ["python3", "-m", "reactor", "output", "/out/r.json"]
    assert helper["volumeMounts"] == [{"name": "reactor-output", "mountPath": "/out"}]
    assert {"name": "reactor-output", "mountPath": "/out"} in main_of(manifest)["volumeMounts"]
    assert env_of(main_of(manifest))["REACTOR_RESULT_PATH"] == "/out/r.json"
    assert manifest["spec"]["terminationGracePeriodSeconds"] > 60


def test_python_in_our_image_has_its_own_tmp_and_waits_for_no_volume() -> None:
    python = {"run": {"python": {"handler": "shop:work"}}}
    manifest = pod(python)
    assert "volumes" not in manifest["spec"]
    assert "volumeMounts" not in main_of(manifest)
    theirs = pod({**python, "image": "shop:1"})
    assert theirs["spec"]["volumes"] == [{"name": "reactor-tmp", "emptyDir": {}}]
    assert main_of(theirs)["volumeMounts"] == [{"name": "reactor-tmp", "mountPath": "/tmp"}]


@pytest.mark.parametrize(
    ("path", "volume"), [("/tmp/r", "reactor-tmp"), ("/data/deep/r", "theirs"), ("/database/r", "reactor-output")]
)
def test_an_output_in_a_mounted_folder_shares_that_mount(path: str, volume: str) -> None:
    mounts = [{"name": "theirs", "mountPath": "/data"}]
    manifest = pod({"volumeMounts": mounts, "run": {"container": {**BUSYBOX, "output": {"path": path}}}})
    assert manifest["spec"]["initContainers"][0]["volumeMounts"][0]["name"] == volume


def test_an_output_in_the_root_folder_cannot_start() -> None:
    with pytest.raises(Unlaunchable, match="a folder other than /") as refused:
        pod({"run": {"container": {**BUSYBOX, "output": {"path": "/r.json"}}}})
    assert refused.value.failure.kind is FailureKind.CANNOT_START


def test_the_author_overrides_our_defaults_through_the_pod_spec() -> None:
    theirs = {
        "securityContext": {"runAsUser": 0, "runAsNonRoot": False},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "containers": [
            {"name": "step", "securityContext": {"readOnlyRootFilesystem": False}, "lifecycle": {"preStop": {}}},
            {"name": "proxy", "image": "envoy"},
        ],
        "volumes": [{"name": "cache", "emptyDir": {}}],
    }
    spec = pod(defaults={"pod": {"spec": theirs}})["spec"]
    assert spec["securityContext"]["runAsUser"] == 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == theirs["tolerations"]
    assert [container["name"] for container in spec["containers"]] == ["step", "proxy"]
    step = spec["containers"][0]
    assert step["securityContext"]["readOnlyRootFilesystem"] is False
    assert step["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert step["lifecycle"] == {"preStop": {}}
    assert {volume["name"] for volume in spec["volumes"]} == {"reactor-tmp", "cache"}


def test_the_author_cannot_replace_what_makes_a_pod_a_task() -> None:
    theirs = {
        "restartPolicy": "Always",
        "containers": [
            {"name": "step", "image": "other", "command": ["/other"], "env": [{"name": "REACTOR_TOKEN", "value": "x"}]}
        ],
        "volumes": [{"name": "reactor-tmp", "hostPath": {"path": "/"}}],
    }
    manifest = pod(defaults={"pod": {"spec": theirs}})
    assert manifest["spec"]["restartPolicy"] == "Never"
    step = main_of(manifest)
    assert (step["image"], step["command"]) == ("busybox:1", ["/bin/true"])
    assert env_of(step)["REACTOR_TOKEN"] != "x"
    assert manifest["spec"]["volumes"] == [{"name": "reactor-tmp", "emptyDir": {}}]


def test_resources_of_the_author_replace_ours_as_a_whole() -> None:
    step = main_of(pod({"resources": {"limits": {"memory": "16Mi"}}, "run": {"container": BUSYBOX}}))
    assert step["resources"] == {"limits": {"memory": "16Mi"}}


def test_a_security_context_of_the_container_is_merged_over_ours() -> None:
    container = {**BUSYBOX, "securityContext": {"readOnlyRootFilesystem": False}}
    context = main_of(pod({"run": {"container": container}}))["securityContext"]
    assert context["readOnlyRootFilesystem"] is False
    assert context["allowPrivilegeEscalation"] is False


def test_a_job_makes_one_pod_and_never_another() -> None:
    manifest = pod({"placement": "job", "run": {"container": BUSYBOX}})
    assert (manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "Job")
    spec = manifest["spec"]
    assert spec["backoffLimit"] == 0
    assert "ttlSecondsAfterFinished" not in spec
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["template"]["metadata"]["annotations"] == manifest["metadata"]["annotations"]
    assert spec["template"]["metadata"]["labels"]["reactor.run/run-uid"] == UID


def test_a_pod_too_large_for_the_api_server_is_refused_before_it_is_sent() -> None:
    arguments = {f"a{n}": "x" * 100_000 for n in range(20)}
    step = {
        "arguments": {name: {"value": 1} for name in arguments},
        "run": {"container": {**BUSYBOX, "env": [{"name": name, "argument": name} for name in arguments]}},
    }
    with pytest.raises(Unlaunchable, match=str(MANIFEST_LIMIT)):
        render_manifest(order(step, arguments=arguments), SETTINGS)


@pytest.mark.parametrize(
    "written",
    [
        {"containers": [{"name": {"a": 1}}]},
        {"containers": [{"name": ["step"]}, "step", None]},
        {"containers": [{"name": "step", "env": [{"name": {}}], "volumeMounts": [{"mountPath": []}, 3]}]},
        {"volumes": [{"name": [1]}, None]},
        {"containers": "step", "volumes": {"a": 1}, "initContainers": 3},
    ],
)
def test_what_makes_no_sense_in_a_pod_template_is_left_for_the_api_server_to_refuse(written: dict[str, Any]) -> None:
    made = pod(defaults={"pod": {"spec": written}})
    (ours,) = [one for one in made["spec"]["containers"] if isinstance(one, dict) and one.get("name") == "step"]
    assert ours["image"] == "busybox:1"


@pytest.mark.parametrize("path", [[], {"a": 1}, 5, None])
def test_mounts_without_a_path_are_left_for_the_api_server_to_refuse(path: object) -> None:
    mounts = [{"name": "odd", "mountPath": path}, {"name": "own", "mountPath": "/tmp"}]
    made = pod({"run": {"container": BUSYBOX}, "volumeMounts": mounts})
    assert [mount["name"] for mount in made["spec"]["containers"][0]["volumeMounts"]] == ["own", "odd"]


def http(**fields: Any) -> dict[str, Any]:
    return {"run": {"http": {"method": "POST", "url": {"value": "http://shop/"}, **fields}}}


def test_a_request_is_made_by_the_agent_in_the_runtime_image_whatever_image_python_has() -> None:
    defaults = {"image": "shop:1", "modules": {"configMapRef": {"name": "m"}}}
    manifest = pod(http(), defaults=defaults)
    container = main_of(manifest)
    assert container["image"] == "reactor-runtime:1"
    assert container["command"] == ["python3", "-m", "reactor"]
    assert env_of(container)["REACTOR_HTTP"] == "1"
    assert not {"REACTOR_HANDLER", "REACTOR_SOURCE", "REACTOR_MODULES"} & env_of(container).keys()
    assert "volumes" not in manifest["spec"]


def test_a_header_from_a_secret_reaches_the_pod_as_a_reference() -> None:
    headers = {
        "X-Mode": {"configMapKeyRef": {"name": "shop", "key": "mode"}},
        "Accept": {"value": "text/plain"},
        "Authorization": {"secretKeyRef": {"name": "shop", "key": "token"}},
    }
    arguments = {"token": {"secretKeyRef": {"name": "other", "key": "token"}}}
    variables = env_of(main_of(pod({**http(headers=headers), "arguments": arguments})))
    assert {name: found for name, found in variables.items() if isinstance(found, dict)} == {
        "REACTOR_HEADER_0": {"secretKeyRef": {"name": "shop", "key": "token"}},
        "REACTOR_HEADER_1": {"configMapKeyRef": {"name": "shop", "key": "mode"}},
    }


def test_what_a_request_sends_is_not_in_its_pod() -> None:
    assert "s3cret" not in json.dumps(pod(http(), request=b'{"body":"s3cret"}'))


def test_a_request_may_be_a_job() -> None:
    assert pod({**http(), "placement": "job"})["kind"] == "Job"


class TestChunks:
    """A pod that takes a chunk of tasks from a queue of its own."""

    def test_it_is_a_worker_of_this_queue_that_ends_with_it(self) -> None:
        name = pod()["metadata"]["name"]
        made = pod(python(resources={"limits": {"memory": "1Gi"}}), chunk=True)
        container = main_of(made)
        assert container["command"] == ["python3", "-P", "-m", "reactor", "pool"]
        assert env_of(container) == {
            "REACTOR_GATEWAY": SETTINGS.gateway,
            "REACTOR_POOL": f"shop/~{name}",
            "REACTOR_POOL_TOKEN": task_token(KEY, pool_fence(f"shop/~{name}")),
            "REACTOR_POOL_CONCURRENCY": "1",
            "REACTOR_POOL_ONCE": "1",
        }
        assert container["resources"] == {"limits": {"memory": "1Gi"}}
        assert made["metadata"]["annotations"]["reactor.run/reads"] == '{"form":"chunk"}'

    def test_all_else_is_as_in_the_pod_of_the_step(self) -> None:
        step = python(
            image="shop:1",
            modules={"configMapRef": {"name": "shop-modules"}},
            volumeMounts=[{"name": "data", "mountPath": "/data"}],
            pod={"metadata": {"labels": {"team": "shop"}}, "spec": {"nodeSelector": {"disk": "ssd"}}},
        )
        own, shared = pod(step), pod(step, chunk=True)
        for one in (own, shared):
            container = main_of(one)
            container["env"] = [entry for entry in container["env"] if entry["name"] == "REACTOR_MODULES"]
            del container["command"], one["metadata"]["annotations"]
        assert own == shared

    def test_secrets_come_in_the_variables_of_pools_and_arguments_not_at_all(self) -> None:
        step = python(
            arguments={"token": {"secretKeyRef": {"name": "bank", "key": "token"}}, "n": {"input": "n"}},
            env=[
                {"name": "TOKEN", "argument": "token"},
                {"name": "N", "argument": "n"},
                {"name": "LEVEL", "value": "info"},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ],
        )
        found = env_of(main_of(pod(step, chunk=True)))
        secret = pool_variable("Secret", KeyRef(name="bank", key="token"))
        assert {name: one for name, one in found.items() if not name.startswith("REACTOR_POOL") or name == secret} == {
            "REACTOR_GATEWAY": SETTINGS.gateway,
            secret: {"secretKeyRef": {"name": "bank", "key": "token"}},
            "LEVEL": "info",
            "NODE": {"fieldRef": {"fieldPath": "spec.nodeName"}},
        }
