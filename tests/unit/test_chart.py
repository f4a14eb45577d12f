"""The chart as it is written, without helm: whom it lets write what of a status, and who may do what with pools and
signals."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "charts" / "reactor-operator" / "templates"
PATCH = "- {apiGroups: [reactor.run], resources: [reactorruns/status], verbs: [patch]}"


def fields_of_status() -> set[str]:
    crd: Any = yaml.safe_load((ROOT / "crds" / "reactorruns.reactor.run.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    return set(version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"])


def test_the_policy_keeps_every_field_of_the_status_but_its_requests_from_people() -> None:
    policy = (TEMPLATES / "admission-policy.yaml").read_text()
    (projected,) = re.findall(r"\$projected := list (.*) }}", policy)
    assert set(re.findall(r'"(\w+)"', projected)) == fields_of_status() - {"requests"}


def test_people_who_start_runs_may_add_to_the_requests_where_the_policy_keeps_the_rest_from_them() -> None:
    view, edit, approve, admin = re.split(r"^---$", (TEMPLATES / "roles.yaml").read_text(), flags=re.MULTILINE)
    for role in (edit, admin):
        (granted,) = re.findall(r"{{- if \.Values\.admissionPolicy\.enabled }}.*?{{- end }}", role, flags=re.DOTALL)
        assert PATCH in granted
        assert role.count("reactorruns/status") == 1
    assert "reactorruns/status" not in view + approve


def rules(text: str) -> dict[str, set[str]]:
    """Return the verbs by resource of the rules in a template that helm leaves as they are."""
    granted: dict[str, set[str]] = {}
    for line in re.findall(r"^ *- ({apiGroups: (?:(?!{{).)*})$", text, flags=re.MULTILINE):
        rule = yaml.safe_load(line)
        for resource in rule["resources"]:
            granted.setdefault(resource, set()).update(rule["verbs"])
    return granted


def test_people_see_pools_who_may_view_scale_them_who_may_edit_and_write_them_who_may_write_reactors() -> None:
    view, edit, approve, admin = (
        rules(role) for role in re.split(r"^---$", (TEMPLATES / "roles.yaml").read_text(), flags=re.MULTILINE)
    )
    look = {"get", "list", "watch"}
    assert (view["reactorpools"], "reactorpools/scale" in view) == (look, False)
    assert (edit["reactorpools"], edit["reactorpools/scale"]) == (look, {"get", "update", "patch"})
    assert admin["reactorpools"] == admin["reactors"] > look
    assert "reactorpools/status" not in view | edit | approve | admin


def test_people_see_signals_who_may_view_send_them_who_may_edit_and_approve_by_a_role_of_its_own() -> None:
    view, edit, approve, admin = (
        rules(role) for role in re.split(r"^---$", (TEMPLATES / "roles.yaml").read_text(), flags=re.MULTILINE)
    )
    look = {"get", "list", "watch"}
    assert [role["reactorsignals"] - look for role in (view, edit, approve)] == [
        set(),
        {"create", "delete"},
        {"create"},
    ]
    assert all(look <= role["reactorsignals"] for role in (view, edit, approve, admin))
    assert approve["reactorruns/approval"] == {"update"}
    assert "reactorruns/approval" not in view | edit | admin
    assert "reactorsignals/status" not in view | edit | approve | admin


def test_the_operator_answers_signals_and_makes_none() -> None:
    granted = rules((TEMPLATES / "rbac.yaml").read_text())
    assert granted["reactorsignals"] == {"get", "list", "watch", "patch", "delete"}
    assert granted["reactorsignals/status"] == {"patch"}


def test_the_operator_is_told_whether_the_policy_is_there_that_makes_true_who_asks() -> None:
    assert (
        "- {name: REACTOR_ADMISSION_POLICY, value: {{ .Values.admissionPolicy.enabled | quote }}}"
        in (TEMPLATES / "operator.yaml").read_text()
    )


def test_the_operator_makes_deployments_and_never_deletes_one_or_writes_a_pool() -> None:
    granted = rules((TEMPLATES / "rbac.yaml").read_text())
    assert granted["deployments"] == {"get", "list", "watch", "create", "patch"}
    assert granted["reactorpools"] == {"get", "list", "watch"}
    assert granted["reactorpools/status"] == {"patch"}
    assert "secrets" not in granted


def test_the_gateway_reads_what_it_is_asked_for_and_where_nobody_asks_it_has_no_token() -> None:
    gateway = (TEMPLATES / "gateway.yaml").read_text()
    asked = "or $values.signals.enabled $values.api.enabled (not (empty $webhooks))"
    assert f"automountServiceAccountToken: {{{{ {asked} }}}}" in gateway
    assert gateway.count("automountServiceAccountToken: false") == 1  # of the account: other pods get none either
    rights = (TEMPLATES / "gateway-rbac.yaml").read_text()
    assert "{{- $people := or .Values.gateway.signals.enabled .Values.gateway.api.enabled }}" in rights
    assert "{{- if and .Values.rbac.create (or $people $webhooks) }}" in rights
    assert "name: system:auth-delegator" in rights
    for_api, for_others = re.split(r"^  {{- else }}$", rights, flags=re.MULTILINE)
    assert rules(for_api) == {
        "reactorruns": {"get", "list", "watch"},
        "reactors": {"get", "list"},
        "pods/log": {"get"},
    }
    assert rules(for_others) == {"reactorruns": {"get"}, "reactors": {"get"}}


def test_the_operator_reads_logs_only_where_people_look_at_them() -> None:
    rights = (TEMPLATES / "rbac.yaml").read_text()
    before, _, after = rights.partition("{{- if and .Values.gateway.api.enabled .Values.taskLogs.keep }}")
    assert "pods/log" not in before
    asked, _, others = after.partition("{{- end }}")
    assert rules(asked) == {"pods/log": {"get"}}
    assert "pods/log" not in others


def test_the_api_for_people_is_off_until_somebody_turns_it_on() -> None:
    values: Any = yaml.safe_load((ROOT / "charts" / "reactor-operator" / "values.yaml").read_text())
    assert values["gateway"]["api"] == {"enabled": False}


def test_the_dashboard_comes_with_the_api_and_not_without() -> None:
    values: Any = yaml.safe_load((ROOT / "charts" / "reactor-operator" / "values.yaml").read_text())
    assert values["gateway"]["dashboard"] == {"enabled": True}
    gateway = (TEMPLATES / "gateway.yaml").read_text()
    (with_api,) = re.findall(r"{{- if \$values\.api\.enabled }}(.*?){{- end }}", gateway, flags=re.DOTALL)
    assert with_api.count("REACTOR_HTTP_DASHBOARD") == gateway.count("REACTOR_HTTP_DASHBOARD") == 1


def test_the_operator_is_told_of_a_collector_where_one_is_named() -> None:
    (told,) = re.findall(
        r"{{- with \.Values\.traces\.endpoint }}\s*- {name: (\w+),", (TEMPLATES / "operator.yaml").read_text()
    )
    assert told == "REACTOR_TRACES_ENDPOINT"
    assert yaml.safe_load((TEMPLATES.parent / "values.yaml").read_text())["traces"] == {"endpoint": ""}


def test_every_kind_is_installed_with_the_chart() -> None:
    shipped = {path.name for path in (ROOT / "charts" / "reactor-operator" / "files" / "crds").iterdir()}
    assert shipped == {path.name for path in (ROOT / "crds").iterdir()}
    assert {"reactorpools.reactor.run.yaml", "reactorsignals.reactor.run.yaml"} <= shipped
