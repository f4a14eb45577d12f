"""Pods that do not get going although their status names no reason: found by their age, explained by their Events.

In: a live pod, or a Job without one. Out: a reason for people, empty where nothing is wrong (yet). Never here: the end
of a task; `pendingTimeout` sees to that once a reason is told.
"""

from collections import OrderedDict

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.kube.moments import parse_moment
from reactor_operator.kube.warnings import newest_warning
from reactor_operator.outcomes import pod_facts as facts
from reactor_operator.outcomes.reader import PodReader
from reactor_operator.ports import Clock
from reactor_operator.tasks.manifest_reads import parse_reads
from reactor_operator.tasks.manifest_seal import Sealed
from reactor_operator.tasks.manifest_spec import STEP

CREATING_MS = 20_000
SILENT_MS = 30_000
_REMEMBERED = 10_000


class Stalls:
    """Knows why pods take long to start."""

    def __init__(self, client: KubeClient, reader: PodReader, clock: Clock) -> None:
        self._client = client
        self._reader = reader
        self._clock = clock
        self._checked_in: OrderedDict[str, None] = OrderedDict()

    async def reason(self, pod: JsonObject, sealed: Sealed) -> str:
        """Return why the pod does not start, where it should have by now. Raises Unavailable, StoreUnavailable."""
        if facts.is_over(pod) or facts.waiting_reason(pod):
            return ""
        started = facts.started_at(facts.container_status(pod, STEP))
        if started is None:
            return (
                (await newest_warning(self._client, pod) or "ContainerCreating") if self._age(pod) > CREATING_MS else ""
            )
        if not parse_reads(sealed.reads).python or self._clock.now() - started <= SILENT_MS:
            return ""
        if await self._is_checked_in(pod, sealed):
            return ""
        return "NotCheckedIn: its container runs, but the agent in it has not reached the gateway"

    async def podless(self, job: JsonObject) -> str:
        """Return why a Job makes no pod (a quota, mostly) and should have by now. Raises Unavailable, ApiError."""
        if self._age(job) <= CREATING_MS:
            return ""
        return await newest_warning(self._client, job) or "NoPod: its Job has made no pod"

    def _age(self, found: JsonObject) -> int:
        created = parse_moment(text_at(found, "metadata", "creationTimestamp"))
        return self._clock.now() - created if created is not None else 0

    async def _is_checked_in(self, pod: JsonObject, sealed: Sealed) -> bool:
        uid = text_at(pod, "metadata", "uid")
        if uid in self._checked_in:
            return True
        if not await self._reader.is_checked_in(sealed):
            return False
        self._checked_in[uid] = None
        while len(self._checked_in) > _REMEMBERED:
            self._checked_in.popitem(last=False)
        return True
