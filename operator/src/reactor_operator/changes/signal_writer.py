"""What is written of a signal: where its id was found, the run that owns it, its status, and in the end its deletion.

In: a signal as it was read, and what is to be written. Out: the signal as it is then, None where this very one is gone.
Each may be repeated. Never here: when it is written.
"""

from reactor_operator.changes.signal_object import FoundInterrupt, SignalObject, parse_signal, render_found
from reactor_operator.changes.signal_rules import Answer
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import Conflict
from reactor_operator.kube.fields import JsonObject
from reactor_operator.kube.moments import render_moment
from reactor_operator.kube.paths import REACTOR_RUN, REACTOR_SIGNAL
from reactor_operator.ports import RunRef


class SignalWriter:
    """Writes signals on the API server. Every call raises Unavailable and ApiError."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def own(self, signal: SignalObject, run: RunRef) -> SignalObject | None:
        """Make the run an owner: the signal goes with it. Raises Conflict where the signal was changed meanwhile."""
        owner = {
            "apiVersion": REACTOR_RUN.api_version,
            "kind": REACTOR_RUN.name,
            "name": run.name,
            "uid": run.uid,
            "controller": False,
            "blockOwnerDeletion": False,
        }
        metadata = {
            "uid": signal.uid,
            "resourceVersion": signal.version,
            "ownerReferences": [*signal.owners, owner],
        }
        return self._read(await self._client.patch(self._path(signal), {"metadata": metadata}))

    async def send(self, signal: SignalObject, found: FoundInterrupt) -> SignalObject | None:
        """Write where its id was found. Raises Conflict where the signal was changed meanwhile."""
        body = {
            "metadata": {"uid": signal.uid, "resourceVersion": signal.version},
            "status": {"phase": "Pending", "reason": None, "found": render_found(found)},
        }
        return self._read(await self._client.patch(self._path(signal, "status"), body))

    async def answer(self, signal: SignalObject, answer: Answer, now: int) -> SignalObject | None:
        """Write the answer; `now` (int ms) is when it came."""
        status = {
            "phase": answer.phase.value,
            "reason": answer.reason or None,
            "errors": list(answer.errors) or None,
            "answeredAt": render_moment(now),
        }
        return await self._status(signal, status)

    async def pending(self, signal: SignalObject, reason: str) -> SignalObject | None:
        """Write what it waits for."""
        return await self._status(signal, {"phase": "Pending", "reason": reason})

    async def remove(self, signal: SignalObject) -> None:
        """Delete it."""
        try:
            await self._client.delete(self._path(signal), uid=signal.uid)
        except Conflict:
            return  # another one has the name by now: this one is gone

    async def read(self, signal: SignalObject) -> SignalObject | None:
        """Read it anew."""
        found = self._read(await self._client.get(self._path(signal)))
        return found if found is not None and found.uid == signal.uid else None

    async def _status(self, signal: SignalObject, status: JsonObject) -> SignalObject | None:
        body = {"metadata": {"uid": signal.uid}, "status": status}
        try:
            return self._read(await self._client.patch(self._path(signal, "status"), body))
        except Conflict:
            return None  # the uid is another one's

    def _path(self, signal: SignalObject, subresource: str = "") -> str:
        return REACTOR_SIGNAL.object(signal.namespace, signal.name, subresource)

    def _read(self, found: JsonObject | None) -> SignalObject | None:
        return None if found is None else parse_signal(found)
