"""The form `http` of an action: one request, described by sources.

In: one object of a manifest. Out: a frozen `HttpAction`. Never here: rules that look at what is written in it (see
`http_rules`), the values of its sources, a request.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from reactor_operator.api.model import Integer, Model, Optional, Path
from reactor_operator.api.sources import Source

HEADER_NAME = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
HEADER_PREFIX = "REACTOR_HEADER_"
HeaderName = Annotated[str, Field(strict=True, min_length=1, max_length=256, pattern=HEADER_NAME)]
StatusCode = Annotated[Integer, Field(ge=200, le=599)]


class Method(StrEnum):
    """What the request asks for."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    OPTIONS = "OPTIONS"


class HttpAction(Model):
    """One request, made by the runtime with an Idempotency-Key header. Expressions read args; in undo result, in
    compensate failure."""

    method: Method = Field(description="The method.")
    url: Source = Field(description="The address, as text: http:// or https://.")
    headers: Annotated[dict[HeaderName, Source], Field(max_length=64)] = Field(
        default_factory=dict,
        description="Headers by name. One from a secretKeyRef is read by the task alone; one that is null is not sent.",
    )
    body: Optional[Source] = Field(
        default=None, description="Text is sent as it is, anything else as JSON. Unset: no body."
    )
    success_codes: Optional[Annotated[tuple[StatusCode, ...], Field(min_length=1, max_length=100)]] = Field(
        default=None, description="Status codes that mean success. Unset: 200 to 299."
    )
    result_path: Optional[Path] = Field(
        default=None, description="Path of the result inside the answer, such as items[0].id. Unset: the whole answer."
    )

    def sources(self) -> Iterator[tuple[tuple[str, ...], Source]]:
        """Yield all sources, each with where it is written."""
        yield ("url",), self.url
        for name, source in self.headers.items():
            yield ("headers", name), source
        if self.body is not None:
            yield ("body",), self.body

    def references(self) -> dict[str, tuple[str, Source]]:
        """Return by name the headers whose text only the task reads, each with the variable that brings it there."""
        named = [name for name in sorted(self.headers) if self.headers[name].by_reference]
        return {name: (f"{HEADER_PREFIX}{place}", self.headers[name]) for place, name in enumerate(named)}
