"""What may be said in the API's addresses.

In: the query of a request, the names in its address. Out: a model of it, or a `Refusal` with a line for everything that
is wrong. Never here: a parameter that is not known and passed over; whoever mistypes a filter would be shown what they
did not ask for.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_origin

from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request

from reactor_operator.api.envelope import check_model
from reactor_operator.api.model import (
    DNS_LABEL,
    DNS_SUBDOMAIN,
    Integer,
    Model,
    ObjectName,
    Optional,
    found_error,
)
from reactor_operator.engine.state import RunPhase
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.kube.moments import parse_moment
from reactor_operator.mirror.index import Query

MOST_SHOWN = 500
MOST_NAMED = 50
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_NAMESPACE = re.compile(DNS_LABEL.strip("^$") + r"(?<!.{64})", re.ASCII)
_NAME = re.compile(DNS_SUBDOMAIN.strip("^$") + r"(?<!.{254})", re.ASCII)
_EXAMPLE = "2026-01-31T12:00:00Z"

Q = TypeVar("Q", bound=Model)


def _to_number(text: object) -> object:
    if isinstance(text, str):
        if _NUMBER.fullmatch(text) is None:
            raise found_error("InvalidValue", "found {found}, expected a whole number", found=repr(text))
        return int(text)
    return text


def _is_moment(text: str) -> str:
    if parse_moment(text) is None:
        expected = f"a time with its zone, such as {_EXAMPLE} (+ is written %2B)"
        raise found_error("InvalidValue", "found {found}, expected {expected}", found=repr(text), expected=expected)
    return text


def _is_one_line(text: str) -> str:
    if not text.isprintable():
        expected = "printable text in one line, without control characters"
        raise found_error("InvalidValue", "found {found}, expected {expected}", found=repr(text), expected=expected)
    return text


Namespace = Annotated[str, Field(strict=True, min_length=1, max_length=63, pattern=DNS_LABEL)]
Limit = Annotated[
    Integer, Field(ge=1, le=MOST_SHOWN, description="How many are shown at most."), BeforeValidator(_to_number)
]
Time = Annotated[
    str, Field(strict=True, max_length=64, json_schema_extra={"format": "date-time"}), AfterValidator(_is_moment)
]
Line = Annotated[str, Field(strict=True, min_length=1, max_length=253), AfterValidator(_is_one_line)]
StepPath = Annotated[str, Field(strict=True, min_length=1, max_length=1024), AfterValidator(_is_one_line)]
Pointer = Annotated[str, Field(strict=True, max_length=1024, pattern=r"^(/[^/]*)*$")]
Cursor = Annotated[str, Field(strict=True, min_length=1, max_length=1024)]
Namespaces = Annotated[tuple[Namespace, ...], Field(max_length=MOST_NAMED)]
_NAMESPACES = "Of these namespaces. Unset: of all that the caller may look into."
_CURSOR = "`next` of the page before."


class NothingAsked(Model):
    """An address that takes no parameters."""


class ChangesQuery(Model):
    """Which changes are told."""

    namespace: Namespaces = Field(default=(), description=_NAMESPACES)


class SessionQuery(Model):
    """Where it is asked what somebody may do."""

    namespace: Namespaces = Field(default=(), description="In these namespaces. Unset: in any.")


class ReactorsQuery(Model):
    """Which reactors are listed."""

    namespace: Namespaces = Field(default=(), description=_NAMESPACES)
    limit: Limit = 100
    cursor: Optional[Cursor] = Field(default=None, description=_CURSOR)


class HistoryQuery(Model):
    """Which transitions are shown."""

    path: Optional[StepPath] = Field(default=None, description="Of this step alone.")
    limit: Limit = 100
    cursor: Optional[Cursor] = Field(default=None, description=_CURSOR)


class StepQuery(Model):
    """Which step is shown."""

    path: StepPath = Field(description="The path of the step, also in an element: rows[7]/approve.")


class ValueOf(StrEnum):
    """Which document of a step, or of the run, is shown."""

    ARGUMENTS = "arguments"
    RESULT = "result"
    INPUTS = "inputs"
    OUTPUT = "output"


class ValueQuery(Model):
    """Which part of which document is shown."""

    of: ValueOf = Field(description="Of a step its arguments or result; of the run its inputs or output.")
    path: Optional[StepPath] = Field(default=None, description="The step. Unset: the run.")
    pointer: Pointer = Field(default="", description="A JSON Pointer (RFC 6901): /rows/3. Empty: all of it.")
    limit: Limit = 100
    cursor: Optional[Cursor] = Field(default=None, description=_CURSOR)


class LogsQuery(Model):
    """Which log is shown."""

    task: Annotated[str, Field(strict=True, min_length=1, max_length=1200), AfterValidator(_is_one_line)] = Field(
        description="The key of the task: charge.run.1.1.1."
    )
    follow: Annotated[str, Field(strict=True, pattern="^(true|false)$")] = Field(
        default="false", description="true: what it prints from here on as well, until it ends."
    )


class ElementsQuery(Model):
    """Which elements of a map are shown."""

    path: StepPath = Field(description="The path of the map.")
    phase: Annotated[tuple[Line, ...], Field(max_length=MOST_NAMED)] = Field(
        default=(), description="In one of these phases."
    )
    limit: Limit = 100
    cursor: Optional[Cursor] = Field(default=None, description=_CURSOR)


class InboxQuery(ReactorsQuery):
    """Which interrupts are listed."""

    reactor: Optional[ObjectName] = Field(default=None, description="Of runs of this Reactor.")


class RunsQuery(InboxQuery):
    """Which runs are listed; all that is said must hold."""

    phase: Annotated[tuple[RunPhase, ...], Field(max_length=MOST_NAMED)] = Field(
        default=(), description="In one of these phases."
    )
    text: Optional[Line] = Field(default=None, description="With this in the name or the message, in whatever case.")
    created_after: Optional[Time] = Field(default=None, description="Created later than this.")
    created_before: Optional[Time] = Field(default=None, description="Created earlier than this.")

    def query(self) -> Query:
        """Return what the index is asked, of any namespace."""
        return Query(
            reactor=self.reactor or "",
            phases=frozenset(phase.value for phase in self.phase),
            text=self.text or "",
            created_after=parse_moment(self.created_after) if self.created_after is not None else None,
            created_before=parse_moment(self.created_before) if self.created_before is not None else None,
        )


def parse_query(http: Request, kind: type[Q]) -> Q:
    """Return what was asked for. Raises Refusal (400)."""
    said: dict[str, Any] = {}
    many = {name for name, of in kind.model_fields.items() if get_origin(of.annotation) is tuple}
    twice: list[str] = []
    for name, value in http.query_params.multi_items():
        if name in many:
            said.setdefault(name, []).append(value)
        elif name in said:
            twice.append(f"{name}: found it more than once, expected one value")
        else:
            said[name] = value
    found, problems = check_model(kind, said, base="")
    errors = tuple(dict.fromkeys([*map(str, problems), *twice]))
    if found is None or errors:
        raise Refusal(400, "the query is not one that is known here", errors=errors)
    return found


def parse_names(http: Request) -> tuple[str, str]:
    """Return the namespace and the name in the address. Raises Refusal (404): they become part of another address."""
    namespace, name = http.path_params["namespace"], http.path_params["name"]
    if not (_NAMESPACE.fullmatch(namespace) and _NAME.fullmatch(name)):
        raise Refusal(404, "no such address; expected a namespace and a name as Kubernetes has them")
    return namespace, name
