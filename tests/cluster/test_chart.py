"""What the chart promises: who may do what, that Secrets are drawn once, and that its pods need no privilege."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cluster.cluster import KubectlFailed, Namespace, kubectl, run_of

CHART = Path(__file__).parents[2] / "charts" / "reactor-operator"
ACCOUNT = "system:serviceaccount:reactor-system:reactor-operator-operator"
IMAGES = Path(__file__).parents[2] / "build" / "images.env"


def render(namespace: str, *settings: str, template: str | None = None) -> subprocess.CompletedProcess[str]:
    shown = ["--show-only", f"templates/{template}"] if template else []
    command = ["helm", "template", "probe", str(CHART), "--namespace", namespace, *shown]
    for setting in settings:
        command += ["--set", setting]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def may(user: str, verb: str, resource: str, namespace: str) -> bool:
    group, _, subresource = resource.partition("/")
    flags = [f"--subresource={subresource}"] if subresource else []
    try:
        return kubectl("auth", "can-i", verb, group, *flags, "-n", namespace, f"--as={user}").strip() == "yes"
    except KubectlFailed:
        return False


def test_nobody_but_the_operator_writes_the_status_of_a_run(namespace: Namespace) -> None:
    namespace.apply(run_of("missing", "forged"))
    patch = json.dumps({"status": {"phase": "Succeeded"}})
    with pytest.raises(
        KubectlFailed, match="is written by system:serviceaccount:reactor-system:reactor-operator-operator alone"
    ):
        namespace.kubectl("patch", "rctrun", "forged", "--subresource=status", "--type=merge", "-p", patch)


@pytest.mark.parametrize(
    ("role", "reads", "runs", "writes"),
    [("view", True, False, False), ("edit", True, True, False), ("admin", True, True, True)],
)
def test_the_roles_of_the_cluster_carry_those_of_reactor(
    namespace: Namespace, role: str, reads: bool, runs: bool, writes: bool
) -> None:
    namespace.kubectl("create", "rolebinding", "probe", f"--clusterrole={role}", "--user=ann")
    granted = (
        may("ann", "list", "reactorruns.reactor.run", namespace.name),
        may("ann", "create", "reactorruns.reactor.run", namespace.name),
        may("ann", "create", "reactors.reactor.run", namespace.name),
    )
    assert granted == (reads, runs, writes)
    assert may("ann", "patch", "reactorruns.reactor.run/status", namespace.name) is runs, "to add to its requests"
    assert not may("ann", "update", "reactorruns.reactor.run/status", namespace.name)
    assert may("ann", "list", "reactorpools.reactor.run", namespace.name) is reads
    assert may("ann", "patch", "reactorpools.reactor.run/scale", namespace.name) is runs
    assert may("ann", "create", "reactorpools.reactor.run", namespace.name) is writes


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "secrets"),
        ("list", "secrets"),
        ("create", "pods/exec"),
        ("impersonate", "users"),
        ("escalate", "roles"),
        ("create", "reactors.reactor.run"),
        ("list", "configmaps"),
        ("list", "jobs.batch"),
        ("list", "pods/log"),
        ("delete", "deployments.apps"),
        ("patch", "reactorpools.reactor.run"),
    ],
)
def test_the_operator_may_not(namespace: Namespace, verb: str, resource: str) -> None:
    assert not may(ACCOUNT, verb, resource, namespace.name)


def test_the_operator_may_read_the_logs_that_are_kept_where_people_look_at_runs(namespace: Namespace) -> None:
    assert may(ACCOUNT, "get", "pods/log", namespace.name)


def test_the_pods_of_the_chart_meet_the_restricted_level() -> None:
    command = ["kubectl", "label", "--dry-run=server", "--overwrite", "namespace", "reactor-system"]
    done = subprocess.run(
        [*command, "pod-security.kubernetes.io/enforce=restricted"], capture_output=True, text=True, check=True
    )
    assert "Warning" not in done.stderr, done.stderr


def test_secrets_are_drawn_once_and_never_again(namespace: Namespace) -> None:
    images = dict(line.split("=", 1) for line in IMAGES.read_text().splitlines())
    repository, _, tag = images["OPERATOR_IMAGE"].rpartition(":")
    settings = (f"operator.image.repository={repository}", f"operator.image.tag={tag}")
    rendered = render(namespace.name, *settings, template="secrets-job.yaml")
    assert rendered.returncode == 0, rendered.stderr

    def draw() -> dict[str, str]:
        namespace.kubectl("apply", "-f", "-", stdin=rendered.stdout)
        namespace.kubectl("wait", "job", "--all", "--for=condition=Complete", "--timeout=120s")
        names = (
            "probe-reactor-operator-redis",
            "probe-reactor-operator-token-key",
            "probe-reactor-operator-sensitive-keys",
        )
        return {name: json.dumps(namespace.get("secret", name)["data"]) for name in names}

    first = draw()
    namespace.kubectl("delete", "job", "--all")
    assert draw() == first


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert render("shop").stdout == render("shop").stdout


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("settings.pendingTimeOut=1m", "pendingTimeOut"),
        ("settings.lostTimeout=forever", "lostTimeout"),
        ("scope=everything", "scope"),
        ("redis.enabled=false", "redis.external.url is empty"),
        ("watchNamespaces={Shop}", "watchNamespaces"),
    ],
)
def test_a_wrong_value_is_refused_by_name(setting: str, told: str) -> None:
    done = render("shop", setting)
    assert done.returncode != 0
    assert told in done.stderr


def test_the_policy_of_a_namespaced_installation_judges_its_namespaces_alone() -> None:
    rendered = render("shop", "watchNamespaces={shop,billing}", template="admission-policy.yaml")
    assert 'operator: In, values: ["shop","billing"]' in rendered.stdout
