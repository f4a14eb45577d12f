"""`reactor inbox`: what waits for a signal in a namespace, the longest wait first.

In: runs and reactors of a cluster. Out: a table, or JSON or YAML with the schemas of the payloads.
Never here: a payload sent (`signals.py`).
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from reactor_operator.api.blueprint import CannotLayOut, blueprint_of
from reactor_operator.api.check import check_spec
from reactor_operator.cli.cluster import Cluster, on_cluster
from reactor_operator.cli.documents import render_documents
from reactor_operator.cli.errors import EXIT_OK, ClusterError
from reactor_operator.cli.moments import parse_moment, render_age
from reactor_operator.cli.options import ClusterOptions, Output
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.tables import render_columns
from reactor_operator.engine.failures import printable
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import JsonObject, int_at, map_at, maps_at, text_at
from reactor_operator.kube.paths import REACTOR, REACTOR_RUN

Waiting = dict[str, object]


def inbox_command(target: ClusterOptions, *, reactor: str | None, all_namespaces: bool, output: Output) -> int:
    """Print what waits. Raises CommandError."""

    async def work(cluster: Cluster) -> tuple[str, Sequence[JsonObject], Sequence[JsonObject]]:
        where = None if all_namespaces else cluster.namespace
        try:
            runs = await cluster.client.list(REACTOR_RUN.collection(where))
            reactors = await cluster.client.list(REACTOR.collection(where)) if output is not Output.TEXT else None
        except ApiError as error:
            if error.status == 404:
                message = "this cluster has no reactorruns.reactor.run: install the chart reactor-operator"
                raise ClusterError(message) from None
            raise
        return cluster.namespace, runs.items, reactors.items if reactors is not None else ()

    namespace, runs, reactors = on_cluster(target, work)
    found = [one for run in runs for one in waiting_of(RunView(run), reactor)]
    found.sort(key=lambda one: (str(one.get("openedAt", "")), str(one["namespace"]), str(one["run"]), str(one["step"])))
    if output is not Output.TEXT:
        schemas = Schemas(reactors)
        items = [{**one, **schemas.of(one)} for one in found]
        sys.stdout.write(render_documents([{"kind": "List", "items": items}], output))
    elif found:
        print(render_waiting(found, all_namespaces=all_namespaces, now=time.time()))
    else:
        print("nothing waits" + ("" if all_namespaces else f" in namespace '{namespace}'"), file=sys.stderr)
    return EXIT_OK


def waiting_of(run: RunView, reactor: str | None = None) -> Iterator[Waiting]:
    """Yield the open interrupts of a run that goes on, of one `reactor` or of any."""
    if run.ended or (reactor is not None and run.reactor != reactor):
        return
    pinned = map_at(run.status, "reactor")
    for one in maps_at(run.status, "interrupts"):
        yield {
            "namespace": run.namespace,
            "run": run.name,
            "reactor": run.reactor,
            "reactorUid": text_at(pinned, "uid"),
            "reactorGeneration": int_at(pinned, "generation") or 0,
            **one,
        }


def render_waiting(found: Sequence[Waiting], *, all_namespaces: bool, now: float) -> str:
    """Return the table."""
    rows = [["NAMESPACE", "RUN", "STEP", "ID", "SINCE", "LEFT", "ATTEMPTS", "REFUSED"]]
    for one in found:
        since, until = (parse_moment(text_at(one, name)) for name in ("openedAt", "expiresAt"))
        attempts = int_at(one, "attemptsLeft")
        rows.append(
            [
                *(printable(text_at(one, name)) for name in ("namespace", "run", "step", "correlationId")),
                render_age(now - since) if since is not None else "",
                (render_age(until - now) if until > now else "over") if until is not None else "",
                str(attempts) if attempts is not None else "",
                _cut(printable(text_at(one, "lastRejection"))),
            ]
        )
    return "\n".join(render_columns(rows if all_namespaces else [row[1:] for row in rows]))


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"


class Schemas:
    """What payloads must be, as far as it is known: of runs whose Reactor is still the one that they keep to."""

    def __init__(self, reactors: Sequence[JsonObject]) -> None:
        self._reactors = {text_at(one, "metadata", "uid"): one for one in reactors}

    def of(self, waiting: Waiting) -> Mapping[str, object]:
        """Return `{"payloadSchema": …}` of an open interrupt, nothing where it has none or it is not known."""
        reactor = self._reactors.get(text_at(waiting, "reactorUid"), {})
        if int_at(reactor, "metadata", "generation") != waiting["reactorGeneration"]:
            return {}
        checked = check_spec(map_at(reactor, "spec"))
        try:
            step = blueprint_of(checked.spec).step(text_at(waiting, "step")) if checked.spec is not None else None
        except (CannotLayOut, KeyError):  # it is inside another Reactor
            return {}
        interrupt = step.interrupt if step is not None else None
        return {"payloadSchema": interrupt.payload_schema} if interrupt is not None and interrupt.payload_schema else {}
