"""A signal as a user writes it, and what is wrong with it.

In: `spec` of a `ReactorSignal`. Out: `CheckedSignal`, and what it says to the run. Never here: whether its run exists,
or takes it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from reactor_operator.api.bodies import NameRef
from reactor_operator.api.document import TOO_DEEP, document_problems
from reactor_operator.api.duration import parse_duration
from reactor_operator.api.envelope import check_model
from reactor_operator.api.model import PRINTABLE, Boolean, Json, Object, OneOf, Optional, Path, Text, Timeout
from reactor_operator.api.problems import Problem

DEFAULT_TTL_MS = 24 * 3_600_000
MAX_ASSUMED = 1_000
MAX_USER_NAME = 1_024
_MAX_ID = 200
_MAX_UID = 128


class SignalAction(StrEnum):
    """What a signal asks for."""

    RESUME = "resume"
    CANCEL = "cancel"
    UNDO = "undo"
    RETRY = "retry"
    SKIP = "skip"


class SignalMode(StrEnum):
    """How an interrupt takes a payload that is not as it should be. A signal may ask for the milder way alone."""

    FLEXIBLE = "flexible"


class Assumed(StrEnum):
    """What a person found of a step that could not be reversed."""

    STANDING = "standing"
    UNDONE = "undone"


class SignalPhase(StrEnum):
    """What became of a signal."""

    PENDING = "Pending"
    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    EXPIRED = "Expired"


FIELDS: dict[SignalAction, frozenset[str]] = {
    SignalAction.RESUME: frozenset({"reason", "step", "payload", "mode", "dryRun", "asApprover"}),
    SignalAction.CANCEL: frozenset({"reason"}),
    SignalAction.UNDO: frozenset({"reason", "delete"}),
    SignalAction.RETRY: frozenset({"reason", "step", "arguments", "assume"}),
    SignalAction.SKIP: frozenset({"reason", "step", "payload"}),
}
"""The fields that say more of each action. Any other one is refused: to pass it over would do something else."""
_SAYING = frozenset().union(*FIELDS.values())
_WHO = "asApprover"


class SignalSpec(OneOf):
    """One request to a run. It never changes: to ask for something else, create another ReactorSignal."""

    forms = ("runRef", "correlationId")

    run_ref: Optional[NameRef] = Field(
        default=None, description="The run, in the same namespace. It may come later than the signal."
    )
    reactor_ref: Optional[NameRef] = Field(
        default=None,
        description="With correlationId, and without runRef: the reactor that declares the interrupt.",
    )
    correlation_id: Optional[Annotated[str, Field(strict=True, min_length=1, max_length=253, pattern=PRINTABLE)]] = (
        Field(
            default=None,
            description="With reactorRef, instead of runRef: the id under which an interrupt waits, whose run is "
            "asked. Of resume and skip that is the step too. Where none does yet, one with messageId is kept for it.",
        )
    )
    run_uid: Optional[Annotated[str, Field(strict=True, min_length=1, max_length=_MAX_UID)]] = Field(
        default=None, description="The uid that the run must have; for another run of the name it is rejected."
    )
    action: SignalAction = Field(description="What is asked for.")
    step: Optional[Path] = Field(default=None, description="Of resume, retry and skip: the step, by its path.")
    payload: Json = Field(default=None, description="Of resume and skip: the value that the step is given.")
    arguments: Optional[Object] = Field(default=None, description="Of retry: other arguments for the step.")
    assume: Optional[Annotated[dict[Path, Assumed], Field(max_length=MAX_ASSUMED)]] = Field(
        default=None, description="Of retry: standing or undone, for each step that could not be reversed."
    )
    delete: Optional[Boolean] = Field(default=None, description="Of undo: the run is deleted once it is undone.")
    mode: Optional[SignalMode] = Field(
        default=None, description="Of resume: flexible has a wrong payload refused, where the interrupt would fail."
    )
    reason: Optional[Text] = Field(default=None, description="Why, for people.")
    message_id: Optional[Annotated[str, Field(strict=True, min_length=1, max_length=_MAX_ID, pattern=PRINTABLE)]] = (
        Field(
            default=None,
            description="What the request is called: another one of the same name changes nothing. Unset: each "
            "ReactorSignal is a request of its own, and one with correlationId does not wait for its interrupt.",
        )
    )
    ttl: Optional[Timeout] = Field(
        default=None,
        description="A signal that was not answered so long after it was created is Expired; one that was goes so "
        "long after its answer. 24h when unset.",
    )
    requested_by: Optional[Annotated[str, Field(strict=True, min_length=1, max_length=MAX_USER_NAME)]] = Field(
        default=None, description="Who asks: the name under which the API server knows whoever creates the signal."
    )
    as_approver: Optional[Boolean] = Field(
        default=None,
        description="Of resume: as one who may approve, which needs requestedBy and update on reactorruns/approval.",
    )
    dry_run: Optional[Boolean] = Field(
        default=None, description="Of resume: the payload is checked, and that is all that happens."
    )

    @property
    def ttl_ms(self) -> int:
        """For how long it waits, and for how long its answer is kept."""
        return DEFAULT_TTL_MS if self.ttl is None else parse_duration(self.ttl)

    @property
    def said(self) -> dict[str, object]:
        """What it says to the run, field by field, but for who asks. A payload of null is there; one unset is not."""
        return {name: value for name, value in _given(self).items() if name in _SAYING and name != _WHO}


@dataclass(frozen=True, slots=True)
class CheckedSignal:
    """What came of a check: the spec where nothing is wrong with it, else every problem."""

    spec: SignalSpec | None
    problems: tuple[Problem, ...]


def check_signal_spec(spec: object) -> CheckedSignal:
    """Check the spec of a ReactorSignal (the API server has seen to the rest). Total."""
    wrong = document_problems(spec, "spec")
    if any(problem.reason == TOO_DEEP for problem in wrong):
        return CheckedSignal(None, tuple(wrong))
    checked, problems = check_model(SignalSpec, spec, base="spec")
    if checked is not None:
        problems = [*problems, *_misplaced(checked)]
    problems = [*wrong, *problems]
    return CheckedSignal(None if problems else checked, tuple(problems))


def _misplaced(spec: SignalSpec) -> list[Problem]:
    """Return the problems of fields that are sound, and do not go together."""
    fields = FIELDS[spec.action]
    expected = f"of {spec.action.value}: expected at most {', '.join(sorted(fields))}"
    problems = [
        Problem(f"spec.{name}", f"found it in a signal {expected}", "InvalidValue")
        for name in sorted(_given(spec))
        if name in _SAYING and name not in fields
    ]
    if spec.reactor_ref is not None and spec.correlation_id is None:
        problem = "found it without correlationId, expected both of them, or runRef alone"
        problems.append(Problem("spec.reactorRef", problem, "InvalidValue"))
    if spec.correlation_id is not None and spec.reactor_ref is None:
        problems.append(Problem("spec.reactorRef", "found none, expected the one that declares the id", "Required"))
    if spec.as_approver and spec.requested_by is None:
        problems.append(Problem("spec.requestedBy", "found none, expected who approves", "Required"))
    return problems


def _given(spec: SignalSpec) -> dict[str, object]:
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
