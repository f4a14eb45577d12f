"""Runs of a laptop's store as the API server of a cluster would have them: what they were started with, how they stand.

In: a store and the uid of a run. Out: a ReactorRun as JSON. Never here: its inputs, a write, or trust in a record that
cannot be read: such a run is told as one, by a CommandError.
"""

from collections.abc import Mapping

from reactor_operator.cli.manifests import API_VERSION
from reactor_operator.cli.moments import render_moment
from reactor_operator.cli.stored import load_known
from reactor_operator.encryption import Keyring
from reactor_operator.engine.actions import Announce
from reactor_operator.kube.fields import JsonObject
from reactor_operator.ports import Rendering, RunRef
from reactor_operator.reconciling.documents import DocumentCache, Documents
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.reconciling.reporting import Reporter
from reactor_operator.store.port import Store


class _Kept:
    """Implements `ports.Board`: keeps what it is told of one run."""

    def __init__(self) -> None:
        self.status: Mapping[str, object] = {}

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        self.status = await render()

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        raise AssertionError(f"run {ref.name}: nothing is announced by whoever only looks")


class StoredObjects:
    """Reads runs."""

    def __init__(self, store: Store, keys: Keyring) -> None:
        self._store = store
        self._keys = keys
        self._cache = DocumentCache()

    async def known(self, uid: str) -> KnownRun | None:
        """Return a run as it is stored, None where nothing is. Raises CommandError."""
        return await load_known(self._store, RunRef("", uid, uid))

    async def object(self, uid: str) -> JsonObject | None:
        """Return a run as an object, None where nothing is stored of it. Raises CommandError."""
        known = await self.known(uid)
        return None if known is None else await self.object_of(known)

    async def object_of(self, known: KnownRun) -> JsonObject:
        """Return a run as an object."""
        definition, board = known.definition, _Kept()
        documents = Documents(definition.run.uid, self._store, self._cache, self._keys)
        await Reporter(board, self._store).report(known, documents)
        spec: dict[str, object] = {"reactorRef": {"name": definition.reactor_name}}
        if definition.key is not None:
            spec["idempotencyKey"] = definition.key
        return {
            "apiVersion": API_VERSION,
            "kind": "ReactorRun",
            "metadata": {
                "name": definition.run.name,
                "namespace": definition.run.namespace,
                "uid": definition.run.uid,
                "generation": definition.generation,
                "creationTimestamp": render_moment(definition.created_at),
            },
            "spec": spec,
            "status": dict(board.status),
        }
