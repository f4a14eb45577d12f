"""A pod's status as what happened to its task.

In: the JSON of a pod and what its seal says. Out: a `PodReading`, its outcome as an inbox entry.
Never here: a request, a clock, the inbox. Total: any JSON is a reading.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from reactor_operator.engine.events import Outcome, TaskFailed, TaskLost
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.identity import digest_of
from reactor_operator.kube.fields import JsonObject, parse_object, text_at
from reactor_operator.outcomes import pod_facts as facts
from reactor_operator.outcomes.container import read_exit
from reactor_operator.outcomes.document import InvalidOutcome, parse_outcome
from reactor_operator.outcomes.exit_words import exit_words
from reactor_operator.outcomes.exits import failed_exit, memory_words
from reactor_operator.pools.pool import chunk_queue, unleased_binding
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry
from reactor_operator.tasks.manifest_reads import parse_reads
from reactor_operator.tasks.manifest_seal import Sealed
from reactor_operator.tasks.manifest_spec import STEP

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_AGENT_STOPPED = 143
"""The agent's exit code when it was told to stop before it called the handler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodReading:
    """What a pod tells now.

    dead:       the task's container runs no longer and never will again.
    started_at: when it started, int ms, for containers (a Python task tells itself by its check-in).
    waiting:    why it cannot start, `Reason: message`.
    outcome:    how it ended, as far as its pod can tell.
    """

    dead: bool = False
    started_at: int | None = None
    waiting: str = ""
    outcome: Entry | None = None


def read_pod(pod: JsonObject, sealed: Sealed) -> PodReading:
    """Return what the pod tells of the task."""
    reads = parse_reads(sealed.reads)
    if reads.chunk:
        return _read_chunk(pod, sealed)
    is_python = reads.python
    status = facts.container_status(pod, STEP)
    ended = facts.ended_container(status)
    if ended is not None and is_python:
        return PodReading(dead=True, outcome=_read_agent(pod, sealed, ended))
    if ended is not None:
        started = None if ended.never_ran else facts.started_at(status)
        return PodReading(dead=True, started_at=started, outcome=_read_container(pod, sealed, ended))
    if facts.is_over(pod):
        return PodReading(dead=True, outcome=_read_without_end(pod, sealed))
    waiting = facts.waiting_reason(pod)
    if waiting.startswith("InvalidImageName"):
        return PodReading(waiting=waiting, outcome=_failed(sealed, FailureKind.CANNOT_START, waiting))
    if facts.started_at(status) is not None:
        return PodReading(started_at=None if is_python else facts.started_at(status))
    return PodReading(waiting=waiting)


def is_of_chunk(sealed: Sealed) -> bool:
    """Tell whether a pod takes a chunk of tasks: then a worker speaks for each, and the leases tell what is lost."""
    return parse_reads(sealed.reads).chunk


def read_vanished(pod: JsonObject, sealed: Sealed, *, last: bool) -> Entry:
    """Return how the task of a pod that is gone ended, after `pod`, what was seen of it.

    `last`: that is how it was when it went. Else it may have been put on a node, and have run there, since.
    """
    outcome = read_pod(pod, sealed).outcome
    if outcome is not None:
        return outcome
    on_a_node = bool(text_at(pod, "spec", "nodeName"))
    return _lost(sealed, "its pod was deleted", may_have_started=on_a_node or not last)


def read_unreachable(pod: JsonObject, sealed: Sealed) -> Entry:
    """Return what became of the task of a pod whose node no longer answers."""
    return _lost(sealed, f"node {text_at(pod, 'spec', 'nodeName')} does not answer", may_have_started=True)


def read_missing(sealed: Sealed) -> Entry:
    """Return what became of a task that was launched and of which no pod is left to tell."""
    return _lost(sealed, "its pod is gone and nobody saw how it ended", may_have_started=True)


def read_tampered(sealed: Sealed) -> Entry:
    """Return what became of a task whose pod does not carry our seal any more: what it tells counts for nothing."""
    words = "the annotations of its pod were changed, so its outcome cannot be read"
    return _lost(sealed, words, may_have_started=True)


def entry_of(sealed: Sealed, event: Outcome, values: Mapping[str, bytes] | None = None) -> Entry:
    """Return the final entry for what was read from a pod; reading it again gives the same one."""
    body = encode_event(event)
    return Entry(
        run=sealed.run.uid,
        task=sealed.task.key,
        final=True,
        digest=digest_of("pod", body.hex()),
        body=body,
        values=values or {},
    )


