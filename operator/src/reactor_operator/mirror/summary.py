"""A run as lists show it: the few facts that are looked for, and what of it waits for a signal.

In: a ReactorRun as the API server has it. Out: a `RunSummary`, as small as a hundred thousand of them ask for.
Never here: the spec, results, or anything else that a list does not show.
"""

import sys
from dataclasses import dataclass

from reactor_operator.engine.state import ENDED, RunPhase
from reactor_operator.kube.fields import JsonObject, flag_at, int_at, map_at, maps_at, text_at
from reactor_operator.kube.moments import parse_moment

MESSAGE_LIMIT = 200
_REJECTION_LIMIT = 1_000

RunKey = tuple[int, str, str]
"""When a run was created (int ms), its namespace and its name: what lists are ordered by."""
WaitKey = tuple[int, str, str, str]
"""Since when an interrupt waits (int ms), the namespace and the name of its run, and its step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An interrupt that waits for a signal. Times are int ms, None where the status does not say."""

    step: str
    opened_at: int | None
    expires_at: int | None
    correlation_id: str
    attempts_left: int | None
    approvers: bool
    last_rejection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a list shows of a run. Times are int ms.

    reactor_uid, reactor_generation: of the Reactor that a run that waits keeps to; of others they are left away.
    folded: the name and the message as texts are looked for in, without case.
    """

    namespace: str
    name: str
    uid: str
    reactor: str
    phase: str
    created_at: int
    started_at: int | None
    finished_at: int | None
    progress: str
    message: str
    folded: str
    waiting: tuple[Waiting, ...] = ()
    reactor_uid: str = ""
    reactor_generation: int = 0

    @property
    def key(self) -> RunKey:
        """Its place among the others."""
        return self.created_at, self.namespace, self.name

    @property
    def wait_keys(self) -> list[WaitKey]:
        """The places of what waits in it."""
        return [(one.opened_at or 0, self.namespace, self.name, one.step) for one in self.waiting]


def summary_of(run: JsonObject) -> RunSummary:
    """Return the summary of a ReactorRun. Total: what is missing is empty, and a run without a phase is Pending."""
    metadata, status = map_at(run, "metadata"), map_at(run, "status")
    name, message = text_at(metadata, "name"), _cut(text_at(status, "message"), MESSAGE_LIMIT)
    phase = text_at(status, "phase") or RunPhase.PENDING.value
    waiting = () if phase in ENDED else tuple(_waiting_of(one) for one in maps_at(status, "interrupts"))
    return RunSummary(
        namespace=sys.intern(text_at(metadata, "namespace")),
        name=name,
        uid=text_at(metadata, "uid"),
        reactor=sys.intern(text_at(run, "spec", "reactorRef", "name")),
        phase=sys.intern(phase),
        created_at=parse_moment(text_at(metadata, "creationTimestamp")) or 0,
        started_at=parse_moment(text_at(status, "startedAt")),
        finished_at=parse_moment(text_at(status, "finishedAt")),
        progress=sys.intern(text_at(status, "progress")),
        message=message,
        folded=fold(f"{name}\n{message}"),
        waiting=_by_step(waiting) if waiting else (),
        reactor_uid=text_at(status, "reactor", "uid") if waiting else "",
        reactor_generation=(int_at(status, "reactor", "generation") or 0) if waiting else 0,
    )


def fold(text: str) -> str:
    """Return a text without case, as it is compared."""
    return text.casefold()


def _by_step(waiting: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
    """Return what waits, each step once."""
    return tuple({one.step: one for one in waiting}.values())


def _waiting_of(one: JsonObject) -> Waiting:
    return Waiting(
        step=text_at(one, "step"),
        opened_at=parse_moment(text_at(one, "openedAt")),
        expires_at=parse_moment(text_at(one, "expiresAt")),
        correlation_id=text_at(one, "correlationId"),
        attempts_left=int_at(one, "attemptsLeft"),
        approvers=flag_at(one, "approvers"),
        last_rejection=_cut(text_at(one, "lastRejection"), _REJECTION_LIMIT),
    )


def _cut(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
