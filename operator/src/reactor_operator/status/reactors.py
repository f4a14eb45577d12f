"""Whether a Reactor is sound, told on the Reactor: its condition Ready lists every problem.

In: a Reactor as the watch has it. Out: a status write, only where it says something new.
Never here: anything about runs.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from reactor_operator.api.check import CheckedReactor, check_spec
from reactor_operator.api.digest import digest_spec
from reactor_operator.api.envelope import UNKNOWN_FIELD
from reactor_operator.api.problems import Problem
from reactor_operator.kube.client import KubeClient, PatchType
from reactor_operator.kube.errors import Conflict, Invalid, refusals_as_unavailable
from reactor_operator.kube.fields import JsonObject, int_at, map_at, maps_at, text_at
from reactor_operator.kube.moments import render_moment
from reactor_operator.kube.paths import REACTOR
from reactor_operator.ports import Clock, ReactorObject

_MESSAGE_LIMIT = 32_000
_REASON_LIMIT = 128
_REMEMBERED = 10_000
_log = structlog.get_logger("reactor_operator.status")


class ReactorJudge:
    """Checks Reactors and tells what came of it."""

    def __init__(self, client: KubeClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._judged: dict[str, int] = {}

    async def judge(self, reactor: ReactorObject, status: JsonObject) -> None:
        """Check the reactor and write its status, unless `status` (what it has) says so already. Raises Unavailable.

        Each operator judges each reactor once, whatever it finds written: an older one may have judged otherwise.
        """
        if self._judged.get(reactor.uid) == reactor.generation and is_judged(reactor, status):
            return
        checked = await asyncio.to_thread(check_spec, reactor.spec)
        rendered = render_reactor_status(reactor, checked, status, self._clock.now())
        if len(self._judged) >= _REMEMBERED:
            self._judged.clear()
        self._judged[reactor.uid] = reactor.generation
        if rendered.items() <= status.items():
            return
        path = REACTOR.object(reactor.namespace, reactor.name, "status")
        body = {"metadata": {"uid": reactor.uid}, "status": rendered}
        with refusals_as_unavailable(f"write the status of Reactor {reactor.namespace}/{reactor.name}"):
            try:
                await self._client.patch(path, body, PatchType.MERGE)
            except (Conflict, Invalid) as error:
                where = f"{reactor.namespace}/{reactor.name}"
                _log.warning("the status of a Reactor was not written", reactor=where, problem=str(error))


def is_judged(reactor: ReactorObject, status: JsonObject) -> bool:
    """Return whether `status` is the judgement of this very spec."""
    return (
        int_at(status, "observedGeneration") == reactor.generation
        and text_at(status, "digest") == _digest(reactor)
        and bool(_ready(status))
    )


def render_reactor_status(
    reactor: ReactorObject, checked: CheckedReactor, before: JsonObject, now: int
) -> Mapping[str, object]:
    """Return the status. The time of Ready stays while its truth does."""
    sound = not checked.problems
    truth = "True" if sound else "False"
    ready = _ready(before)
    kept = text_at(ready, "lastTransitionTime") if text_at(ready, "status") == truth else ""
    reason = "Sound" if sound else _reason(checked.problems)
    if sound and not checked.warnings:
        message = f"{len(checked.spec.steps) if checked.spec is not None else 0} steps"
    else:
        message = _listed(checked.warnings if sound else checked.problems)
    return {
        "observedGeneration": reactor.generation,
        "digest": _digest(reactor),
        "conditions": [
            {
                "type": "Ready",
                "status": truth,
                "reason": reason,
                "message": message,
                "observedGeneration": reactor.generation,
                "lastTransitionTime": kept or render_moment(now),
            }
        ],
    }


def _reason(problems: Sequence[Problem]) -> str:
    """Return the reason of the first problem; a field that is not known comes first, for others may follow from it."""
    reasons = [problem.reason for problem in problems]
    return UNKNOWN_FIELD if UNKNOWN_FIELD in reasons else reasons[0][:_REASON_LIMIT]


def _digest(reactor: ReactorObject) -> str:
    """Return the digest of the spec, an empty one where it is nested so deeply that it has none (and is not sound)."""
    try:
        return digest_spec(reactor.spec)
    except TypeError:
        return ""


def _ready(status: JsonObject) -> JsonObject:
    found = [condition for condition in maps_at(status, "conditions") if text_at(condition, "type") == "Ready"]
    return found[0] if found else map_at({})


def _listed(problems: Sequence[Problem]) -> str:
    """Return every problem on a line of its own, as many as there is room for."""
    lines: list[str] = []
    room = _MESSAGE_LIMIT
    for index, problem in enumerate(problems):
        room -= len(str(problem)) + 1
        if room < 0:
            return "\n".join([*lines, f"… and {len(problems) - index} more"])
        lines.append(str(problem))
    return "\n".join(lines)
