"""`reactor apply`: manifests checked, then sent to the cluster with the Python modules beside them.

In: paths. Out: server-side applied ConfigMaps of modules, then Reactors, then (`--runs`) runs.
Never here: anything sent while anything is wrong; and no Secret or other object of the user.
"""

from collections.abc import Iterator, Sequence

from reactor_operator.cli.check import SoundReactor, check_manifests
from reactor_operator.cli.cluster import FIELD_MANAGER, Cluster, on_cluster
from reactor_operator.cli.errors import EXIT_OK, ClusterError, CommandError, refuse_errors
from reactor_operator.cli.manifests import Manifests, load_manifests
from reactor_operator.cli.modules import handlers_of, modules_beside
from reactor_operator.cli.options import ClusterOptions
from reactor_operator.kube.fields import JsonObject
from reactor_operator.kube.paths import CONFIG_MAP, REACTOR, REACTOR_RUN, Kind

KINDS = {kind.name: kind for kind in (CONFIG_MAP, REACTOR, REACTOR_RUN)}


def apply_command(paths: Sequence[str], target: ClusterOptions, *, runs: bool) -> int:
    """Apply everything, or nothing where anything is wrong. Raises CommandError."""
    manifests = load_manifests(paths)
    checked = check_manifests(manifests)
    refuse_errors([*checked.findings, *(checked.inputs_findings if runs else ())])
    objects = list(objects_to_apply(manifests, checked.reactors, runs=runs))
    if not objects:
        raise CommandError(f"{' '.join(paths)}: found no Reactor" + ("" if runs else " (runs are applied with --runs)"))

    async def work(cluster: Cluster) -> None:
        for one in objects:
            await _apply(cluster, one, target.namespace)

    on_cluster(target, work)
    return EXIT_OK


def objects_to_apply(manifests: Manifests, reactors: Sequence[SoundReactor], *, runs: bool) -> Iterator[JsonObject]:
    """Yield what is applied, in order: ConfigMaps of modules, Reactors, runs."""
    named = [reactor for reactor in reactors if reactor.manifest.target]
    maps: dict[tuple[str, str], JsonObject] = {}
    for reactor in named:
        for config_map in dict.fromkeys(handler.config_map for handler in handlers_of(reactor.spec)):
            if config_map is not None:
                maps.setdefault((reactor.manifest.namespace, config_map), _modules(reactor, config_map, manifests))
    yield from maps.values()
    yield from (reactor.manifest.value for reactor in named)
    if runs:
        yield from (run.value for run in manifests.runs if run.target)


def _modules(reactor: SoundReactor, name: str, manifests: Manifests) -> JsonObject:
    """Return the ConfigMap of modules; one that the user wrote as a manifest is taken as it is."""
    written = manifests.configs.get(("ConfigMap", name))
    texts = dict(written) if written is not None else modules_beside(reactor.manifest.folder, reactor.spec)
    if not texts:
        raise CommandError(
            f"{reactor.manifest.file}: Reactor '{reactor.manifest.name}' names the modules ConfigMap '{name}', and no "
            f".py file is beside it in {reactor.manifest.folder}, expected the modules of its handlers"
        )
    metadata: dict[str, object] = {"name": name, "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER}}
    if reactor.manifest.namespace:
        metadata["namespace"] = reactor.manifest.namespace
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": texts}


async def _apply(cluster: Cluster, one: JsonObject, namespace: str | None) -> None:
    kind, name = KINDS[str(one["kind"])], str(one["metadata"].get("name", ""))
    written = one["metadata"].get("namespace")
    if namespace is not None and written not in (None, namespace):
        raise CommandError(
            f"{kind.name} '{name}' is written for namespace '{written}', found --namespace '{namespace}'"
        )
    where = str(written or cluster.namespace)
    if not name:  # generateName: there is nothing to apply to, each time makes a new object
        made = await cluster.client.create(kind.collection(where), one, strict=True)
        print(f"{_resource(kind)}/{made['metadata']['name']} created", flush=True)
        return
    if await cluster.apply(kind.object(where, name), one) is None:
        raise ClusterError(
            f"{kind.name} '{name}': the cluster has no namespace '{where}', or no {kind.plural}: "
            "install the chart reactor-operator first"
        )
    print(f"{_resource(kind)}/{name} applied", flush=True)


def _resource(kind: Kind) -> str:
    return f"{kind.name.lower()}.{kind.group}" if kind.group else kind.name.lower()
