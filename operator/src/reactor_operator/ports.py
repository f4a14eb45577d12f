"""The world as `reconcile` sees it: small ports, each with a real adapter, a laptop adapter and a simulated one.

In: what the engine decided. Out: what the world said. Never here: an implementation.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.api.sensitivity import HARMLESS, Sensitive
from reactor_operator.api.sources import Source
from reactor_operator.engine.actions import Announce, Notify
from reactor_operator.engine.facts import Fact
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.identity import Task
from reactor_operator.engine.state import ENDED, RunPhase
from reactor_operator.evaluation.environment import Environment


class Unavailable(Exception):
    """The API server or a container engine did not answer; repeat later. Whether a write took effect is open."""


@dataclass(frozen=True, slots=True)
class RunRef:
    """Which run: the object's namespace, name and uid."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunObject:
    """A ReactorRun as the API server (or a manifest) has it, unparsed where users write."""

    ref: RunRef
    generation: int
    created_at: int
    spec: Mapping[str, object]
    annotations: Mapping[str, str]
    status: Mapping[str, object]
    resource_version: str = ""
    deleting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactorObject:
    """A Reactor as the API server (or a manifest) has it."""

    namespace: str
    name: str
    uid: str
    generation: int
    spec: Mapping[str, object]


class Definitions(Protocol):
    """Live reads of the two kinds, never from a cache. Both return None for 404 and raise Unavailable otherwise."""

    async def get_run(self, ref: RunRef) -> RunObject | None:
        """Return the run with this uid; another uid under the same name is None."""

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        """Return the reactor of this name."""

    async def get_config(self, namespace: str, name: str, key: str) -> str | None:
        """Return one key of a ConfigMap (for `inputsSchemaFrom`), None where map or key is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRun:
    """A run as it was last told by a watch: which it is, since when it exists, and the phase in its status.

    finished_at: int ms, None while it has not ended.
    """

    ref: RunRef
    reactor: str
    created_at: int
    phase: str
    finished_at: int | None = None

    @property
    def is_pending(self) -> bool:
        """Whether nothing was told of its start."""
        return self.phase in ("", RunPhase.PENDING.value)

    @property
    def is_over(self) -> bool:
        """Whether its end was told. It may have been taken up again since."""
        return self.phase in ENDED


class Siblings(Protocol):
    """The runs of one reactor, as a watch tells them: all that exist are there, their phases may be a moment old."""

    def unfinished(self, namespace: str, reactor: str, also: Set[str] = frozenset()) -> Sequence[ToldRun] | None:
        """Return the runs that were not told as ended, and of the uids in `also` those that were.

        None while not all runs have been told yet.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOrder:
    """Everything a launcher needs to launch one task; the same task always gives the same order, byte for byte.

    arguments, result, failure: JSON documents (result only for undo, failure only for compensate).
    request:     what an http action sends, a JSON document.
    forward_key: the idempotency key of the action that a compensate or undo reverses.
    sensitive:   what of it must not be shown: in a manifest, in what is reported of a failure.
    after:       the task of the same step whose pod must be known dead before this one starts.
    chunk:       the pod takes this task from a queue of its own, and those that share a chunk with it.
    traceparent: what the task hands on to those it calls (W3C Trace Context); empty where runs are not traced.
    """

    run: RunRef
    reactor: str
    spec: ReactorSpec
    step: Step
    task: Task
    arguments: bytes
    result: bytes | None
    failure: bytes | None
    uncertain: bool
    idempotency_key: str
    forward_key: str
    after: Task | None
    request: bytes | None = None
    sensitive: Sensitive = HARMLESS
    chunk: bool = False
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Launched:
    """The task was created, or stood there already and is ours."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """It cannot be done now (previous pod still lives, quota): ask again, at the latest after `again_ms`.

    A `reason` is shown to people and counts against `pendingTimeout`; an empty one is ordinary waiting.
    """

    again_ms: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """It can never be done (a pod of somebody else has the name, the API server calls the pod invalid)."""

    failure: Failure


class Launcher(Protocol):
    """Starts and removes tasks: on the cluster, on the laptop, in the simulation. Both calls may be repeated."""

    @property
    def has_room(self) -> bool:
        """Whether it may start another task now; where it may not, no order is made for it."""

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        """Launch the task unless it stands already. What it does comes back through the inbox. Raises Unavailable."""

    async def retire(
        self,
        run: RunRef,
        spec: ReactorSpec,
        step: Step,
        task: Task,
        *,
        stop: bool,
        failed: bool,
        chunk: bool = False,
        sensitive: bool = False,
    ) -> bool:
        """Remove what is left of a closed task: at once (`stop`), else when it has ended and as `podRetention` says.

        `sensitive`: so are values of it. Where it is of a `chunk`, others may run in its pod, which is left alone until
        it has ended.
        Returns False while that is not possible yet (it still runs). Raises Unavailable.
        """


Rendering = Callable[[], Awaitable[Mapping[str, object]]]
"""Renders a status when it is wanted: for a run of 10,000 steps that costs more than all else a reconcile does."""


class Board(Protocol):
    """Where people look."""

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        """Make what `render` returns the run's status, coalesced as the adapter sees fit. Raises Unavailable."""

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        """Publish a Kubernetes Event (or a line). Repeating one changes nothing. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Which run a fact is about, and of which reactor."""

    run: RunRef
    reactor: str


class Teller(Protocol):
    """Tells the world outside of facts. No call waits, fails, or takes time that the run would notice."""

    @property
    def observed(self) -> bool:
        """Whether facts of runs without notifications are wanted too."""

    def tell(self, about: About, facts: Sequence[Fact]) -> None:
        """Tell observers of facts that are committed."""

    def offer(self, about: About, notices: Sequence[Notify]) -> None:
        """Hand over all that is still to be sent of a run, in order; handing it over again changes nothing.

        What became of each comes back through the inbox, as `NotificationEnded`.
        """

    def distrust(self) -> None:
        """What was reported may be lost with the store: send again what is offered again."""

    def forget(self, uid: str) -> None:
        """Drop what is to be sent of a run that is gone."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A step's condition and arguments (a JSON object); `arguments` is None where the condition was false."""

    proceed: bool
    arguments: bytes | None


class Evaluator(Protocol):
    """Answers evaluations: no effects, bounded time and size."""

    async def evaluate_step(self, step: Step, environment: Environment) -> Evaluated | Failure:
        """Evaluate `when`, then the arguments."""

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        """Return the values of sources by name; `subject` is whose they are, for messages."""

    async def choose(self, conditions: Sequence[str], environment: Environment, subject: str) -> int | Failure | None:
        """Return the place of the first condition that is true, None where none is."""


class Clock(Protocol):
    """Wall clock."""

    def now(self) -> int:
        """Milliseconds since the epoch."""
