"""`reactor apply`: manifests checked, then sent to the cluster with the Python modules beside them.

In: paths. Out: server-side applied ConfigMaps of modules, then pools, Reactors, and (`--runs`) runs; signals created.
Never here: anything sent while anything is wrong; and no Secret or other object of the user.
"""

from collections.abc import Iterator, Mapping, Sequence

from reactor_operator.cli.check import SoundReactor, check_manifests
from reactor_operator.cli.cluster import FIELD_MANAGER, Cluster, on_cluster
from reactor_operator.cli.errors import EXIT_OK, ClusterError, CommandError, refuse_errors
from reactor_operator.cli.manifests import Manifests, load_manifests
from reactor_operator.cli.modules import handlers_of, modules_beside, refuse_large_modules
from reactor_operator.cli.options import ClusterOptions
from reactor_operator.cli.sizes import too_large
from reactor_operator.kube.errors import Conflict, NotFound
from reactor_operator.kube.fields import JsonObject
from reactor_operator.kube.paths import CONFIG_MAP, REACTOR, REACTOR_POOL, REACTOR_RUN, REACTOR_SIGNAL, Kind

KINDS = {kind.name: kind for kind in (CONFIG_MAP, REACTOR_POOL, REACTOR, REACTOR_RUN, REACTOR_SIGNAL)}


def apply_command(paths: Sequence[str], target: ClusterOptions, *, runs: bool) -> int:
    """Apply everything, or nothing where anything is wrong. Raises CommandError."""
    manifests = load_manifests(paths)
    checked = check_manifests(manifests)
    refuse_errors([*checked.findings, *(checked.inputs_findings if runs else ())])
    objects = list(objects_to_apply(manifests, checked.reactors, runs=runs))
    if not objects:
        hint = "" if runs else " (runs are applied with --runs)"
        raise CommandError(f"{' '.join(paths)}: found no Reactor, ReactorPool or ReactorSignal{hint}")
    for one in objects:
        if (problem := too_large(one)) is not None:
            metadata = one["metadata"]
            raise CommandError(f"{one['kind']} '{metadata.get('name') or metadata.get('generateName', '')}': {problem}")
    if target.namespace is not None:
        _refuse_other_namespaces(objects, target.namespace)

    async def work(cluster: Cluster) -> None:
        for one in objects:
            await _apply(cluster, one)

    on_cluster(target, work)
    return EXIT_OK


def objects_to_apply(manifests: Manifests, reactors: Sequence[SoundReactor], *, runs: bool) -> Iterator[JsonObject]:
    """Yield what is applied, in order: ConfigMaps of modules, pools, Reactors, runs, signals."""
    named = [reactor for reactor in reactors if reactor.manifest.target]
    maps: dict[tuple[str, str], dict[str, str]] = {}
    for reactor in named:
        for config_map in dict.fromkeys(handler.config_map for handler in handlers_of(reactor.spec)):
            if config_map is not None:
                merged = maps.setdefault((reactor.manifest.namespace, config_map), {})
                _merge(merged, _modules(reactor, config_map, manifests), reactor, config_map)
    yield from (_config_map(namespace, name, texts) for (namespace, name), texts in maps.items())
    yield from (pool.value for pool in manifests.pools if pool.target)
    yield from (reactor.manifest.value for reactor in named)
    if runs:
        yield from (run.value for run in manifests.runs if run.target)
    yield from (signal.value for signal in manifests.signals if signal.target)


def _modules(reactor: SoundReactor, name: str, manifests: Manifests) -> dict[str, str]:
    """Return the modules of a ConfigMap; one that the user wrote as a manifest is taken as it is."""
    namespace = reactor.manifest.namespace
    written = manifests.config("ConfigMap", name, namespace)
    if written is None and not namespace and (elsewhere := manifests.namespaces_of("ConfigMap", name)):
        raise CommandError(
            f"{reactor.manifest.file}: Reactor '{reactor.manifest.name}' names the modules ConfigMap '{name}' and no "
            f"namespace, found ConfigMaps '{name}' in {', '.join(elsewhere)}; write the Reactor's metadata.namespace"
        )
    if written is not None:
        texts = {key: text for key, text in written.items() if text is not None}
    else:
        texts = modules_beside(reactor.manifest.folder, reactor.spec)
    if not texts:
        raise CommandError(
            f"{reactor.manifest.file}: Reactor '{reactor.manifest.name}' names the modules ConfigMap '{name}', and no "
            f".py file is beside it in {reactor.manifest.folder}, expected the modules of its handlers"
        )
    return texts


def _merge(merged: dict[str, str], texts: Mapping[str, str], reactor: SoundReactor, name: str) -> None:
    """Add what one more Reactor brings to a ConfigMap that it shares with others."""
    for key, text in texts.items():
        if merged.setdefault(key, text) != text:
            raise CommandError(
                f"{reactor.manifest.file}: Reactor '{reactor.manifest.name}' shares the modules ConfigMap '{name}' "
                f"with another one, found two different texts of '{key}', expected one for each key; name another "
                "ConfigMap, or rename the file"
            )
    refuse_large_modules(merged, str(reactor.manifest.folder))


def _config_map(namespace: str, name: str, texts: Mapping[str, str]) -> JsonObject:
    metadata: dict[str, object] = {"name": name, "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(texts)}


def _refuse_other_namespaces(objects: Sequence[JsonObject], namespace: str) -> None:
    for one in objects:
        metadata = one["metadata"]
        written = metadata.get("namespace")
        if written not in (None, namespace):
            name = metadata.get("name") or metadata.get("generateName", "")
            raise CommandError(
                f"{one['kind']} '{name}' is written for namespace '{written}', found --namespace '{namespace}'"
            )


async def _apply(cluster: Cluster, one: JsonObject) -> None:
    kind, name = KINDS[str(one["kind"])], str(one["metadata"].get("name", ""))
    where = str(one["metadata"].get("namespace") or cluster.namespace)
    if not name:  # generateName: there is nothing to apply to, each time makes a new object
        made = await cluster.client.create(kind.collection(where), one, strict=True)
        print(f"{_resource(kind)}/{made['metadata']['name']} created", flush=True)
        return
    if kind is REACTOR_SIGNAL:
        done = await _ask(cluster, where, name, one)
    else:
        done = "applied" if await cluster.apply(kind.object(where, name), one) is not None else ""
    if not done:
        raise ClusterError(
            f"{kind.name} '{name}': the cluster has no namespace '{where}', or no {kind.plural}: "
            "install the chart reactor-operator first"
        )
    print(f"{_resource(kind)}/{name} {done}", flush=True)


async def _ask(cluster: Cluster, where: str, name: str, signal: JsonObject) -> str:
    """Create a signal, which never changes, so that who may create one needs no right to patch it. Return what was
    done, empty where there is no such place."""
    try:
        await cluster.client.create(REACTOR_SIGNAL.collection(where), signal, strict=True)
    except NotFound:
        return ""
    except Conflict:
        found = await cluster.client.get(REACTOR_SIGNAL.object(where, name))
        if found is None or found.get("spec") != signal.get("spec"):
            raise ClusterError(
                f"ReactorSignal '{name}' in namespace '{where}' asks for something else, and a signal never changes: "
                "give this one another name"
            ) from None
        return "unchanged"
    return "created"


def _resource(kind: Kind) -> str:
    return f"{kind.name.lower()}.{kind.group}" if kind.group else kind.name.lower()
