"""A ReactorRun as the commands read it: total access to its status, wherever it came from.

In: the JSON object of a run, from the API server or from the laptop. Out: frozen views; missing fields are empty.
Never here: printing, an exception for an odd status, or a message that could move the cursor.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from reactor_operator.api.duration import parse_duration
from reactor_operator.cli.errors import EXIT_FAILED, EXIT_OK, EXIT_PAUSED
from reactor_operator.cli.moments import parse_moment
from reactor_operator.engine.failures import printable
from reactor_operator.kube.fields import JsonObject, int_at, map_at, maps_at, text_at

SUCCESSFUL = frozenset({"Succeeded", "Halted"})
ENDED = SUCCESSFUL | {"Failed", "Cancelled", "Undone"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapView:
    """How far a map has come, in elements; `total` is None while nobody knows it."""

    total: int | None
    running: int
    succeeded: int
    failed: int
    skipped: int
    undone: int

    @property
    def ended(self) -> int:
        """How many have ended, whichever way."""
        return self.succeeded + self.failed + self.skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step of a run.

    took:      seconds, whole ones only; None until it has ended.
    message:   what went wrong, or what it waits for.       cleanup: why it was not reversed.
    map:       of a map that has begun, how far it has come.
    """

    name: str
    phase: str
    round: int
    attempts: int
    completion: int
    took: float | None
    kind: str
    message: str
    cleanup: str
    pod: str
    map: MapView | None = None

    @property
    def failed(self) -> bool:
        """Whether a failure is recorded."""
        return bool(self.kind)


@dataclass(frozen=True)
class RunView:
    """One run."""

    object: JsonObject

    @property
    def name(self) -> str:
        """The run's name."""
        return text_at(self.object, "metadata", "name")

    @property
    def uid(self) -> str:
        """The run's uid."""
        return text_at(self.object, "metadata", "uid")

    @property
    def namespace(self) -> str:
        """The run's namespace."""
        return text_at(self.object, "metadata", "namespace")

    @property
    def reactor(self) -> str:
        """The Reactor's name."""
        return text_at(self.object, "spec", "reactorRef", "name")

    @property
    def status(self) -> JsonObject:
        """The run's status, empty before it has one."""
        return map_at(self.object, "status")

    @property
    def phase(self) -> str:
        """The phase; Pending before there is a status."""
        return text_at(self.status, "phase") or "Pending"

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return self.phase in ENDED

    @property
    def waits_for_its_start(self) -> bool:
        """Whether the status says that the run has not started; there may be none yet."""
        return self.phase == "Pending" and bool(self.status)

    @property
    def exit_code(self) -> int:
        """What the command exits with for a run that is left in this phase."""
        if self.phase in SUCCESSFUL:
            return EXIT_OK
        return EXIT_FAILED if self.ended else EXIT_PAUSED

    @property
    def interrupts(self) -> list[str]:
        """The steps that wait for a signal, where nothing else goes on."""
        if self.phase != "Paused":
            return []
        return [printable(text_at(one, "step")) for one in maps_at(self.status, "interrupts")]

    @property
    def message(self) -> str:
        """What the status says in one sentence."""
        return printable(text_at(self.status, "message"))

    @property
    def failure(self) -> str:
        """Why the run failed: `ship: message`, empty where it did not."""
        failure = map_at(self.status, "failure")
        step, message = text_at(failure, "step"), printable(text_at(failure, "message")) or text_at(failure, "kind")
        if not step or not message or message.startswith(f"step {step}:"):
            return message
        return f"{step}: {message}"

    @property
    def taken_from(self) -> str:
        """The run whose outcome this one took instead of acting: `run NAME`, empty where it acted itself."""
        name = printable(text_at(self.status, "takenFrom", "name"))
        return f"run {name}" if name else ""

    @property
    def took(self) -> float | None:
        """Seconds from start to end, None while it goes on. `duration` is finer than the two times."""
        if not self.ended:
            return None
        try:
            return parse_duration(text_at(self.status, "duration")) / 1000
        except ValueError:
            return _took(self.status)

    @property
    def started_at(self) -> float | None:
        """When it started, in seconds since the epoch."""
        return parse_moment(text_at(self.status, "startedAt"))

    @property
    def created_at(self) -> float | None:
        """When the object was made, in seconds since the epoch."""
        return parse_moment(text_at(self.object, "metadata", "creationTimestamp"))

    @property
    def undone(self) -> list[str]:
        """The steps that were compensated or undone, in order."""
        undone = map_at(self.status, "rollback").get("undone")
        return [str(name) for name in undone] if isinstance(undone, list) else []

    @property
    def rollback_failures(self) -> list[str]:
        """What could not be reversed: `step: kind: message`."""
        return [
            printable(": ".join(filter(None, (text_at(one, "step"), text_at(one, "kind"), text_at(one, "message")))))
            for one in maps_at(self.status, "rollback", "failures")
        ]

    @cached_property
    def _written(self) -> dict[str, JsonObject]:
        return {text_at(step, "name"): step for step in maps_at(self.status, "steps")}

    @cached_property
    def steps(self) -> dict[str, StepView]:
        """The steps that the status lists, by name."""
        return {name: self._view_of(step) for name, step in self._written.items()}

    @property
    def maps(self) -> list[StepView]:
        """The maps that have begun."""
        return [self._view_of(step) for step in self._written.values() if "map" in step]

    def step(self, name: str) -> StepView | None:
        """Return one step, None where the status does not list it."""
        step = self._written.get(name)
        return self._view_of(step) if step is not None else None

    def changed_since(self, before: "RunView | None") -> list[StepView]:
        """Return the steps whose entries are not those of `before`: of 10,000 mostly a few, and only they cost."""
        old = before._written if before is not None else {}
        return [self._view_of(step) for name, step in self._written.items() if old.get(name) != step]

    @cached_property
    def _not_reversed(self) -> dict[str, str]:
        return {
            text_at(one, "step"): printable(text_at(one, "message"))
            for one in maps_at(self.status, "rollback", "failures")
        }

    def _view_of(self, step: JsonObject) -> StepView:
        view = _step_view(step)
        return view if view.cleanup else replace(view, cleanup=self._not_reversed.get(view.name, ""))


def _took(part: JsonObject) -> float | None:
    start, end = parse_moment(text_at(part, "startedAt")), parse_moment(text_at(part, "finishedAt"))
    return None if start is None or end is None else end - start


def _step_view(step: JsonObject) -> StepView:
    failure = map_at(step, "failure")
    return StepView(
        name=text_at(step, "name"),
        phase=text_at(step, "phase") or "Pending",
        round=int_at(step, "round") or 1,
        attempts=int_at(step, "attempts") or 0,
        completion=int_at(step, "completion") or 0,
        took=_took(step),
        kind=text_at(failure, "kind"),
        message=printable(text_at(failure, "message") or text_at(step, "reason")),
        cleanup=printable(text_at(map_at(step, "rollbackFailure"), "message")),
        pod=text_at(step, "podName"),
        map=map_view(map_at(step, "map")) if "map" in step else None,
    )


def map_view(counts: JsonObject) -> MapView:
    """Return how far a map has come, from its entry in a status."""
    return MapView(
        total=int_at(counts, "total"),
        running=int_at(counts, "running") or 0,
        succeeded=int_at(counts, "succeeded") or 0,
        failed=int_at(counts, "failed") or 0,
        skipped=int_at(counts, "skipped") or 0,
        undone=int_at(counts, "undone") or 0,
    )
