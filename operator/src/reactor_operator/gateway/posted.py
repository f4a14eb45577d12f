"""A signal as it is posted: the body of `POST /v1/signals` and of the API's requests, or every problem with it.

In: bytes from anyone whom the API server knows. Out: a `PostedSignal`, or a `Refusal` with a line for each field.
Never here: what the run makes of it; which fields go with which action is known to all ways in alike (`reconciling`).
"""

from enum import StrEnum
from typing import Annotated, TypeVar

import orjson
from pydantic import Field

from reactor_operator.api.document import document_problems
from reactor_operator.api.envelope import check_model
from reactor_operator.api.model import (
    DNS_LABEL,
    PRINTABLE,
    Boolean,
    Json,
    Model,
    Object,
    ObjectName,
    Optional,
    Path,
    Text,
)
from reactor_operator.api.problems import Problem
from reactor_operator.api.signal import MAX_ASSUMED, Assumed, SignalMode
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.outcomes.members import has_too_many_members

BODY_LIMIT = 1024 * 1024
MEMBERS_LIMIT = 100_000
ERRORS_TOLD = 20
_ENVELOPE = {"namespace", "run", "reactor", "correlation_id", "run_uid", "action", "message_id", "as_approver"}
_SUSPEND = "suspend"
_Namespace = Annotated[str, Field(strict=True, min_length=1, max_length=63, pattern=DNS_LABEL)]


class PostedAction(StrEnum):
    """What a person or a program asks for by HTTP."""

    RESUME = "resume"
    CANCEL = "cancel"
    UNDO = "undo"
    RETRY = "retry"
    SKIP = "skip"
    SUSPEND = _SUSPEND
    UNSUSPEND = "unsuspend"


class PostedRequest(Model):
    """One request to a run, which is known already."""

    run_uid: Optional[Annotated[str, Field(strict=True, min_length=1, max_length=128)]] = Field(
        default=None, description="The uid that the run must have: for another one of the name nothing is done."
    )
    action: PostedAction = Field(description="What is asked for.")
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
    message_id: Optional[Annotated[str, Field(strict=True, min_length=1, max_length=200, pattern=PRINTABLE)]] = Field(
        default=None, description="What the request is called: the same one again changes nothing."
    )
    dry_run: Optional[Boolean] = Field(
        default=None, description="Of resume: the payload is checked, and that is all that happens."
    )
    as_approver: Optional[Boolean] = Field(
        default=None, description="Of resume: as one who may approve, which needs update on reactorruns/approval."
    )

    @property
    def asked(self) -> str:
        """What is asked for, as runs know it: to go on is the same request as to hold still."""
        return _SUSPEND if self.action is PostedAction.UNSUSPEND else self.action.value

    @property
    def said(self) -> dict[str, object]:
        """What it says to the run, by the names of `request_of`. A payload of null is there; one left out is not."""
        said = self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=_ENVELOPE)
        return said | ({_SUSPEND: False} if self.action is PostedAction.UNSUSPEND else {})


class PostedSignal(PostedRequest):
    """One request to a run, which is named, or found by the correlation id of an interrupt that is open in it."""

    namespace: _Namespace
    run: Optional[ObjectName] = None
    reactor: Optional[ObjectName] = None
    correlation_id: Optional[Annotated[str, Field(strict=True, min_length=1, max_length=253, pattern=PRINTABLE)]] = None


P = TypeVar("P", bound=PostedRequest)


def parse_posted(body: bytes, kind: type[P]) -> P:
    """Return the signal, or the request. Raises Refusal (400)."""
    if has_too_many_members(body, MEMBERS_LIMIT):
        raise Refusal(400, f"the body has more than {MEMBERS_LIMIT} members")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise Refusal(400, f"the body: {problem}; expected a JSON object") from None
    if not isinstance(document, dict):
        raise Refusal(400, "the body: expected a JSON object")
    problems = document_problems(document)
    posted = None
    if not problems:
        posted, problems = check_model(kind, document, base="")
    if posted is not None:
        problems = list(_misplaced(posted))
    if posted is None or problems:
        raise _refusal(problems)
    return posted


def _misplaced(posted: PostedRequest) -> list[Problem]:
    """Return the problems of fields that are sound, and do not go together."""
    problems = _misnamed(posted) if isinstance(posted, PostedSignal) else []
    if posted.as_approver and posted.action is not PostedAction.RESUME:
        problems.append(Problem("asApprover", f"found it in a {posted.action.value}, expected a resume", "Misplaced"))
    return problems


def _misnamed(posted: PostedSignal) -> list[Problem]:
    problems = []
    by_id = posted.reactor is not None or posted.correlation_id is not None
    if posted.run is not None and by_id:
        problems.append(Problem("run", "found beside reactor or correlationId, expected one way to name it", "Both"))
    elif posted.run is None and not by_id:
        problems.append(Problem("run", "found none, expected a run, or reactor and correlationId", "Required"))
    elif by_id:
        names = (("reactor", posted.reactor), ("correlationId", posted.correlation_id))
        problems += [Problem(name, "found none, expected both of them", "Required") for name, at in names if at is None]
    return problems


def _refusal(problems: list[Problem]) -> Refusal:
    errors = [str(problem) for problem in problems]
    if len(errors) > ERRORS_TOLD:
        errors = [*errors[: ERRORS_TOLD - 1], f"and {len(errors) - ERRORS_TOLD + 1} more"]
    return Refusal(400, "the body is no signal", errors=tuple(errors))
