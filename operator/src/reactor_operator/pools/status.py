"""The status of a ReactorPool: what people, `kubectl wait` and autoscalers read there.

In: a pool, its workers, the depth of its queue, the present. Out: a status as a JSON object.
Never here: a request, or the status read back as truth (but for since when a condition is as it is).

Ready: a worker is, or none is wanted. Progressing: workers come, go or are replaced. Stalled: some of them cannot
start, and why. `kubectl wait --for=condition=Ready` is what a script needs; Flux and Argo CD read all three.
"""

from collections.abc import Mapping

from reactor_operator.kube.fields import JsonObject, maps_at, text_at
from reactor_operator.kube.moments import render_moment
from reactor_operator.pools.manifest import pod_selector
from reactor_operator.pools.pool import Pool
from reactor_operator.pools.workers import Workers
from reactor_operator.store.port import Depth

READY, PROGRESSING, STALLED = "Ready", "Progressing", "Stalled"
INVALID = "InvalidSpec"
EMPTY_QUEUE = Depth(queued=0, leased=0, oldest_ms=0)
_MESSAGE_LIMIT = 1024
_REASON_LIMIT = 128
_COUNTS = ("queued", "leased", "oldestSeconds")

Status = dict[str, object]


def render_pool_status(pool: Pool, workers: Workers, depth: Depth, now: int) -> Status:
    """Return the status; `now` is int ms since the epoch."""
    return {
        "observedGeneration": pool.generation,
        "replicas": workers.replicas,
        "readyReplicas": workers.ready,
        "selector": pod_selector(pool),
        "queued": depth.queued,
        "leased": depth.leased,
        "oldestSeconds": depth.oldest_ms // 1000,
        "conditions": [
            _condition(pool, READY, *_ready(pool, workers), now),
            _condition(pool, PROGRESSING, *_progressing(pool, workers), now),
            _condition(pool, STALLED, *_stalled(pool, workers), now),
        ],
    }


def differs_in_more_than_counts(status: Mapping[str, object], before: JsonObject) -> bool:
    """Return whether a status says something else than how much waits at this moment, which changes all the time."""
    return any(before.get(name) != value for name, value in status.items() if name not in _COUNTS)


def _ready(pool: Pool, workers: Workers) -> tuple[bool, str, str]:
    if workers.ready:
        return True, "WorkersReady", f"{workers.ready} of {workers.wanted} workers are ready"
    if pool.spec is None:
        return False, INVALID, _listed(pool)
    if not workers.wanted:
        return True, "ScaledToZero", "no worker is wanted"
    reason, message = _split(workers.trouble)
    return False, reason or "NoWorkerReady", message or f"none of {workers.wanted} workers is ready yet"


def _progressing(pool: Pool, workers: Workers) -> tuple[bool, str, str]:
    if pool.spec is None or workers.settled:
        return False, "Settled", ""
    return True, "WorkersChange", f"{workers.ready} of {workers.wanted} workers are ready, {workers.replicas} are there"


def _stalled(pool: Pool, workers: Workers) -> tuple[bool, str, str]:
    if pool.spec is None:
        kept = "; its workers stay as they were" if workers.wanted else ""
        return True, INVALID, _listed(pool) + kept
    reason, message = _split(workers.trouble)
    return bool(reason), reason or "WorkersStart", message


def _listed(pool: Pool) -> str:
    return "\n".join(str(problem) for problem in pool.problems)


def _split(trouble: str) -> tuple[str, str]:
    """Return reason and message of `Reason: message`; the reason as Kubernetes takes it."""
    reason, _, message = trouble.partition(":")
    word = "".join(letter for letter in reason if letter.isascii() and letter.isalnum())[:_REASON_LIMIT]
    return (word if word[:1].isalpha() else f"Reason{word}" if trouble else ""), message.strip()


def _condition(pool: Pool, name: str, truth: bool, reason: str, message: str, now: int) -> Status:
    status = "True" if truth else "False"
    before = next((one for one in maps_at(pool.status, "conditions") if text_at(one, "type") == name), {})
    kept = text_at(before, "lastTransitionTime") if text_at(before, "status") == status else ""
    return {
        "type": name,
        "status": status,
        "reason": reason,
        "message": message[:_MESSAGE_LIMIT],
        "observedGeneration": pool.generation,
        "lastTransitionTime": kept or render_moment(now),
    }
