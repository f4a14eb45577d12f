"""The logs of pods, read when their tasks have ended and before the pods go.

In: closed tasks whose pods are about to be removed. Out: the end of each log in the store.
Never here: a task, or a run, that waits for a log: one that cannot be read in time is lost, and that is no failure. The
log of a task whose values are sensitive is not read, unless that was asked for.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import aclosing

import structlog

from reactor_operator.engine.history import is_told
from reactor_operator.engine.identity import Task, pod_name
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import text_at
from reactor_operator.kube.paths import JOB, POD, Kind
from reactor_operator.ports import RunRef, Unavailable
from reactor_operator.store.kept_logs import LOG_BYTES, LogSettings, encode_log, end_of
from reactor_operator.store.port import Logs, StoreUnavailable
from reactor_operator.tasks.manifest_spec import STEP

_AT_ONCE = 8
_WAITING = 1_000
_REMEMBERED = 10_000
_LINES = "5000"
_log = structlog.get_logger("reactor_operator.tasks")


class LogKeeper:
    """Keeps logs, few at once."""

    def __init__(
        self,
        client: KubeClient,
        store: Logs,
        settings: LogSettings,
        moved: Callable[[RunRef], None] = lambda run: None,
    ) -> None:
        """`moved` is told of a run of which a log was read: a pod of it may go now."""
        self._moved = moved
        self._client = client
        self._store = store
        self._settings = settings
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._reading: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._done: OrderedDict[tuple[str, str], None] = OrderedDict()

    def is_settled(self, run: RunRef, task: Task, kind: Kind, *, sensitive: bool) -> bool:
        """Tell whether the pod of a task may go: its log was read, or is not to be. Begins to read it."""
        key = (run.uid, task.key)
        if key in self._done or not is_told(task.path) or (sensitive and not self._settings.sensitive):
            return True
        if key not in self._reading:
            if len(self._reading) >= _WAITING:
                return True
            self._reading[key] = asyncio.create_task(self._keep(run, task, kind))
        return False

    async def close(self) -> None:
        """Read no more."""
        reading = list(self._reading.values())
        for one in reading:
            one.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    async def _keep(self, run: RunRef, task: Task, kind: Kind) -> None:
        key = (run.uid, task.key)
        try:
            async with self._turns:
                found = await self._read(run, task, kind)
                if found is not None:
                    text, cut = found
                    body = await asyncio.to_thread(lambda: encode_log(end_of(text, cut=cut)))
                    await self._store.put_log(run.uid, task.key, body, self._settings.run_bytes)
        except (ApiError, Unavailable, StoreUnavailable) as problem:
            _log.info(
                "the log of a task is lost", run=f"{run.namespace}/{run.name}", task=task.key, problem=str(problem)
            )
        except Exception:
            _log.exception("the log of a task cannot be kept: this is a bug", task=task.key)
        finally:
            del self._reading[key]
            self._done[key] = None
            if len(self._done) > _REMEMBERED:
                self._done.popitem(last=False)
        self._moved(run)

    async def _read(self, run: RunRef, task: Task, kind: Kind) -> tuple[bytes, bool] | None:
        """Return the end of what the pod of a task printed, and whether that is not all; None where there is no pod."""
        name = pod_name(run.name, run.uid, task)
        if kind is JOB:
            selector = {"labelSelector": f"batch.kubernetes.io/job-name={name}"}
            pods = (await self._client.list(POD.collection(run.namespace), selector)).items
            if not pods:
                return None
            newest = max(pods, key=lambda pod: text_at(pod, "metadata", "creationTimestamp"))
            name = text_at(newest, "metadata", "name")
        parts: deque[bytes] = deque()
        size, cut = 0, False
        try:
            async with asyncio.timeout(self._settings.seconds):
                query = {"container": STEP, "tailLines": _LINES}
                async with aclosing(self._client.stream(POD.object(run.namespace, name, "log"), query)) as stream:
                    async for part in stream:
                        parts.append(part)
                        size += len(part)
                        while size - len(parts[0]) > LOG_BYTES:
                            size, cut = size - len(parts.popleft()), True
        except TimeoutError:
            return None
        text = b"".join(parts)
        return text, cut or text.count(b"\n") >= int(_LINES)
