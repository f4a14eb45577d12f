"""Row `writes`: how many requests that change something the operator sends for one run of one step.

In: an installation. Out: requests per run, by what they change. The API server counts: while this measures, a
FlowSchema for each kind of write matches what the operator's account does in this namespace, and the server's own
metric says how many requests it dispatched by each. Refused and repeated writes count too; the Lease, which costs the
same without any run, is counted apart. A cluster with several API servers would show one server's share.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.paths import Kind, cluster_object
from tests.benchmarks.cluster.arms import make_reactor, time_run
from tests.benchmarks.cluster.installation import Installation, find_installation
from tests.benchmarks.cluster.objects import container_step, python_step
from tests.benchmarks.cluster.place import Place, until
from tests.benchmarks.rows import Measured
from tests.benchmarks.samples import Samples
from tests.benchmarks.telling import tell

_FLOW_SCHEMA = Kind("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", "flowschemas")
_PREFIX = "reactor-benchmarks-"
_FIRST_PRECEDENCE = 300  # before the one for all service accounts (9000)
_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_LEASES = "leases"
_RULES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    # what is counted: verbs, API groups, resources; the first that matches takes a request
    _LEASES: (_WRITES, ("coordination.k8s.io",), ("leases",)),
    "pods created": (("create",), ("", "batch"), ("pods", "jobs")),
    "pods deleted": (("delete",), ("", "batch"), ("pods", "jobs")),
    "status of runs": (_WRITES, ("reactor.run",), ("reactorruns/status",)),
    "runs": (_WRITES, ("reactor.run",), ("reactorruns",)),
    "events": (_WRITES, ("", "events.k8s.io"), ("events",)),
    "other writes": (_WRITES, ("*",), ("*",)),
    "reads": (("get", "list", "watch"), ("*",), ("*",)),
}
_DISPATCHED = re.compile(
    rf'^apiserver_flowcontrol_dispatched_requests_total\{{flow_schema="({_PREFIX}[a-z-]+)",[^}}]*\}} (\S+)$',
    re.MULTILINE,
)
_COUNTING_SECONDS = 60
_QUIET_SECONDS = 60
_SETTLED_SECONDS = 4.0


async def measure_writes(place: Place, runs: int) -> Mapping[str, Measured]:
    """Count the writes of `runs` runs of one Python step, and as many of one container step."""
    await place.empty()
    installation = await find_installation(place.client)
    await make_reactor(place, "one-python", [python_step("only")])
    await make_reactor(place, "one-container", [container_step("only")])
    arms: dict[str, Samples] = {}
    by_kind: dict[str, dict[str, float]] = {}
    async with _counting(place, installation):
        for name in ("one-python", "one-container"):
            counts = []
            for index in range(runs):
                before = await _quiet(place)
                await time_run(place, name, f"{name}-{index}")
                counts.append(_difference(before, await _quiet(place)))
            arms[name] = Samples(tuple(_total(one) for one in counts))
            by_kind[name] = {what: sum(one[what] for one in counts) / runs for what in _RULES}
            tell(f"{name}: {arms[name].median:g} writes per run: {by_kind[name]}")
    dearer = max(arms.values(), key=lambda samples: samples.median)
    details = {"armsUnit": "requests", "byKind": by_kind}
    return {"writes": Measured(value=dearer.median, spread=dearer.spread, arms=arms, details=details)}


def _total(counted: Mapping[str, float]) -> float:
    return sum(number for what, number in counted.items() if what not in {_LEASES, "reads"})


def _difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {what: after[what] - before[what] for what in _RULES}


async def _quiet(place: Place) -> dict[str, float]:
    """Return the counts when no pod of the runs is left, or it stays, and no write came for a while."""
    last = await _counts(place.client)
    async with asyncio.timeout(_QUIET_SECONDS):
        while True:
            await asyncio.sleep(_SETTLED_SECONDS)
            now = await _counts(place.client)
            if _total(now) == _total(last):
                return now
            last = now


@asynccontextmanager
async def _counting(place: Place, installation: Installation) -> AsyncIterator[None]:
    """Have the API server count the operator's requests by kind, and take the FlowSchemas away again."""
    subject = {
        "kind": "ServiceAccount",
        "serviceAccount": {"name": installation.account, "namespace": installation.namespace},
    }
    client = place.client
    names = {what: _schema_name(what) for what in _RULES}
    try:
        for place_in_order, what in enumerate(_RULES):
            await client.delete(cluster_object(_FLOW_SCHEMA, names[what]))
            await client.create(
                _FLOW_SCHEMA.collection(None),
                _flow_schema(names[what], _FIRST_PRECEDENCE + place_in_order, what, place.namespace, subject),
            )
        began = await _counts(client)

        async def is_counting() -> bool:
            return (await _counts(client))[_LEASES] > began[_LEASES]

        await until("the API server counts the operator's Lease writes", is_counting, _COUNTING_SECONDS)
        yield
    finally:
        for name in names.values():
            await client.delete(cluster_object(_FLOW_SCHEMA, name))


def _schema_name(what: str) -> str:
    return _PREFIX + what.replace(" ", "-")


def _flow_schema(
    name: str, precedence: int, what: str, namespace: str, subject: Mapping[str, object]
) -> dict[str, object]:
    verbs, groups, resources = _RULES[what]
    matched = {
        "verbs": list(verbs),
        "apiGroups": list(groups),
        "resources": list(resources),
        "namespaces": ["*"] if what == _LEASES else [namespace],
    }
    return {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": name},
        "spec": {
            "priorityLevelConfiguration": {"name": "workload-low"},
            "matchingPrecedence": precedence,
            "rules": [{"subjects": [subject], "resourceRules": [matched]}],
        },
    }


async def _counts(client: KubeClient) -> dict[str, float]:
    """Return how many requests were dispatched so far by each of our schemas; 0 where none was yet."""
    told = dict(_DISPATCHED.findall(await client.text("/metrics") or ""))
    return {what: float(told.get(_schema_name(what), 0)) for what in _RULES}
