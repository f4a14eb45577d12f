"""What the pods of tasks print, asked of the API server by the gateway's own right to read logs.

In: a run, a task. Out: the log as it comes. Never here: whether whoever asks may see it (`logs`), a pod of a pool.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from reactor_operator.engine.identity import Task, pod_name
from reactor_operator.gateway.api.logs import NoLiveLog
from reactor_operator.gateway.api.stored import is_in_job
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError, Forbidden, Invalid, NotFound
from reactor_operator.kube.paths import POD
from reactor_operator.ports import Unavailable
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.tasks.manifest_spec import STEP

LINES = "5000"


class PodLogs:
    """Implements `LiveLogs` on the API server."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def open(self, known: KnownRun, task: Task, *, follow: bool) -> AsyncGenerator[bytes, None]:
        """Yield the last lines of a log, and what follows."""
        run = known.definition.run
        name = pod_name(run.name, run.uid, task)
        if is_in_job(known, task):
            raise NoLiveLog(f"its pod is named by its Job: kubectl logs -f -n {run.namespace} job/{name}")
        path = POD.object(run.namespace, name, "log")
        query = {"container": STEP, "tailLines": LINES} | ({"follow": "true"} if follow else {})
        try:
            async with aclosing(self._client.stream(path, query)) as parts:
                async for part in parts:
                    yield part
        except NotFound:
            raise NoLiveLog("its pod is not there") from None
        except Invalid:
            raise NoLiveLog("its container has not started") from None
        except Forbidden:
            raise NoLiveLog("the gateway may not read logs of pods in this namespace") from None
        except ApiError as problem:
            raise Unavailable(f"get {path}: {problem}") from problem