def _read_chunk(pod: JsonObject, sealed: Sealed) -> PodReading:
    """A pod that takes several tasks tells what keeps it from ever starting, as long as nobody has leased the first of
    them. If it ended before it took them, all are to be told."""
    status = facts.container_status(pod, STEP)
    ended, helper = facts.ended_container(status), facts.failed_helper(pod)
    waiting = "" if facts.started_at(status) is not None else facts.waiting_reason(pod)
    words = ""
    if ended is not None and ended.never_ran:
        words = f"{ended.reason}: {ended.message}"
    elif ended is None and facts.is_over(pod) and facts.disruption(pod) is None and helper is not None:
        words = f"init container {helper[0]} {exit_words(helper[1].exit_code)}"
    elif ended is None and waiting.startswith("InvalidImageName"):
        words = waiting
    outcome = None
    if words:
        binding = unleased_binding(chunk_queue(sealed.run.namespace, sealed.name))
        outcome = replace(_failed(sealed, FailureKind.CANNOT_START, words), binding=binding)
    dead = ended is not None or facts.is_over(pod)
    return PodReading(dead=dead, waiting="" if dead else waiting, outcome=outcome)


def _read_agent(pod: JsonObject, sealed: Sealed, ended: facts.Ended) -> Entry:
    """A Python task: its outcome document, or the digest of it, or neither."""
    document = ended.message.encode("utf-8", "replace")
    reason = ""
    if document.strip():
        try:
            return parse_outcome(sealed.run.uid, sealed.task, document)
        except InvalidOutcome as problem:
            reason = f" ({problem})"
        digest = text_at(parse_object(document), "digest")
        if _DIGEST.fullmatch(digest):
            words = f"the task made an outcome too large for its pod's status ({digest[:12]}…), and it never arrived"
            return _failed(sealed, FailureKind.RESULT_LOST, words)
    if ended.never_ran:
        return _failed(sealed, FailureKind.CANNOT_START, f"{ended.reason}: {ended.message}")
    disrupted = _disrupted(pod, ended)
    if disrupted or ended.exit_code == _AGENT_STOPPED:
        called = ended.unknown or ended.exit_code != _AGENT_STOPPED
        return _lost(sealed, disrupted or "it was told to stop", may_have_started=called)
    if ended.out_of_memory:
        return _failed(sealed, FailureKind.OUT_OF_MEMORY, memory_words(ended.exit_code))
    name = text_at(pod, "metadata", "name")
    return _failed(
        sealed,
        FailureKind.NO_OUTCOME,
        f"{exit_words(ended.exit_code)} and reported no outcome{reason}; does the image carry python3 and "
        f"reactor-runtime? kubectl logs {name} may say more",
    )


def _read_container(pod: JsonObject, sealed: Sealed, ended: facts.Ended) -> Entry | None:
    """A container: why it ended, else its exit code. None while its output is still being brought."""
    if ended.never_ran:
        return _failed(sealed, FailureKind.CANNOT_START, f"{ended.reason}: {ended.message}")
    disrupted = _disrupted(pod, ended)
    if disrupted:
        return _lost(sealed, disrupted, may_have_started=True)
    if text_at(pod, "status", "reason") == "DeadlineExceeded":
        return _failed(sealed, FailureKind.TIMEOUT, "the activeDeadlineSeconds of its pod passed")
    told = read_exit(pod, sealed, ended)
    return None if told is None else entry_of(sealed, *told)


def _read_without_end(pod: JsonObject, sealed: Sealed) -> Entry:
    """The pod is over and kubelet says nothing of the task's container."""
    if facts.was_rejected(pod):
        reason = f"{text_at(pod, 'status', 'reason')}: {text_at(pod, 'status', 'message')}"
        return _lost(sealed, f"the node refused its pod: {reason}", may_have_started=False)
    disrupted = facts.disruption(pod)
    helper = facts.failed_helper(pod)
    if disrupted is None and helper is not None:
        name, ended = helper
        words = f"init container {name} {exit_words(ended.exit_code)}"
        outcome = failed_exit(FailureKind.CANNOT_START, words, ended.message)
        return entry_of(sealed, *outcome.event_of(sealed.task))
    why = disrupted[1] if disrupted is not None else "kubelet says nothing of its container"
    return _lost(sealed, why, may_have_started=helper is None)


def _disrupted(pod: JsonObject, ended: facts.Ended) -> str:
    """Return what ended the container from outside, empty where it ended by itself.

    From the second of a deletion or eviction on, an exit is taken for an answer to it, success included: programs end
    with 0 when told to stop. Launching again under the same idempotency key is the safe reading.
    """
    if ended.unknown:
        return "kubelet lost track of its container"
    found = facts.disruption(pod)
    return found[1] if found is not None and ended.at >= found[0] - found[0] % 1000 else ""


def _failed(sealed: Sealed, kind: FailureKind, message: str) -> Entry:
    failure = Failure(kind=kind, message=render_message(message))
    return entry_of(sealed, TaskFailed(task=sealed.task, failure=failure))


def _lost(sealed: Sealed, message: str, *, may_have_started: bool) -> Entry:
    event = TaskLost(task=sealed.task, message=render_message(message), may_have_started=may_have_started)
    return entry_of(sealed, event)
