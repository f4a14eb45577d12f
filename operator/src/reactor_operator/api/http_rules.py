"""Rules inside one `http` that its model does not see: what its sources may be, and headers that are ours.

In: a sound `HttpAction` and what it does for its step. Out: problems. Never here: names of steps (see `graph`).
"""

import re
from collections.abc import Iterator

from reactor_operator.api.http import HttpAction
from reactor_operator.api.map_rules import NOWHERE, Inside
from reactor_operator.api.problems import Problem, path_to, render_found
from reactor_operator.api.source_rules import path_fault, source_problems
from reactor_operator.api.sources import Source
from reactor_operator.engine.identity import Action

READ_BESIDE = {Action.RUN: (), Action.COMPENSATE: ("failure",), Action.UNDO: ("result",)}
"""What the sources of an action may read beside the inputs, the results of steps and `args`."""
OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "idempotency-key",
        "reactor-forward-key",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that the runtime sends itself, or that would change how an answer is to be read."""
_URL = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def http_problems(http: HttpAction, action: Action, path: str, inside: Inside = NOWHERE) -> Iterator[Problem]:
    """Yield what is wrong with the request at `path`, its shape being right."""
    seen = inside if action is Action.RUN else inside.later()
    for keys, source in http.sources():
        where = path_to(path, keys)
        yield from source_problems(source, where, arguments=True, beside=READ_BESIDE[action], inside=seen)
    for name, of_request in (("url", http.url), ("body", http.body)):
        if of_request is not None and of_request.by_reference:
            message = "found a key of a Secret or ConfigMap, expected another source: put the key into a header"
            yield Problem(f"{path}.{name}", message, "InvalidValue")
    if http.url.has_value:
        yield from _literal_url(http.url.value, f"{path}.url.value")
    yield from _headers(http, path)
    if http.result_path is not None and (fault := path_fault(http.result_path)) is not None:
        yield Problem(f"{path}.resultPath", fault, "InvalidPath")


def _literal_url(url: object, path: str) -> Iterator[Problem]:
    if not isinstance(url, str) or not _URL.match(url):
        message = f"found {render_found(url)}, expected an address that begins with http:// or https://"
        yield Problem(path, message, "InvalidValue")
    elif _CONTROL.search(url) or " " in url:
        message = "found a control character or a space in the address, expected them percent-encoded"
        yield Problem(path, message, "InvalidValue")


def _headers(http: HttpAction, path: str) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, source in http.headers.items():
        field = path_to(path, ("headers", name))
        if name.lower() in OURS:
            yield Problem(field, f"found the header {name}, which the runtime sends itself: remove it", "ReservedName")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            message = f"found {name} beside {other}: the names of headers differ in more than their case"
            yield Problem(field, message, "DuplicateName")
        if source.has_value:
            yield from _literal_header(source, f"{field}.value")


def _literal_header(source: Source, path: str) -> Iterator[Problem]:
    if isinstance(source.value, list | dict):
        yield Problem(path, f"found {render_found(source.value)}, expected text", "InvalidValue")
    elif isinstance(source.value, str) and _CONTROL.search(source.value.replace("\t", " ")):
        yield Problem(path, "found a control character, expected text on one line", "InvalidValue")
