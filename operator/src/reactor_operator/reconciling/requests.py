"""The request of an http action as the task is told of it: evaluated once, so that all attempts send the same bytes.

In: an `HttpAction` and the values of its sources. Out: one JSON object, read by `reactor.request` of the runtime; or
why there is none. Never here: the text of a Secret; such a header is named with the variable that has it in the task.
"""

from collections.abc import Mapping
from dataclasses import replace

import orjson

from reactor.masking import texts_in
from reactor_operator.api.http import HttpAction
from reactor_operator.api.paths import parse_path
from reactor_operator.api.problems import render_found
from reactor_operator.api.sources import Source
from reactor_operator.engine.actions import EvaluateRequest
from reactor_operator.engine.elements import saga_of
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.launching import action_plan
from reactor_operator.evaluation.environment import Environment, ReadSensitive
from reactor_operator.ports import Evaluator
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.failures import read_failure
from reactor_operator.reconciling.masked import masked
from reactor_operator.reconciling.records import KnownRun

Request = dict[str, object]


async def evaluate_request(
    asked: EvaluateRequest, known: KnownRun, environment: Environment, evaluator: Evaluator, documents: Documents
) -> Request | Failure:
    """Evaluate what the tasks of an action send. `environment` has the inputs and results that they read."""
    task = asked.task
    arguments = {} if asked.arguments is None else orjson.loads(await documents.one(asked.arguments))
    beside: dict[str, object] = {}
    if task.action is Action.UNDO:
        beside["result"] = orjson.loads(await documents.one(asked.result))
    elif task.action is Action.COMPENSATE:
        beside["failure"] = orjson.loads(await read_failure(asked.failure, documents))
    told, subject = replace(environment, arguments=arguments, beside=beside), f"step {task.path}"
    assert known.blueprint is not None
    sensitive = known.blueprint.sensitive.of_task(task.path, task.action)
    if sensitive:
        result = sensitive.result and task.action is Action.UNDO
        told = replace(told, sensitive=replace(told.sensitive, arguments=sensitive.arguments, beside=result))
    found = await evaluator.evaluate_sources(sources_of(known, task), told, subject)
    if isinstance(found, Failure):
        return masked(found, told)
    planned = saga_of(known.plan, known.state, task.path)[0].steps[task.path]
    timeout_ms = action_plan(planned, task.action).timeout_ms
    request = render_request(_http_of(known, task), task.action, found, timeout_ms)
    if isinstance(request, str):
        message = render_message(f"{subject}: {request}")
        failure = Failure(kind=FailureKind.INVALID_ARGUMENTS, message=message, retryable=False)
        if not sensitive.request:
            return failure
        all_of_it = ReadSensitive(beside=True)
        return masked(failure, replace(told, beside={"sent": list(found.values())}, sensitive=all_of_it))
    return {**request, "masks": _masks(known, task, told, found)} if sensitive.request else request


def _masks(known: KnownRun, task: Task, environment: Environment, found: Mapping[str, object]) -> list[str]:
    """Return the texts that may not be told of a request: what is sensitive of what it read, and all that it sends but
    its address, which is known to be sensitive only where the reactor says so."""
    sent = [value for name, value in found.items() if not name.endswith(".url")]
    declared = [found[name] for name, source in sources_of(known, task).items() if source.sensitive]
    return sorted(texts_in([*environment.sensitive_values(), *sent, *declared]))


def sources_of(known: KnownRun, task: Task) -> dict[str, Source]:
    """Return the sources that are evaluated here, by the field that each is written in."""
    return evaluated_sources(_http_of(known, task), task.action)


def _http_of(known: KnownRun, task: Task) -> HttpAction:
    spec = known.blueprint.step(task.path).action(task.action) if known.blueprint is not None else None
    if spec is None or spec.http is None:
        raise AssertionError(f"step {task.path!r}: {task.action} is no request")
    return spec.http


def evaluated_sources(http: HttpAction, action: Action) -> dict[str, Source]:
    """Return the sources of a request that are no references, by the field that each is written in."""
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
