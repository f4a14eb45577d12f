"""The request of an http action as the task is told of it: evaluated once, so that all attempts send the same bytes.

In: an `HttpAction` and the values of its sources. Out: one JSON object, read by `reactor.request` of the runtime; or
why there is none. Never here: the text of a Secret; such a header is named with the variable that has it in the task.
"""

from collections.abc import Mapping

import orjson

from reactor_operator.api.http import HttpAction
from reactor_operator.api.paths import parse_path
from reactor_operator.api.problems import render_found
from reactor_operator.api.sources import Source
from reactor_operator.engine.identity import Action

Request = dict[str, object]


def sources_of(http: HttpAction, action: Action) -> dict[str, Source]:
    """Return the sources that are evaluated here, by the field that each is written in."""
    return {
        f"{action.value}.http.{'.'.join(keys)}": source for keys, source in http.sources() if not source.by_reference
    }


def render_request(
    http: HttpAction, action: Action, values: Mapping[str, object], timeout_ms: int | None
) -> Request | str:
    """Return the request; a string says what is wrong with a value."""
    base = f"{action.value}.http"
    url = values[f"{base}.url"]
    if not isinstance(url, str):
        return f"{base}.url: found {render_found(url)}, expected text that begins with http:// or https://"
    headers: list[tuple[str, str]] = []
    for name in http.headers:
        value = values.get(f"{base}.headers.{name}")
        if isinstance(value, list | dict):
            return f"{base}.headers.{name}: found {render_found(value)}, expected text"
        if value is not None:
            headers.append((name, value if isinstance(value, str) else orjson.dumps(value).decode()))
    request: Request = {
        "method": http.method.value,
        "url": url,
        "headers": headers,
        "references": {name: variable for name, (variable, _) in http.references().items()},
        "timeoutMs": timeout_ms,
        "successCodes": list(http.success_codes) if http.success_codes is not None else None,
        "resultPath": list(parse_path(http.result_path)) if http.result_path is not None else None,
    }
    if http.body is not None:
        body = values[f"{base}.body"]
        is_text = isinstance(body, str)
        try:
            request["body"] = body if is_text else orjson.dumps(body).decode()
        except TypeError:
            return f"{base}.body: found JSON that is nested too deeply, expected at most 250 levels"
        request["bodyType"] = "text/plain; charset=utf-8" if is_text else "application/json"
    return request
