"""What the chart brings for metrics, without helm: alerts and dashboard name series that exist, with their labels.

The API server of a cluster without the Prometheus operator cannot judge a ServiceMonitor or a PrometheusRule, so their
fields are compared here with those of the kinds that are used.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.metering.expressions import grouped_in, selectors_in, series_in
from tests.unit.metering.series import every_series

CHART = Path(__file__).parents[2] / "charts" / "reactor-operator"
TEMPLATE = (CHART / "templates" / "metrics.yaml").read_text()
ALERTS: Any = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
RULES: list[Any] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DASHBOARD: Any = json.loads((CHART / "files" / "dashboard.json").read_text())
PANELS: list[Any] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
OF_TARGETS = {"installation", "component"}
"""Labels that the ServiceMonitor adds to all that it scrapes."""
VALUES = {"component": {"operator", "gateway"}, "phase": {"Recovering"}, "stage": {"commit", "launch"}}


def samples() -> dict[str, set[str]]:
    """Return what may be asked for, and the labels of each; `up` is Prometheus's own."""
    found = {name: set(series.labels) for series in every_series().values() for name in series.samples}
    return {name: labels | ({"le"} if name.endswith("_bucket") else set()) for name, labels in found.items()} | {
        "up": set()
    }


def expressions() -> Iterator[Any]:
    """Yield every expression of the rules and the dashboard."""
    for rule in RULES:
        yield pytest.param(rule["expr"], id=rule["alert"])
    for panel in PANELS:
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield pytest.param(variable["query"]["query"], id=f"variable {variable['name']}")


@pytest.mark.parametrize("expression", list(expressions()))
def test_an_expression_names_series_that_there_are_and_labels_that_they_have(expression: str) -> None:
    known = samples()
    named = series_in(expression)
    assert named
    assert named <= known.keys()
    for name, matchers in selectors_in(expression):
        assert matchers.keys() <= known[name] | OF_TARGETS
    assert grouped_in(expression) <= set.union(*(known[name] for name in named)) | OF_TARGETS


@pytest.mark.parametrize("expression", list(expressions()))
def test_an_expression_is_about_one_installation_wherever_it_names_a_series(expression: str) -> None:
    selected = selectors_in(expression)
    if expression != "label_values(reactor_leader, installation)":
        assert len(selected) == len(re.findall(r"\b(?:reactor_[a-z_]+|up)\b(?=[{\[ )])", expression))
    assert all(matchers["installation"] in ("INSTALLATION", "$installation") for _, matchers in selected)


@pytest.mark.parametrize("expression", list(expressions()))
def test_words_that_an_expression_selects_are_words_that_series_have(expression: str) -> None:
    for _, matchers in selectors_in(expression):
        assert all(matchers[label] in words for label, words in VALUES.items() if label in matchers)


def test_a_name_that_no_series_has_is_found() -> None:
    assert not series_in('sum(rate(reactor_made_up_total{verb="reactor_leader"}[5m]))') <= samples().keys()
    assert series_in('sum(rate(reactor_made_up_total{verb="reactor_leader"}[5m]))') == {"reactor_made_up_total"}
    assert selectors_in('up{a="b",c=~"d.*"}') == [("up", {"a": "b", "c": "d.*"})]
    assert grouped_in("sum by (le, made_up) (x)") == {"le", "made_up"}


def test_every_series_but_those_of_detail_is_on_the_dashboard() -> None:
    shown = set.union(*(series_in(target["expr"]) for panel in PANELS for target in panel["targets"]))
    missing = {name for name, series in every_series().items() if not shown & set(series.samples)}
    assert missing == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_an_alert_with_the_fields_that_prometheus_reads(rule: Any) -> None:
    assert (
        {"alert", "expr", "labels", "annotations"} <= rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    )
    assert rule["alert"].startswith("Reactor")
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description"}
    assert re.fullmatch(r"\d+m", rule.get("for", "1m"))
    told = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert told <= grouped_in(rule["expr"])


def test_names_of_alerts_and_places_of_panels_are_their_own() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


def test_the_dashboard_asks_the_data_source_that_is_chosen() -> None:
    asked = [one["datasource"] for panel in PANELS for one in (panel, *panel["targets"])]
    assert all(one == {"type": "prometheus", "uid": "$datasource"} for one in asked)


def test_everything_is_off_until_it_is_asked_for_and_the_schema_knows_each_value() -> None:
    values: Any = yaml.safe_load((CHART / "values.yaml").read_text())["metrics"]
    schema: Any = json.loads((CHART / "values.schema.json").read_text())["properties"]["metrics"]
    assert [part["enabled"] for part in values.values()] == [False] * 3
    assert schema["additionalProperties"] is False
    assert values.keys() == schema["properties"].keys()
    for name, part in values.items():
        assert schema["properties"][name]["additionalProperties"] is False
        assert part.keys() == schema["properties"][name]["properties"].keys()


def part_of(kind: str) -> str:
    """Return the document of one kind in the template."""
    (found,) = (part for part in re.split(r"^---$", TEMPLATE, flags=re.MULTILINE) if f"\nkind: {kind}\n" in part)
    return found


def test_the_monitor_scrapes_the_port_that_operator_and_gateway_have_and_adds_what_expressions_select_by() -> None:
    spec = re.sub(r"{{[^}]*}}", "X", part_of("ServiceMonitor").partition("\nspec:\n")[2].partition("\n{{- end }}")[0])
    monitor: Any = yaml.safe_load(spec)
    assert monitor.keys() == {"selector", "endpoints"}
    (endpoint,) = monitor["endpoints"]
    assert endpoint.keys() == {"port", "path", "interval", "honorLabels", "relabelings"}
    assert (endpoint["path"], endpoint["honorLabels"]) == ("/metrics", True)
    assert {one["targetLabel"] for one in endpoint["relabelings"]} == OF_TARGETS
    for service in (part_of("Service"), (CHART / "templates" / "gateway.yaml").read_text()):
        assert f"name: {endpoint['port']}, port: 8081, targetPort: {endpoint['port']}}}" in service
    for component in ("operator", "gateway"):
        pod = (CHART / "templates" / f"{component}.yaml").read_text()
        assert f"{{name: {endpoint['port']}, containerPort: 8081}}" in pod
    (components,) = monitor["selector"]["matchExpressions"]
    assert set(components["values"]) == VALUES["component"]


def test_rules_and_dashboard_are_the_files_that_are_judged_here() -> None:
    assert 'Files.Get "files/alerts.yaml" | replace "INSTALLATION" $.Release.Name' in part_of("PrometheusRule")
    assert 'Files.Get "files/dashboard.json"' in part_of("ConfigMap")
