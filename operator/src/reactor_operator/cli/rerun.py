"""`reactor rerun`: the same once more, as a new run of the same Reactor.

In: the name of a run on the cluster, and inputs to lay over its own. Out: a ReactorRun, and with `--wait` its progress.
Never here: a change of the run that is repeated, or a copy of what belongs to it alone (its business key, its marks of
reactor.run, and those by which other tools know what they made).
"""

import sys
from collections.abc import Mapping

from reactor_operator.cli.cluster import Cluster, on_cluster
from reactor_operator.cli.errors import EXIT_OK
from reactor_operator.cli.inputs import read_given
from reactor_operator.cli.options import ClusterOptions, InputOptions
from reactor_operator.cli.start import refuse_bad_inputs, render_run
from reactor_operator.cli.watch import watch_run
from reactor_operator.engine.failures import printable
from reactor_operator.kube.fields import JsonObject, map_at, text_at
from reactor_operator.kube.paths import REACTOR, REACTOR_RUN

RERUN_OF = "reactor.run/rerun-of"
_GROUP = "reactor.run"
_OF_TOOLS = (
    "kubectl.kubernetes.io/",
    "argocd.argoproj.io/",
    "meta.helm.sh/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
)
_TRACKED_BY = "app.kubernetes.io/instance"
"""The label by which Argo CD knows what it made: it would prune a run that has it and is not in Git."""
_KEPT_FIELDS = ("ttlAfterFinished", "onDelete")
_SUFFIX = "-rerun-"
_LONGEST_BASE = 58
"""What the API server keeps of a generateName, before it appends five characters of its own."""


def rerun_command(run: str, inputs: InputOptions, target: ClusterOptions, *, name: str | None, wait: bool) -> int:
    """Make the run. Raises CommandError."""
    given = read_given(inputs)

    async def work(cluster: Cluster) -> int:
        before = await cluster.get(REACTOR_RUN, run)
        reactor = text_at(before, "spec", "reactorRef", "name")
        found = await cluster.get(REACTOR, reactor)
        wanted = given.over(map_at(before, "spec", "inputs"))
        refuse_bad_inputs(reactor, map_at(found, "spec", "inputsSchema"), wanted)
        body = render_rerun(before, wanted, name)
        if key := text_at(before, "spec", "idempotencyKey"):
            print(_without_key(run, printable(key)), file=sys.stderr)
        made = await cluster.client.create(REACTOR_RUN.collection(cluster.namespace), body, strict=True)
        print(f"reactorrun.reactor.run/{text_at(made, 'metadata', 'name')} created", flush=True)
        return await watch_run(cluster, made) if wait else EXIT_OK

    return on_cluster(target, work)


def render_rerun(before: JsonObject, inputs: Mapping[str, object], name: str | None) -> JsonObject:
    """Return the manifest of a run like `before`; without a name the API server makes `NAME-rerun-xxxxx`."""
    body = render_run(text_at(before, "spec", "reactorRef", "name"), inputs, name)
    run = text_at(before, "metadata", "name")
    start = run[: _LONGEST_BASE - len(_SUFFIX)].rstrip("-.")
    metadata: dict[str, object] = {"name": name} if name is not None else {"generateName": f"{start}{_SUFFIX}"}
    if labels := _of_users(map_at(before, "metadata", "labels")):
        metadata["labels"] = labels
    metadata["annotations"] = _of_users(map_at(before, "metadata", "annotations")) | {RERUN_OF: run}
    spec = map_at(before, "spec")
    kept = {field: spec[field] for field in _KEPT_FIELDS if field in spec}
    return {**body, "metadata": metadata, "spec": {**body["spec"], **kept}}


def _without_key(run: str, key: str) -> str:
    return (
        f"the idempotencyKey '{key}' of run '{run}' is left out: this is a new transaction, which acts again. With the "
        f"key it would only take the outcome of '{run}'"
    )


def _of_users(marks: JsonObject) -> dict[str, object]:
    """Return the labels or annotations that say something about the transaction, not about this one object."""
    return {
        key: value
        for key, value in marks.items()
        if not _is_ours(key) and not key.startswith(_OF_TOOLS) and key != _TRACKED_BY
    }


def _is_ours(key: str) -> bool:
    prefix, slash, _ = key.partition("/")
    return bool(slash) and (prefix == _GROUP or prefix.endswith("." + _GROUP))
