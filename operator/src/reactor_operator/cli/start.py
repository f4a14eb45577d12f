"""`reactor start`: a new run of a Reactor that is on the cluster.

In: the Reactor's name and inputs. Out: a ReactorRun, and with `--wait` its progress to the end.
Never here: a run whose inputs break the schema; they are refused before anything is made.
"""

from collections.abc import Mapping

from reactor_operator.api.inputs import apply_inputs
from reactor_operator.cli.cluster import Cluster, on_cluster
from reactor_operator.cli.errors import EXIT_FAILED, EXIT_OK, CommandError
from reactor_operator.cli.inputs import read_given
from reactor_operator.cli.options import ClusterOptions, InputOptions
from reactor_operator.cli.watch import watch_run
from reactor_operator.kube.fields import JsonObject, map_at, text_at
from reactor_operator.kube.paths import REACTOR, REACTOR_RUN


class InputsRefused(CommandError):
    """Inputs that break the schema of their Reactor."""

    exit_code = EXIT_FAILED


def start_command(
    reactor: str,
    inputs: InputOptions,
    target: ClusterOptions,
    *,
    name: str | None,
    key: str | None = None,
    wait: bool,
) -> int:
    """Make the run, where a `key` is given of that business transaction. Raises CommandError."""
    given = read_given(inputs).over({})

    async def work(cluster: Cluster) -> int:
        found = await cluster.get(REACTOR, reactor)
        refuse_bad_inputs(reactor, map_at(found, "spec", "inputsSchema"), given)
        body = render_run(reactor, given, name, key)
        made = await cluster.client.create(REACTOR_RUN.collection(cluster.namespace), body, strict=True)
        print(f"reactorrun.reactor.run/{text_at(made, 'metadata', 'name')} created", flush=True)
        return await watch_run(cluster, made) if wait else EXIT_OK

    return on_cluster(target, work)


def refuse_bad_inputs(reactor: str, schema: JsonObject, inputs: Mapping[str, object]) -> None:
    """Raise InputsRefused with every problem where inputs break a schema (an empty one: there is none here)."""
    try:
        _, problems = apply_inputs(schema or None, dict(inputs))
    except ValueError:
        return  # not a JSON Schema: the operator says so on the Reactor and on the run
    if problems:
        lines = [str(problem).replace("spec.inputs.", "").replace("spec.inputs", "inputs") for problem in problems]
        raise InputsRefused(
            "\n".join([f"error: the inputs do not fit Reactor '{reactor}':", *(f"  {line}" for line in lines)])
        )


def render_run(reactor: str, inputs: Mapping[str, object], name: str | None, key: str | None = None) -> JsonObject:
    """Return the manifest of a run; without a name the API server makes one from the reactor's."""
    metadata = {"name": name} if name is not None else {"generateName": f"{reactor[:240]}-"}
    spec: dict[str, object] = {"reactorRef": {"name": reactor}}
    if inputs:
        spec["inputs"] = dict(inputs)
    if key is not None:
        spec["idempotencyKey"] = key
    return {"apiVersion": REACTOR_RUN.api_version, "kind": REACTOR_RUN.name, "metadata": metadata, "spec": spec}
