"""Objects and summaries as the API writes them.

In: objects of the API server, summaries of the mirror. Out: JSON objects in the shapes of `answers`, and bytes.
Never here: a look at anything beside them.
"""

import json
from collections.abc import Mapping

import orjson

from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.api.viewers import Visible
from reactor_operator.kube.fields import JsonObject, int_at, map_at, maps_at, text_at
from reactor_operator.kube.moments import render_moment
from reactor_operator.mirror.summary import RunSummary, Waiting

Rendered = dict[str, object]
_CUT = 200


def answer_of(document: Mapping[str, object]) -> Answer:
    """Return the answer with a document. What people wrote into an object may be deeper than orjson writes."""
    return Answer(bytes_of(document))


def bytes_of(document: Mapping[str, object]) -> bytes:
    """Return a document as JSON."""
    try:
        return orjson.dumps(document)
    except TypeError:
        return json.dumps(document).encode()


def page_of(items: list[Rendered], cursor: str | None, visible: Visible) -> Rendered:
    """Return a page of a list."""
    rendered: Rendered = {"items": items}
    if cursor is not None:
        rendered["next"] = cursor
    return rendered if visible is None else rendered | {"namespaces": sorted(visible)}


def run_item(run: RunSummary) -> Rendered:
    """Return a run in a list."""
    rendered: Rendered = {
        "namespace": run.namespace,
        "name": run.name,
        "uid": run.uid,
        "reactor": run.reactor,
        "phase": run.phase,
        "createdAt": render_moment(run.created_at),
        "progress": run.progress,
        "message": run.message,
        "waiting": len(run.waiting),
    }
    return rendered | _times(startedAt=run.started_at, finishedAt=run.finished_at)


def removed_run(run: RunSummary) -> Rendered:
    """Return which run is gone."""
    return {"namespace": run.namespace, "name": run.name, "uid": run.uid}


def inbox_item(run: RunSummary, one: Waiting) -> Rendered:
    """Return an interrupt that waits."""
    rendered: Rendered = {
        "namespace": run.namespace,
        "run": run.name,
        "runUid": run.uid,
        "reactor": run.reactor,
        "step": one.step,
        "approvers": one.approvers,
    }
    optional: Rendered = {
        "correlationId": one.correlation_id or None,
        "attemptsLeft": one.attempts_left,
        "lastRejection": one.last_rejection or None,
    }
    rendered |= {name: value for name, value in optional.items() if value is not None}
    return rendered | _times(openedAt=one.opened_at, expiresAt=one.expires_at)


def metadata_of(found: JsonObject) -> Rendered:
    """Return which object it is; labels and annotations are left away."""
    return {
        "namespace": text_at(found, "metadata", "namespace"),
        "name": text_at(found, "metadata", "name"),
        "uid": text_at(found, "metadata", "uid"),
        "generation": int_at(found, "metadata", "generation") or 0,
        "createdAt": text_at(found, "metadata", "creationTimestamp"),
        "deleting": bool(text_at(found, "metadata", "deletionTimestamp")),
    }


def ready_of(reactor: JsonObject) -> Rendered:
    """Return the condition Ready of a reactor as `{"ready": …}`, nothing where it has none."""
    conditions = maps_at(reactor, "status", "conditions")
    found = next((one for one in conditions if text_at(one, "type") == "Ready"), None)
    return {"ready": found} if found is not None else {}


def reactor_item(reactor: JsonObject) -> Rendered:
    """Return a reactor in a list."""
    rendered = metadata_of(reactor)
    del rendered["deleting"]
    description = text_at(reactor, "spec", "description")
    if description:
        rendered["description"] = description if len(description) <= _CUT else description[: _CUT - 1] + "…"
    steps = map_at(reactor, "spec").get("steps")
    return rendered | {"steps": len(steps) if isinstance(steps, list) else 0} | ready_of(reactor)


def _times(**moments: int | None) -> Rendered:
    return {name: render_moment(moment) for name, moment in moments.items() if moment is not None}
