"""A laptop as the API of a gateway asks a cluster: its runs, its reactors, and the one person who sits before it.

In: a store, manifests, the runs that this process drives. Out: what the ports of `gateway` ask for. Never here: a run
that is driven (`keeper`), or who is let in at all (`guard`).
"""

import getpass
import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from reactor_operator.api.check import check_spec
from reactor_operator.cli.dashboard.mirror import LaptopMirror
from reactor_operator.cli.dashboard.stored_objects import StoredObjects
from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.laptop import NAMESPACE, WallClock, reactor_object
from reactor_operator.cli.manifests import Manifests
from reactor_operator.cli.moments import render_moment
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.reviews import Caller, Right
from reactor_operator.kube.fields import JsonObject
from reactor_operator.ports import ReactorObject
from reactor_operator.reconciling.definition import Definition
from reactor_operator.status.reactors import render_reactor_status


@dataclass(frozen=True, slots=True)
class OnePerson:
    """Implements `gateway.reviews.Reviews`: whoever has the bearer may do everything, for all of this is theirs."""

    bearer: str = field(repr=False)

    async def identify(self, token: str) -> Caller | None:
        """Return who sits before the laptop."""
        return Caller(name=_user()) if hmac.compare_digest(token.encode(), self.bearer.encode()) else None

    async def allows(self, caller: Caller, right: Right) -> bool:
        """Allow it."""
        return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        return "laptop"


@dataclass(slots=True)
class LaptopObjects:
    """Implements `gateway.api.ports.Objects` and `gateway.targets.Runs`.

    refusal: tells why nothing can be asked of a run here, empty where it can.
    waiting: runs of which nothing is stored yet, as objects by namespace and name.
    """

    stored: StoredObjects
    mirror: LaptopMirror
    manifests: Manifests
    refusal: Callable[[str], str]
    waiting: dict[tuple[str, str], JsonObject] = field(default_factory=dict)
    _pinned: dict[tuple[str, str], tuple[int, ReactorObject]] = field(default_factory=dict)
    _since: int = field(default_factory=lambda: WallClock().now())

    def remember(self, definition: Definition) -> None:
        """Note the reactors that a run keeps to: where the manifests have no other ones, they are shown."""
        if definition.spec is None:
            return
        specs = {definition.reactor_name: definition.spec, **definition.composed}
        for name, spec in specs.items():
            where = (definition.run.namespace, name)
            if where not in self._pinned or self._pinned[where][0] <= definition.created_at:
                self._pinned[where] = (definition.created_at, reactor_object(*where, spec))

    async def find_run(self, namespace: str, name: str) -> str | None:
        """Return the uid of a run. Raises Refusal (409) where nothing can be asked of it here."""
        known = self.mirror.index.get(namespace, name)
        if known is None:
            return None
        if words := self.refusal(known.uid):
            raise Refusal(409, words)
        return known.uid

    async def run(self, namespace: str, name: str) -> JsonObject:
        """Return a run as it is stored now. Raises Refusal (404)."""
        known = self.mirror.index.get(namespace, name)
        try:
            found = await self.stored.object(known.uid) if known is not None else None
        except CommandError as problem:
            raise Refusal(404, str(problem)) from None
        found = found or self.waiting.get((namespace, name))
        if found is None:
            raise Refusal(404, f"there is no run {name!r} in namespace {namespace}")
        return found

    async def reactor(self, namespace: str, name: str) -> JsonObject:
        """Return a reactor. Raises Refusal (404)."""
        found = await self.find_reactor(namespace, name)
        if found is None:
            raise Refusal(404, f"there is no reactor {name!r} in namespace {namespace}")
        return found

    async def find_reactor(self, namespace: str, name: str) -> JsonObject | None:
        """Return a reactor of the manifests, else as a run keeps to it."""
        written = self.manifests.reactor(name, namespace)
        if written is not None:
            return self._shown(reactor_object(namespace, name, written.spec), self._since)
        pinned = self._pinned.get((namespace, name))
        return self._shown(pinned[1], pinned[0]) if pinned is not None else None

    async def reactors(self, namespace: str | None) -> AsyncIterator[JsonObject]:
        """Yield all reactors of a namespace, or of all."""
        written = {(one.namespace or NAMESPACE, one.name) for one in self.manifests.reactors}
        pinned = {where for where in self._pinned if self.manifests.reactor(where[1], where[0]) is None}
        for where, name in sorted(written | pinned):
            if namespace in (None, where) and (found := await self.find_reactor(where, name)) is not None:
                yield found

    @staticmethod
    def _shown(reactor: ReactorObject, created_at: int) -> JsonObject:
        judged = render_reactor_status(reactor, check_spec(reactor.spec), {}, created_at)
        return {
            "metadata": {
                "name": reactor.name,
                "namespace": reactor.namespace,
                "uid": reactor.uid,
                "generation": reactor.generation,
                "creationTimestamp": render_moment(created_at),
            },
            "spec": dict(reactor.spec),
            "status": dict(judged),
        }
