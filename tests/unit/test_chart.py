"""The chart as it is written, without helm: whom it lets write what of a status."""

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
    view, edit, admin = re.split(r"^---$", (TEMPLATES / "roles.yaml").read_text(), flags=re.MULTILINE)
    for role in (edit, admin):
        (granted,) = re.findall(r"{{- if \.Values\.admissionPolicy\.enabled }}.*?{{- end }}", role, flags=re.DOTALL)
        assert PATCH in granted
        assert role.count("reactorruns/status") == 1
    assert "reactorruns/status" not in view
