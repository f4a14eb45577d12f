"""`reactor cancel|undo|retry|skip|resume|suspend`: ask a run, on a cluster or in a state file, for something.

In: a run's name and what is asked. Out: an annotation on the run, and the answer from its status; or the same in the
store of a laptop, where the run then goes on at once. Raises CommandError with the reason where it is refused.
Never here: a decision.
"""

import asyncio
import json
import secrets
import time

from reactor_operator.cli.asked import Asked, find_answer, refuse_rejected
from reactor_operator.cli.cluster import Cluster, on_cluster
from reactor_operator.cli.errors import EXIT_OK, CommandError
from reactor_operator.cli.options import ClusterOptions, StateOptions
from reactor_operator.kube.fields import map_at, text_at
from reactor_operator.kube.paths import REACTOR_RUN

ANSWER_SECONDS = 20.0
_LOOK_SECONDS = 0.25


def signal_command(asked: Asked, target: ClusterOptions, state: StateOptions) -> int:
    """Ask, and print the answer. Raises CommandError."""
    if state.file is not None:
        from reactor_operator.cli.run import RunCommand

        if target.context is not None or target.kubeconfig is not None:
            raise CommandError(
                "--state names a run of this machine, --context and --kubeconfig name a cluster: leave one away"
            )
        asking = RunCommand(path=state.path, run=asked.run, namespace=target.namespace, state=state.file, asked=asked)
        return asking.execute()

    async def work(cluster: Cluster) -> tuple[str, str]:
        await cluster.get(REACTOR_RUN, asked.run)  # says what is wrong with the name
        name = f"cli-{secrets.token_hex(6)}"
        annotations = {f"reactor.run/{asked.action}.{name}": json.dumps(asked.said)}
        path = REACTOR_RUN.object(cluster.namespace, asked.run)
        await cluster.client.patch(path, {"metadata": {"annotations": annotations}})
        return await _answer(cluster, path, name, deletes=asked.said.get("delete") is True)

    phase, reason = on_cluster(target, work)
    note = f": {reason}" if reason not in ("", asked.said.get("reason")) else ""
    print(f"reactorrun.reactor.run/{asked.run} {asked.words} accepted, the run is {phase}{note}")
    return EXIT_OK


async def _answer(cluster: Cluster, path: str, name: str, *, deletes: bool) -> tuple[str, str]:
    """Wait for the answer and return the phase of the run, and the reason in the answer.

    Raises CommandError where it is refused or does not come.
    """
    give_up_at = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < give_up_at:
        found = await cluster.client.get(path)
        if found is None and deletes:  # it was asked to go, and went faster than the next look
            return "Undone and deleted", ""
        if found is None:
            raise CommandError("the run was deleted before it was answered")
        if (answer := find_answer(map_at(found, "status"), name)) is not None:
            refuse_rejected(answer)
            return text_at(found, "status", "phase"), text_at(answer, "reason")
        await asyncio.sleep(_LOOK_SECONDS)
    raise CommandError(
        f"no answer within {ANSWER_SECONDS:g} s; the request stands and is answered in status.signals, as {name}: "
        "is the operator running, and does it watch this namespace?"
    )
