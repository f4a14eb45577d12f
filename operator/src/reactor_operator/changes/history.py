"""Finished runs beyond `history` of their reactor: the oldest are deleted.

In: reactors as the watch tells them, and the finished runs it has told. Out: deletions, each after a live read of the
reactor and of the run and a look into the store. Never here: a list, or the deletion of a run whose reactor is gone.

What is known of runs may be a part of them, right after a start. A run with so many newer ones among a part has them
among all: nothing goes that would not go later.
"""

import asyncio

import structlog

from reactor_operator.api.envelope import check_model
from reactor_operator.api.reactor import History
from reactor_operator.changes.removal import remove_finished
from reactor_operator.changes.siblings import KEPT, Reactor, Shelf, ToldRuns
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.ports import Definitions, ReactorObject, RunRef, Unavailable
from reactor_operator.store.port import RunStore, StoreUnavailable

AT_ONCE = 200
_PAUSE_SECONDS = 1.0
_AGAIN_SECONDS = 5.0
_log = structlog.get_logger("reactor_operator.changes")


class Trimmer:
    """Keeps as many finished runs of each reactor as its `history` says."""

    def __init__(self, client: KubeClient, definitions: Definitions, store: RunStore, told: ToldRuns) -> None:
        self._client = client
        self._definitions = definitions
        self._store = store
        self._told = told
        self._limits: dict[Reactor, History] = {}
        self._full: dict[Reactor, None] = {}
        self._wake = asyncio.Event()

    def reactor_changed(self, reactor: ReactorObject) -> None:
        """Take down what the reactor says. One that says nothing sound is left alone."""
        where = (reactor.namespace, reactor.name)
        limit = parse_history(reactor)
        if limit is None:
            self._limits.pop(where, None)
        else:
            self._limits[where] = limit
            self.ended(where)

    def reactor_gone(self, reactor: Reactor) -> None:
        """The reactor was deleted: its runs stay."""
        self._limits.pop(reactor, None)

    def ended(self, reactor: Reactor) -> None:
        """A run of the reactor has ended: look whether there are too many by now."""
        limit = self._limits.get(reactor)
        if limit is not None and any(self._surplus(reactor, kept, limit) > 0 for kept in KEPT):
            self._full[reactor] = None
            self._wake.set()

    async def run(self) -> None:
        """Delete what is too much until cancelled; runs that end together are seen to together."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_PAUSE_SECONDS)
            self._wake.clear()
            full, self._full = list(self._full), {}
            refused = [reactor for reactor in full if not await self._trim_safely(reactor)]
            if refused:
                await asyncio.sleep(_AGAIN_SECONDS)
                for reactor in refused:
                    self.ended(reactor)

    async def _trim_safely(self, reactor: Reactor) -> bool:
        """Trim; False where something could not be done."""
        try:
            return await self.trim(reactor)
        except (Unavailable, StoreUnavailable) as problem:
            _log.warning("finished runs could not be looked at", reactor="/".join(reactor), problem=str(problem))
        except Exception:
            _log.exception("the history of a Reactor cannot be trimmed: this is a bug", reactor="/".join(reactor))
        return False

    async def trim(self, reactor: Reactor) -> bool:
        """Delete the oldest finished runs that are too much, so many at once that others have their turn too.

        False where one of them could not be deleted. Raises Unavailable, StoreUnavailable.
        """
        found = await self._definitions.get_reactor(*reactor)
        if found is None:
            self.reactor_gone(reactor)
            return True
        limit = parse_history(found)
        if limit is None:
            return True
        done = True
        for kept in KEPT:
            surplus = self._surplus(reactor, kept, limit)
            for run in self._told.oldest_ended(reactor, kept, min(surplus, AT_ONCE)):
                done = await self._delete(run.ref) and done
        self._limits[reactor] = limit
        if done:
            self.ended(reactor)
        return done

    def _surplus(self, reactor: Reactor, kept: Shelf, limit: History) -> int:
        most = limit.succeeded if kept is Shelf.SUCCEEDED else limit.failed
        return max(self._told.count(reactor, kept) - most, 0)

    async def _delete(self, ref: RunRef) -> bool:
        """Delete a run, if it still is what it was told to be; False where that is to be tried again."""
        where = f"{ref.namespace}/{ref.name}"
        try:
            run = await self._definitions.get_run(ref)
            if run is None or run.deleting:
                self._told.drop(ref.uid)
            elif await remove_finished(self._client, self._store, run):
                self._told.drop(ref.uid)
                _log.info("a finished run beyond the history of its Reactor was deleted", run=where)
            else:
                return False
        except (Unavailable, StoreUnavailable, ApiError) as problem:
            _log.warning("a finished run could not be deleted", run=where, problem=str(problem))
            return False
        return True


def parse_history(reactor: ReactorObject) -> History | None:
    """Return what the reactor says of its history, None where that is not sound."""
    return check_model(History, reactor.spec.get("history", {}), base="spec.history")[0]
