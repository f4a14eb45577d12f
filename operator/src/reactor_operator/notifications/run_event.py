"""What observers and notifications are told: one thing that happened to a run, in words for outside.

In: a fact, and which run it is about. Out: a `RunEvent`, which observers get, and a CloudEvent, which endpoints get.
Never here: values of inputs or results.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import orjson

from reactor_operator.engine.facts import Fact
from reactor_operator.ports import About

CONTENT_TYPE = "application/cloudevents+json"
TYPE_PREFIX = "run.reactor."
"""The API group, reversed, as CloudEvents wants it: `run.reactor.step.failed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """One thing that happened to a run.

    id:           the run's uid and `sequence`: the same event, told again, has the same one.
    kind:         `run.failed`, `step.failed` … as `events` of a notification lists them.
    time:         when it happened.        phase: of the run, then.
    step:         path of the step that it is about, empty where it is about the run.
    failure_kind: empty where nothing failed.
    """

    id: str
    sequence: int
    kind: str
    time: datetime
    namespace: str
    run: str
    run_uid: str
    reactor: str
    phase: str
    step: str = ""
    failure_kind: str = ""
    message: str = ""


class Observer(Protocol):
    """What an entry point of the group `reactor.observers` makes when it is called without arguments."""

    def on_event(self, event: RunEvent) -> None:
        """Take one event. Called in a thread of its own, one event after the other; what it raises is logged once."""


def event_of(about: About, fact: Fact) -> RunEvent:
    """Return the event that a fact is to the world outside."""
    run = about.run
    return RunEvent(
        id=f"{run.uid}.{fact.sequence}",
        sequence=fact.sequence,
        kind=fact.kind.value,
        time=datetime.fromtimestamp(fact.at / 1000, UTC),
        namespace=run.namespace,
        run=run.name,
        run_uid=run.uid,
        reactor=about.reactor,
        phase=fact.phase.value,
        step=fact.step,
        failure_kind=fact.failure.value if fact.failure is not None else "",
        message=fact.message,
    )


def render_cloud_event(event: RunEvent) -> bytes:
    """Return the event as CloudEvents 1.0, structured JSON: the same bytes each time. The source is the Reactor."""
    data: dict[str, object] = {
        "namespace": event.namespace,
        "run": event.run,
        "runUid": event.run_uid,
        "reactor": event.reactor,
        "phase": event.phase,
        "sequence": event.sequence,
    }
    if event.step:
        data["step"] = event.step
    if event.failure_kind:
        data["failure"] = {"kind": event.failure_kind, "message": event.message}
    elif event.message:
        data["message"] = event.message
    envelope = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/apis/reactor.run/v1alpha1/namespaces/{event.namespace}/reactors/{event.reactor}",
        "type": TYPE_PREFIX + event.kind,
        "subject": event.run,
        "time": event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": data,
    }
    return orjson.dumps(envelope)
