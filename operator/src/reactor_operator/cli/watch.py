"""`reactor watch`: a run on a cluster, shown until it ends.

In: a run's name. Out: the same progress as on the laptop, and an exit code by how the run ended.
Never here: polling; the API server's watch tells, and is taken up anew when it ends.
"""

import sys

from reactor_operator.cli.cluster import Cluster, on_cluster
from reactor_operator.cli.errors import ClusterError
from reactor_operator.cli.options import ClusterOptions
from reactor_operator.cli.progress import Progress
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.screen import progress_for
from reactor_operator.kube.errors import ApiUnavailable, Gone
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.kube.paths import REACTOR, REACTOR_RUN


def watch_command(run: str, target: ClusterOptions) -> int:
    """Show the run until it ends."""

    async def work(cluster: Cluster) -> int:
        return await watch_run(cluster, await cluster.get(REACTOR_RUN, run))

    return on_cluster(target, work)


async def watch_run(cluster: Cluster, found: JsonObject) -> int:
    """Show a run from here to its end and return the exit code. Raises ClusterError where it is deleted."""
    progress = progress_for(sys.stdout, silent=False)
    run = RunView(found)
    progress.begin(run.name, run.reactor, await _steps_of(cluster, run.reactor))
    try:
        run = await _follow(cluster, run, progress)
    finally:
        progress.end(run)
    return run.exit_code


async def _steps_of(cluster: Cluster, reactor: str) -> list[str]:
    found = await cluster.client.get(REACTOR.object(cluster.namespace, reactor))
    steps = (found or {}).get("spec", {}).get("steps", [])
    return [text_at(step, "name") for step in steps] if isinstance(steps, list) else []


async def _follow(cluster: Cluster, run: RunView, progress: Progress) -> RunView:
    """Look until the run has ended: by watch, and after each end of a watch by a fresh read."""
    path = REACTOR_RUN.collection(cluster.namespace)
    uid = text_at(run.object, "metadata", "uid")
    query = {"fieldSelector": f"metadata.name={run.name}"}
    while True:
        progress.show(run)
        if run.ended:
            return run
        try:
            async for event in cluster.client.watch(path, text_at(run.object, "metadata", "resourceVersion"), query):
                if event.type == "DELETED":
                    raise ClusterError(f"ReactorRun '{run.name}' was deleted while it was {run.phase}")
                if event.type != "BOOKMARK":
                    run = RunView(event.object)
                    progress.show(run)
                if run.ended:
                    return run
        except (Gone, ApiUnavailable):
            pass  # too old or broken: read it afresh below, which raises where the cluster is really away
        run = RunView(await cluster.get(REACTOR_RUN, run.name))
        if text_at(run.object, "metadata", "uid") != uid:
            raise ClusterError(f"ReactorRun '{run.name}' was deleted and made anew meanwhile")
