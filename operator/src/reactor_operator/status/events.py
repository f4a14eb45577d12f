"""Kubernetes Events on a run: what `kubectl describe` tells of it.

In: what the engine announces. Out: an Event with a name that follows from run and ordinal, so that posting it again
finds it there. Never here: a clock; the caller says when.
"""

from reactor_operator.engine.actions import Announce
from reactor_operator.engine.identity import digest_of
from reactor_operator.kube.fields import JsonObject
from reactor_operator.kube.moments import render_micros, render_moment
from reactor_operator.kube.paths import EVENT, REACTOR_RUN
from reactor_operator.ports import RunRef

COMPONENT = "reactor-operator"
_MESSAGE_BYTES = 1024
_REASON_LIMIT = 128
_NAME_LIMIT = 200


def render_event(ref: RunRef, announcement: Announce, instance: str, now: int) -> JsonObject:
    """Return the Event. `instance` is the operator's pod, `now` int ms."""
    suffix = digest_of("event", ref.uid, announcement.ordinal)[:16]
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": f"{ref.name[:_NAME_LIMIT].rstrip('-.')}.{suffix}", "namespace": ref.namespace},
        "involvedObject": {
            "apiVersion": REACTOR_RUN.api_version,
            "kind": REACTOR_RUN.name,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": ref.uid,
        },
        "type": "Warning" if announcement.warning else "Normal",
        "reason": announcement.reason[:_REASON_LIMIT],
        "message": _cut(announcement.message),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance[:_REASON_LIMIT],
        "action": announcement.reason[:_REASON_LIMIT],
        "firstTimestamp": render_moment(now),
        "lastTimestamp": render_moment(now),
        "eventTime": render_micros(now),
        "count": 1,
    }


def _cut(message: str) -> str:
    """Return as much of `message` as an Event may hold: the API server counts bytes and refuses what is longer."""
    encoded = message.encode("utf-8", "replace")
    if len(encoded) <= _MESSAGE_BYTES:
        return message
    return encoded[: _MESSAGE_BYTES - len("…".encode())].decode("utf-8", "ignore") + "…"
