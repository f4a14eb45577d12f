"""Cancelling by annotation: `reactor.run/cancel` or `reactor.run/cancel.ID` on a run.

In: annotations of a run, which anyone may have written. Out: signals, and what removes them. Never here: a decision.
Total: an empty value, `true` and `{}` mean the same; an object may say `reason`; any other text is the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from reactor_operator.engine.events import CancelRequested
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.identity import digest_of
from reactor_operator.ports import RunRef
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry

_KEY = "reactor.run/cancel"
_LIMIT = 8
_ID_LIMIT = 200
_VALUE_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class CancelAnnotation:
    """One request. `id` is what the answer in `status.signals` is called."""

    key: str
    value: str
    id: str
    reason: str

    def entry_for(self, ref: RunRef) -> Entry:
        """Return the request as an inbox entry; the same request is the same entry."""
        event = CancelRequested(id=self.id, reason=self.reason, by="annotation")
        return Entry(run=ref.uid, digest=digest_of("cancel", self.id), body=encode_event(event))

    def removal(self) -> list[dict[str, object]]:
        """Return the JSON patch that removes the annotation, unless it says something else by now."""
        path = "/metadata/annotations/" + self.key.replace("~", "~0").replace("/", "~1")
        return [{"op": "test", "path": path, "value": self.value}, {"op": "remove", "path": path}]


def parse_cancels(annotations: Mapping[str, str]) -> list[CancelAnnotation]:
    """Return the requests among the annotations, at most a few."""
    found = []
    for key in sorted(annotations):
        message_id = key[len(_KEY) + 1 :]
        if key == _KEY or (key.startswith(_KEY + ".") and message_id):
            value = annotations[key]
            # Without an id of its own a request is known by what it says.
            id_ = message_id[:_ID_LIMIT] or f"annotation-{digest_of(key, value)[:12]}"
            found.append(CancelAnnotation(key, value, id_, _reason(value)))
    return found[:_LIMIT]


def _reason(value: str) -> str:
    text = value.strip()
    if text in ("", "true", "{}") or len(text) > _VALUE_LIMIT:
        return ""
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return render_message(text)
    reason = said.get("reason") if isinstance(said, dict) else said
    return render_message(reason) if isinstance(reason, str) else ""
