"""People who ask things of runs: as kubectl and the command do, by an annotation or an entry of `status.requests`.

In: a run and what is asked of it. Out: its object, changed. Never here: the inbox, which people do not reach.
"""

from dataclasses import replace
from random import Random

import orjson

from reactor_operator.engine import events as ev
from reactor_operator.engine.values import ValueRef, reference_to
from tests.simulation.asked import PREFIX
from tests.simulation.cluster import FakeCluster
from tests.simulation.coverage import Fault

Said = dict[str, object]


class People:
    """All who may ask. `random` decides how."""

    def __init__(self, cluster: FakeCluster, random: Random) -> None:
        self._cluster = cluster
        self._random = random
        self._said: dict[str, list[tuple[ev.Signal, str, str]]] = {}
        self._payloads: dict[ValueRef, object] = {}

    def ask(self, uid: str, event: ev.Signal, name: str) -> None:
        """Ask in one of the ways that there are, or once more what was asked before."""
        dice = self._random.random()
        before = self._said.get(uid, [])
        if before and dice < 0.25:
            self._cluster.coverage.note(Fault.ASKED_AGAIN)
            self._annotate(uid, *self._random.choice(before))
        elif dice < 0.5 and isinstance(self._cluster.runs[uid].status.get("requests"), list):
            self._add_to_status(uid, event, name)
        else:
            self.annotate(uid, event, name if dice < 0.75 else "")

    def write(self, payload: object) -> ValueRef:
        """Write a payload down; a request refers to it."""
        ref = reference_to(orjson.dumps(payload))
        self._payloads[ref] = payload
        return ref

    def say(self, uid: str, event: ev.Signal, name: str, *, in_status: bool) -> None:
        """Ask under an id, as an entry of the status where there can be one, else by an annotation."""
        if in_status and isinstance(self._cluster.runs[uid].status.get("requests"), list):
            self._add_to_status(uid, event, name)
        else:
            self.annotate(uid, event, name)

    def annotate(self, uid: str, event: ev.Signal, name: str) -> None:
        """Ask by an annotation, with an id or (an empty `name`) without."""
        said = self._details_of(event)
        value = orjson.dumps(said).decode() if said else self._random.choice(["", "true", "{}"])
        self._said.setdefault(uid, []).append((event, name, value))
        self._annotate(uid, event, name, value)

    def _annotate(self, uid: str, event: ev.Signal, name: str, value: str) -> None:
        action, _ = _words_of(event)
        key = f"{PREFIX}{action}.{name}" if name else f"{PREFIX}{action}"
        run = self._cluster.runs[uid]
        if key in run.annotations:
            return
        self._cluster.coverage.note(Fault.ASKED_BY_ANNOTATION)
        self._cluster.runs[uid] = replace(run, annotations={**run.annotations, key: value})
        self._note(uid, event, key, name)

    def _add_to_status(self, uid: str, event: ev.Signal, name: str) -> None:
        (action, _), said = _words_of(event), self._details_of(event)
        run = self._cluster.runs[uid]
        there = run.status["requests"]
        assert isinstance(there, list)
        self._cluster.coverage.note(Fault.ASKED_IN_STATUS)
        requests = [*there, {**said, "id": name, "action": action, "by": "ann"}]
        self._cluster.runs[uid] = replace(run, status={**run.status, "requests": requests})
        self._note(uid, event, f"status/{name}", name)

    def _details_of(self, event: ev.Signal) -> Said:
        _, said = _words_of(event)
        if isinstance(event, ev.ResumeRequested) and event.payload is not None:
            return said | {"payload": self._payloads[event.payload]}
        return said

    def _note(self, uid: str, event: ev.Signal, place: str, name: str) -> None:
        self._cluster.trace.note("ask", uid, place)
        self._cluster.ledger.requests.made(uid, _words_of(event)[0], place, name)
        self._cluster.ledger.ask(uid, event)
        self._cluster.changed(uid)


def _words_of(event: ev.Signal) -> tuple[str, Said]:
    """Return what is written to ask for it."""
    match event:
        case ev.CancelRequested():
            return "cancel", {"reason": event.reason} if event.reason else {}
        case ev.UndoRequested():
            return "undo", {}
        case ev.RetryRequested():
            return "retry", {"assume": dict.fromkeys(event.undone, "undone")} if event.undone else {}
        case ev.SkipRequested():
            return "skip", {"step": event.step}
        case ev.ResumeRequested():
            mode = {"mode": "flexible"} if event.mild else {}
            return "resume", {"step": event.step, **mode, **({"dryRun": True} if event.dry_run else {})}
        case ev.SuspendRequested():
            return "suspend", {} if event.suspended else {"suspend": False}
        case _:
            return event.action, {"unheard": "of"}
