"""What a dashboard shows of a laptop: the runs of a store, those that the command drives, and what they need to go on.

In: a store, manifests, runs as they move. Out: the ports of the API and of `keeper`. Never here: HTTP, or a run that is
driven.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from reactor_operator.cli.check import SoundRun, check_manifests
from reactor_operator.cli.choose import make_run
from reactor_operator.cli.dashboard.mirror import LaptopMirror
from reactor_operator.cli.dashboard.objects import LaptopObjects
from reactor_operator.cli.dashboard.stored_objects import StoredObjects
from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.laptop import NAMESPACE, LaptopRun
from reactor_operator.cli.manifests import Manifests
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.stored import load_inputs
from reactor_operator.encryption import Keyring
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.port import Store, StoreUnavailable

Say = Callable[[str], None]


@dataclass(slots=True)
class LaptopWorld:
    """What is shown: the runs of the store, and those that are still to be stored. Implements `keeper.Drivable`."""

    store: Store
    keys: Keyring
    manifests: Manifests
    path: str
    mirror: LaptopMirror = field(default_factory=LaptopMirror)
    stored: StoredObjects = field(init=False)
    objects: LaptopObjects = field(init=False)
    _given: dict[str, LaptopRun] = field(default_factory=dict)
    _reactors: dict[str, tuple[RunRef, str]] = field(default_factory=dict)
    _looked_at: set[str] = field(default_factory=set)
    _sound: dict[str, SoundRun | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stored = StoredObjects(self.store, self.keys)
        self.objects = LaptopObjects(self.stored, self.mirror, self.manifests, self.refusal)

    def give(self, run: LaptopRun) -> None:
        """Take a run that the command is to drive."""
        self._given[run.ref.uid] = run
        if self.mirror.index.get(run.ref.namespace, run.ref.name) is None:
            self._show(run.view({}))

    def look(self, view: RunView) -> None:
        """Take a run as it is driven."""
        self._looked_at.add(view.uid)
        self._show(view)

    def _show(self, view: RunView) -> None:
        self.objects.waiting[view.namespace, view.name] = view.object
        self.mirror.put(view.object)

    def forgotten(self, ref: RunRef) -> None:
        """Drop a run that was deleted."""
        self.objects.waiting.pop((ref.namespace, ref.name), None)
        self.mirror.remove(ref.namespace, ref.name)

    async def read(self, say: Say) -> None:
        """Take all runs of the store. One that cannot be read is told, and left out."""
        for uid in sorted(await self.store.stored_runs()):
            try:
                known = await self.stored.known(uid)
                if known is not None:
                    self._take(known)
                    found = await self.stored.object_of(known)
                    if uid not in self._looked_at:  # else something newer was told meanwhile
                        self.mirror.put(found)
            except (CommandError, StoreUnavailable) as problem:
                say(f"error: {problem}")
            await asyncio.sleep(0)
        self.mirror.ready = True

    def _take(self, known: KnownRun) -> None:
        self.objects.remember(known.definition)
        self._reactors[known.definition.run.uid] = known.definition.run, known.definition.reactor_name

    def refusal(self, uid: str) -> str:
        """Tell why nothing can be asked of a run here, empty where it can."""
        if uid in self._given or uid not in self._reactors:
            return ""
        found = self._judged(*self._reactors[uid])
        return found if isinstance(found, str) else ""

    async def laptop_run(self, uid: str) -> LaptopRun | None:
        """Return a run with what it needs to be driven, None where that is not here. Raises CommandError."""
        if uid in self._given:
            return self._given[uid]
        known = await self.stored.known(uid)
        if known is None:
            return None
        self._take(known)
        definition = known.definition
        sound = self._judged(definition.run, definition.reactor_name)
        if isinstance(sound, str):
            return None
        inputs = await load_inputs(self.store, known, self.keys) or {}
        return LaptopRun(sound=sound, inputs=inputs, ref=definition.run, created_at=definition.created_at)

    def _judged(self, ref: RunRef, reactor: str) -> SoundRun | str:
        """Return a run with its Reactor as the manifests have them, or why it cannot go on here."""
        if ref.uid not in self._sound:
            self._sound[ref.uid] = self._judge(ref, reactor)
        return self._sound[ref.uid]

    def _judge(self, ref: RunRef, reactor: str) -> SoundRun | str:
        written = self.manifests.reactor(reactor, ref.namespace)
        if written is None:
            found = f"no Reactor {reactor!r}" if self.manifests.reactors else "no Reactors"
            words = f"{self.path} has {found}; start the command with --manifests FILE|DIR"
            return f"run {ref.name!r} cannot go on here: {words}"
        name = (ref.namespace, ref.name, reactor)
        own = [one for one in self.manifests.runs if (one.namespace or NAMESPACE, one.name, one.reactor_name) == name]
        checked = check_manifests(self.manifests, runs=[own[0] if own else make_run(written, ref.name)])
        if checked.runs:
            return checked.runs[0]
        wrong = next((str(finding) for finding in checked.findings if not finding.warning), "it is not sound")
        return f"run {ref.name!r} cannot go on here: {wrong}"
