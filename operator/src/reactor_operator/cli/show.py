"""`reactor list` and `reactor get`: runs on a cluster, many in a table or one as a story.

In: names and options. Out: text, JSON or YAML on stdout. Never here: a change to anything.
"""

import sys
import time
from collections.abc import Sequence

from reactor_operator.cli.cluster import Cluster, on_cluster
from reactor_operator.cli.documents import render_documents
from reactor_operator.cli.errors import EXIT_OK, ClusterError
from reactor_operator.cli.moments import render_age, render_took
from reactor_operator.cli.options import ClusterOptions, Output
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.story import render_story
from reactor_operator.cli.tables import render_columns
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.kube.paths import REACTOR_RUN


def list_command(target: ClusterOptions, *, reactor: str | None, all_namespaces: bool, output: Output) -> int:
    """Print a table of runs, newest first; as JSON or YAML always one List."""

    async def work(cluster: Cluster) -> tuple[str, list[JsonObject]]:
        try:
            listed = await cluster.client.list(REACTOR_RUN.collection(None if all_namespaces else cluster.namespace))
        except ApiError as error:
            if error.status == 404:
                raise ClusterError(
                    "this cluster has no reactorruns.reactor.run: install the chart reactor-operator"
                ) from None
            raise
        return cluster.namespace, list(listed.items)

    namespace, found = on_cluster(target, work)
    runs = [RunView(one) for one in found if reactor is None or RunView(one).reactor == reactor]
    runs.sort(key=lambda run: (-(run.created_at or 0), run.namespace, run.name))
    if output is not Output.TEXT:
        objects = [{"apiVersion": REACTOR_RUN.api_version, "kind": REACTOR_RUN.name, **run.object} for run in runs]
        sys.stdout.write(render_documents([{"apiVersion": "v1", "kind": "List", "items": objects}], output))
    elif runs:
        print(render_runs(runs, all_namespaces=all_namespaces, now=time.time()))
    else:
        of = f" of reactor '{reactor}'" if reactor else ""
        print(f"no runs{of}" + ("" if all_namespaces else f" in namespace '{namespace}'"), file=sys.stderr)
    return EXIT_OK


def render_runs(runs: Sequence[RunView], *, all_namespaces: bool, now: float) -> str:
    """Return the table of runs, with the columns that kubectl shows and why a run failed."""
    rows = [["NAMESPACE", "NAME", "REACTOR", "PHASE", "PROGRESS", "AGE", "DURATION", "MESSAGE"]]
    for run in runs:
        age = render_age(now - run.created_at) if run.created_at is not None else ""
        took = render_took(run.took) if run.took is not None else text_at(run.status, "duration")
        message = run.failure or (run.message if run.phase != "Succeeded" else "")
        rows.append(
            [run.namespace, run.name, run.reactor, run.phase, text_at(run.status, "progress"), age, took, _cut(message)]
        )
    return "\n".join(render_columns(rows if all_namespaces else [row[1:] for row in rows]))


def _cut(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= 60 else line[:59] + "…"


def get_command(run: str, target: ClusterOptions, *, output: Output, verbose: bool = False) -> int:
    """Print one run; `verbose` with tracebacks."""

    async def work(cluster: Cluster) -> JsonObject:
        return await cluster.get(REACTOR_RUN, run)

    found = on_cluster(target, work)
    if output is Output.TEXT:
        print(render_story(RunView(found), now=time.time(), verbose=verbose))
    else:
        sys.stdout.write(render_documents([found], output))
    return EXIT_OK
