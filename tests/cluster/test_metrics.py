"""What operator and gateway show of a run that went through both."""

from tests.cluster.cluster import Namespace, kubectl, python_step, reactor, run_of, wait_until


def exposed(system: Namespace, component: str) -> list[str]:
    """Return the metrics of each pod of a component, as they are scraped."""
    pods = system.find("pods", "-l", f"app.kubernetes.io/component={component}")
    proxied = f"/api/v1/namespaces/{system.name}/pods/{{}}:8081/proxy/metrics"
    return [kubectl("get", "--raw", proxied.format(pod["metadata"]["name"])) for pod in pods]


def shown(system: Namespace, component: str) -> dict[str, float]:
    """Return the samples of all pods of a component, summed up, by name and labels as they are written."""
    found: dict[str, float] = {}
    for text in exposed(system, component):
        for line in text.splitlines():
            if not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                found[series] = found.get(series, 0) + float(value)
    return found


def series_of(namespace: str, name: str) -> set[str]:
    """Return what grows with a run; of a reactor that came after many others it is in the series that those share."""
    return {
        f'reactor_runs_started_total{{namespace="{namespace}",reactor="{name}"}}',
        f'reactor_run_seconds_count{{namespace="{namespace}",phase="Succeeded",reactor="{name}"}}',
        f'reactor_step_seconds_count{{namespace="{namespace}",outcome="Succeeded",reactor="{name}"}}',
        f'reactor_tasks_launched_total{{action="run",namespace="{namespace}",reactor="{name}"}}',
        'reactor_operator_latency_seconds_count{stage="commit"}',
        'reactor_operator_latency_seconds_count{stage="launch"}',
        'reactor_store_seconds_count{operation="commit"}',
    }


def test_a_run_is_counted_by_its_reactor_and_what_operator_and_store_took_is_there(
    namespace: Namespace, system: Namespace
) -> None:
    before = shown(system, "operator")
    namespace.apply(reactor("counted", [python_step("one"), python_step("two", waitFor=["one"])]), run_of("counted"))
    assert namespace.wait_finished("counted-1")["phase"] == "Succeeded"

    def counted() -> bool:
        after = shown(system, "operator")
        grown = {name for name, value in after.items() if value > before.get(name, 0)}
        return any(series_of(*labels) <= grown for labels in ((namespace.name, "counted"), ("other", "other")))

    wait_until("all of it is counted", counted, 30)
    assert shown(system, "gateway")['reactor_store_seconds_count{operation="append"}'] >= 2
