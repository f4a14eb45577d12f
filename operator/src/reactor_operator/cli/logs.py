"""`reactor logs`: what the tasks of a run wrote.

In: a run, perhaps a step. Out: on stdout each pod's log under a heading; of a state file what was kept of each task.
Never here: logs of pods that are gone (the API of the gateway has what was kept of those).
"""

import asyncio
import sys
from pathlib import Path

from reactor_operator.cli.cluster import Cluster, on_cluster
from reactor_operator.cli.errors import EXIT_OK, CommandError
from reactor_operator.cli.options import ClusterOptions
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.state_file import open_store
from reactor_operator.cli.stored_maps import find_run
from reactor_operator.engine.failures import printable
from reactor_operator.engine.identity import Task, parse_task_key
from reactor_operator.kube.errors import Invalid
from reactor_operator.kube.fields import JsonObject, map_at, text_at
from reactor_operator.kube.paths import POD, REACTOR_RUN
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.kept_logs import decode_log
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


def kept_logs_command(run: str, state: Path, *, step: str | None, namespace: str | None) -> int:
    """Print the logs that a state file keeps of a run, in the order of the manifest. Raises CommandError."""
    if not state.exists():
        raise CommandError(f"--state {state}: found no file, expected that of a `reactor run --state`")

    async def work() -> None:
        async with open_store(state) as store:
            known = await find_run(store, run, namespace)
            uid = known.definition.run.uid
            tasks = [task for key in await store.logged_tasks(uid) if (task := parse_task_key(key)) is not None]
            wanted = [task for task in tasks if step is None or task.path == step]
            if not wanted:
                of = f"step '{step}' of run '{run}'" if step is not None else f"run '{run}'"
                print(f"{of}: nothing is kept: no task printed anything, or its values are sensitive", file=sys.stderr)
            for task in sorted(wanted, key=lambda task: _place(known, task)):
                print(f"==> {task.path} {task.action} attempt {task.attempt} <==")
                log = decode_log(await store.get_log(uid, task.key) or b"")
                if log is not None:
                    cut = "(the beginning is not kept)\n" if log.cut else ""
                    sys.stdout.write(cut + printable(log.text.decode()))

    asyncio.run(work())
    return EXIT_OK


def _place(known: KnownRun, task: Task) -> tuple[int, str, int, int, int]:
    step = known.plan.steps.get(task.path.partition("[")[0])
    index = step.index if step is not None else len(known.plan.steps)
    return index, task.path, task.round, task.attempt, task.launch


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
