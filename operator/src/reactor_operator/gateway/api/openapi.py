"""The OpenAPI 3.1 document of the API, made of the models of its queries and answers.

In: the table of routes. Out: one JSON object, the same each time. Never here: a field that no model has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from reactor_operator.api.model import Model
from reactor_operator.gateway.api.answers import (
    ErrorAnswer,
    InboxPage,
    ReactorAnswer,
    ReactorPage,
    RemovedRun,
    RequestAnswer,
    RunAnswer,
    RunGraph,
    RunItem,
    RunPage,
    SessionAnswer,
)
from reactor_operator.gateway.api.details import ElementPage, HistoryAnswer, StepAnswer, ValueAnswer
from reactor_operator.gateway.api.logs import HEADER as LOG
from reactor_operator.gateway.api.queries import (
    ChangesQuery,
    ElementsQuery,
    HistoryQuery,
    InboxQuery,
    LogsQuery,
    NothingAsked,
    ReactorsQuery,
    RunsQuery,
    SessionQuery,
    StepQuery,
    ValueQuery,
)
from reactor_operator.gateway.origins import HEADER, VALUE
from reactor_operator.gateway.posted import PostedRequest

Document = dict[str, Any]
_REF = "#/components/schemas/{model}"
_STREAM, _TEXT = "text/event-stream", "text/plain"
_CONFLICT = "409"
_EVENTS: dict[str, type[Model]] = {"put": RunItem, "removed": RemovedRun}
_REFUSALS = {
    "400": "The query is not one that is known here: a line for everything that is wrong.",
    "401": "No token that the API server knows.",
    "403": "A right is missing; it is named. Of a request also: a page of another origin may have made it.",
    "404": "There is none of the name, or the namespace is not watched.",
    "405": "Another method than that of the address.",
    "503": "The API server or the store is away, or the runs are not listed yet: repeat the request.",
}


_ANSWERED = {
    "202": "The run has not answered within 10 s. The request stands: ask again.",
    "409": "The run refuses it, or runUid is that of another run.",
    "422": "The payload is not what the interrupt waits for, or what is said has no meaning for the action.",
}
_POSTED = {
    "408": "The body did not arrive in time.",
    "413": "The body is larger than 1 MiB.",
    "415": "The body is not said to be application/json.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One address of the API. `answer`: None: the document itself, or a stream.

    body:  what is posted; None: it is an address to read.
    codes: further codes with an answer, and what each says.
    """

    path: str
    name: str
    summary: str
    right: str
    query: type[Model] = NothingAsked
    answer: type[Model] | None = None
    media_type: str = "application/json"
    body: type[Model] | None = None
    codes: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The method of the address."""
        return "get" if self.body is None else "post"


DESCRIBED = (
    Described(
        path="/api/v1/runs",
        name="listRuns",
        summary="Runs, newest first.",
        right="list reactorruns",
        query=RunsQuery,
        answer=RunPage,
    ),
    Described(
        path="/api/v1/runs/{namespace}/{name}",
        name="getRun",
        summary="A run as it is now.",
        right="get reactorruns",
        answer=RunAnswer,
    ),
    Described(
        path="/api/v1/runs/{namespace}/{name}/graph",
        name="getRunGraph",
        summary="The steps of a run, what waits for what, and where each is.",
        right="get reactorruns and get reactors",
        answer=RunGraph,
    ),
    Described(
        path="/api/v1/runs/{namespace}/{name}/requests",
        name="askRun",
        summary="Ask something of a run, and wait for its answer.",
        right="create reactorsignals; with asApprover: update reactorruns/approval",
        answer=RequestAnswer,
        body=PostedRequest,
        codes=_ANSWERED,
    ),
    Described(
        path="/api/v1/runs/{namespace}/{name}/requests/{id}",
        name="getRequest",
        summary="What became of a request.",
        right="create reactorsignals",
        answer=RequestAnswer,
        codes=_ANSWERED,
    ),
    Described(
        path="/api/v1/runs/{namespace}/{name}/history",
        name="getRunHistory",
        summary="Transitions of a run and of its steps, oldest first.",
        right="get reactorruns",
        query=HistoryQuery,
        answer=HistoryAnswer,
    ),
    Described(
        path="/api/v1/runs/{namespace}/{name}/step",
        name="getRunStep",
        summary="A step of a run, with its tasks and what it was given.",
        right="get reactorruns; payload schema: get reactors",
        query=StepQuery,
        answer=StepAnswer,
    ),
    Described(
        path="/api/v1/runs/{namespace}/{name}/value",
        name="getRunValue",
        summary="One level of a document of a run, by page.",
        right="get reactorruns; sensitive documents are shown to nobody",
        query=ValueQuery,
        answer=ValueAnswer,
    ),
    Described(
        path="/api/v1/runs/{namespace}/{name}/logs",
        name="getTaskLog",
        summary="What a task printed.",
        right="get reactorruns and get pods/log",
        query=LogsQuery,
        media_type=_TEXT,
    ),
    Described(
        path="/api/v1/runs/{namespace}/{name}/elements",
        name="listElements",
        summary="Elements of a map by their index.",
        right="get reactorruns",
        query=ElementsQuery,
        answer=ElementPage,
    ),
    Described(
        path="/api/v1/reactors",
        name="listReactors",
        summary="Reactors by namespace and name.",
        right="list reactors",
        query=ReactorsQuery,
        answer=ReactorPage,
    ),
    Described(
        path="/api/v1/reactors/{namespace}/{name}",
        name="getReactor",
        summary="A reactor as it is now, with its graph.",
        right="get reactors",
        answer=ReactorAnswer,
    ),
    Described(
        path="/api/v1/inbox",
        name="listInbox",
        summary="Interrupts that wait, the longest wait first.",
        right="list reactorruns; payload schemas: get reactors",
        query=InboxQuery,
        answer=InboxPage,
    ),
    Described(
        path="/api/v1/changes",
        name="listenToChanges",
        summary="What becomes of runs, as server-sent events: ready, put (a RunItem), removed (a RemovedRun), reset.",
        right="watch reactorruns",
        query=ChangesQuery,
        media_type=_STREAM,
    ),
    Described(
        path="/api/v1/session",
        name="getSession",
        summary="Who asks, and what they may do.",
        right="none but to be known",
        query=SessionQuery,
        answer=SessionAnswer,
    ),
    Described(path="/api/v1/openapi.json", name="getOpenApi", summary="This document.", right="none but to be known"),
)


def openapi_document(version: str) -> Document:
    """Return the document. `version`: that of the gateway."""
    answers = [one.answer for one in DESCRIBED if one.answer is not None]
    bodies = [one.body for one in DESCRIBED if one.body is not None]
    models: list[type[BaseModel]] = [*answers, *bodies, *_EVENTS.values(), ErrorAnswer]
    _, schemas = models_json_schema([(model, "validation") for model in models], by_alias=True, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Reactor Operator", "version": version, "description": "Runs and reactors."},
        "security": [{"token": []}],
        "paths": {one.path: {one.method: _operation(one)} for one in DESCRIBED},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas["$defs"],
        },
    }


def _operation(one: Described) -> Document:
    refusals = _REFUSALS | (_POSTED if one.body is not None else {})
    described: Document = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Needs the right to: {one.right}.",
        "parameters": [*_in_path(one.path), *_in_query(one.query), *_headers(one)],
        "responses": {"200": _success(one)} | {code: _refusal(why) for code, why in refusals.items()},
    }
    described["responses"] |= {code: _further(one, code, why) for code, why in one.codes.items()}
    if one.body is not None:
        content = {"application/json": {"schema": _reference(one.body)}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _further(one: Described, code: str, why: str) -> Document:
    """Return an answer of another code: that of the run, or (of a 409) why it was not asked."""
    assert one.answer is not None
    schemas = [_reference(one.answer), *([_reference(ErrorAnswer)] if code == _CONFLICT else [])]
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    return {"description": why, "content": {"application/json": {"schema": schema}}}


def _success(one: Described) -> Document:
    content: Document = {"schema": {"type": "object"}}
    if one.answer is not None:
        content = {"schema": _reference(one.answer)}
    elif one.media_type == _STREAM:
        content = {"schema": {"type": "string"}, "x-events": {name: _reference(of) for name, of in _EVENTS.items()}}
    elif one.media_type == _TEXT:
        content = {"schema": {"type": "string"}}
    return {"description": one.summary, "content": {one.media_type: content}} | _headers_of(one)


def _headers_of(one: Described) -> Document:
    if one.media_type != _TEXT:
        return {}
    words = "live: from where the task runs. kept: all that was kept, cut: the end of it. none: the body says why."
    schema = {"type": "string", "enum": ["live", "kept", "cut", "none"]}
    return {"headers": {LOG: {"description": words, "required": True, "schema": schema}}}


def _refusal(why: str) -> Document:
    return {"description": why, "content": {"application/json": {"schema": _reference(ErrorAnswer)}}}


def _reference(model: type[Model]) -> Document:
    return {"$ref": _REF.format(model=model.__name__)}


def _in_path(path: str) -> Sequence[Document]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _in_query(query: type[Model]) -> Sequence[Document]:
    schema = query.model_json_schema(by_alias=True)
    defined = schema.get("$defs", {})
    parameters = []
    for name, property_ in schema.get("properties", {}).items():
        written = _inlined(property_, defined)
        description = written.pop("description", "")
        required = {"required": True} if name in schema.get("required", ()) else {}
        parameters.append({"name": name, "in": "query", "description": description, **required, "schema": written})
    return parameters


def _inlined(schema: Any, defined: Document) -> Any:
    """Return a schema without references: those of a query are enumerations."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(defined[schema["$ref"].rpartition("/")[2]], defined)
        return {name: _inlined(part, defined) for name, part in schema.items()}
    return [_inlined(part, defined) for part in schema] if isinstance(schema, list) else schema


def _headers(one: Described) -> Sequence[Document]:
    if one.body is not None:
        description = "Says that no form of another origin asks, which can send no such header."
        schema = {"type": "string", "enum": [VALUE]}
        return [{"name": HEADER, "in": "header", "required": True, "description": description, "schema": schema}]
    if one.media_type != _STREAM:
        return []
    description = "The id of the last event that was heard, to go on after it."
    return [{"name": "Last-Event-ID", "in": "header", "description": description, "schema": {"type": "string"}}]
