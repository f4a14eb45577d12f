"""`reactor cancel`: ask the operator to stop a run and keep everything.

In: a run's name. Out: an annotation on it. Never here: a decision; the operator answers in the run's status.
"""

import json

from reactor_operator.cli.cluster import Cluster, on_cluster
from reactor_operator.cli.errors import EXIT_OK, CommandError
from reactor_operator.cli.options import ClusterOptions
from reactor_operator.cli.run_view import RunView
from reactor_operator.kube.paths import REACTOR_RUN

ANNOTATION = "reactor.run/cancel"


def cancel_command(run: str, target: ClusterOptions, *, reason: str) -> int:
    """Ask for it and say so. Raises CommandError where the run has ended."""

    async def work(cluster: Cluster) -> None:
        found = RunView(await cluster.get(REACTOR_RUN, run))
        if found.ended:
            raise CommandError(f"ReactorRun '{run}' is {found.phase}, expected one that has not ended")
        value = json.dumps({"reason": reason} if reason else {})
        await cluster.client.patch(
            REACTOR_RUN.object(cluster.namespace, run), {"metadata": {"annotations": {ANNOTATION: value}}}
        )

    on_cluster(target, work)
    print(f"reactorrun.reactor.run/{run} cancel requested")
    return EXIT_OK
