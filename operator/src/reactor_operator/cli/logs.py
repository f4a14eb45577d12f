"""`reactor logs`: what the pods of a run wrote.

In: a run, perhaps a step. Out: on stdout each pod's log under a heading. Never here: logs of pods that are gone.
"""

import sys

from reactor_operator.cli.cluster import Cluster, on_cluster
from reactor_operator.cli.errors import EXIT_OK
from reactor_operator.cli.options import ClusterOptions
from reactor_operator.cli.run_view import RunView
from reactor_operator.kube.errors import Invalid
from reactor_operator.kube.fields import JsonObject, map_at, text_at
from reactor_operator.kube.paths import POD, REACTOR_RUN
from reactor_operator.tasks.manifest import label_value
from reactor_operator.tasks.manifest_spec import STEP


def logs_command(run: str, target: ClusterOptions, *, step: str | None) -> int:
    """Print the logs, oldest pod first."""

    async def work(cluster: Cluster) -> None:
        found = RunView(await cluster.get(REACTOR_RUN, run))
        selector = f"reactor.run/run-uid={text_at(found.object, 'metadata', 'uid')}"
        if step is not None:
            selector += f",reactor.run/step={label_value(step)}"
        listed = await cluster.client.list(POD.collection(cluster.namespace), {"labelSelector": selector})
        pods = sorted(listed.items, key=lambda pod: text_at(pod, "metadata", "creationTimestamp"))
        if not pods:
            print(_no_pods(found, step), file=sys.stderr)
        for pod in pods:
            print(_heading(pod))
            sys.stdout.write(await _log_of(cluster, text_at(pod, "metadata", "name")))

    on_cluster(target, work)
    return EXIT_OK


def _no_pods(run: RunView, step: str | None) -> str:
    of = f"step '{step}' of run '{run.name}'" if step is not None else f"run '{run.name}'"
    return f"{of} ({run.phase}) has no pods: podRetention (default: failed) says which finished pods are kept"


def _heading(pod: JsonObject) -> str:
    labels = map_at(pod, "metadata", "labels")
    step, action, attempt = (text_at(labels, f"reactor.run/{key}") for key in ("step", "action", "attempt"))
    return f"==> {step} {action} attempt {attempt}, pod {text_at(pod, 'metadata', 'name')} <=="


async def _log_of(cluster: Cluster, pod: str) -> str:
    try:
        text = await cluster.client.text(POD.object(cluster.namespace, pod, "log"), {"container": STEP})
    except Invalid as error:  # the container has not started: the API server says so in words
        return f"({error.message})\n"
    if text is None:
        return "(the pod is gone)\n"
    return text if text.endswith("\n") or not text else text + "\n"
