"""Leased tasks as a worker is told of them (docs/protocol.md).

In: leases, with the open record of each task. Out: the lines of an answer. Never here: a lease is taken; and one task
that cannot be told never keeps the others back: its lease runs out, and the run hears of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import orjson
import structlog

from reactor_operator.encryption import CannotDecrypt
from reactor_operator.engine.identity import Action, idempotency_key
from reactor_operator.engine.values import ValueRef
from reactor_operator.gateway.documents import TaskDocuments, size_of
from reactor_operator.gateway.pool_requests import PoolRequest
from reactor_operator.gateway.printed import PrintedLogs
from reactor_operator.gateway.record import OpenRecord, UnreadableRecord, decode_record, told_failure, told_sensitive
from reactor_operator.store.port import Lease, StoreUnavailable
from reactor_operator.tracing.identity import traceparent

_LARGE = 256 * 1024
_TOGETHER = 4 * 1024 * 1024
_log = structlog.get_logger("reactor_operator.gateway")


@dataclass(frozen=True, slots=True)
class _Told:
    """A task to be told: `documents` are there unless it is too large to be sent along."""

    run: str
    task: str
    record: OpenRecord
    pool: ValueRef
    sent_along: bool


class LeasedTasks:
    """Renders leased tasks for one worker after the other."""

    def __init__(self, documents: TaskDocuments, printed: PrintedLogs) -> None:
        self._documents = documents
        self._printed = printed

    async def render(
        self,
        request: PoolRequest,
        binding: str,
        leases: Iterable[Lease],
        known: frozenset[str],
        head: dict[str, object],
    ) -> bytes:
        """Return the answer to a lease: `head` and what it lacks, a line for each task. Raises StoreUnavailable."""
        leases = tuple(leases)
        told = list(_to_tell(leases))
        values = await self._read(told)
        lines: dict[tuple[str, str], bytes] = {}
        proofs: dict[tuple[str, str], str] = {}
        for one in told:
            proof = request.proof(binding, one.run, one.task)
            line = self._line(one, proof, values[one.run])
            if line is not None:
                lines[one.run, one.task] = line
                proofs[one.run, one.task] = proof
        pools = {(one.run, one.task): one.pool.digest for one in told}
        listed = []
        ordered: list[bytes] = []
        for lease in leases:
            tasks = [leased.task for leased in lease.tasks if (lease.run, leased.task) in lines]
            if tasks:
                steps = list(dict.fromkeys(pools[lease.run, task] for task in tasks))
                proven = [(task, proofs[lease.run, task]) for task in tasks]
                listed.append({"lease": lease.id, "run": lease.run, "steps": steps, "tasks": proven})
                ordered += [lines[lease.run, task] for task in tasks]
        wanted = {digest for one in listed for digest in one["steps"]} - known
        steps_told = {
            one.pool.digest: values[one.run][one.pool.digest].decode() for one in told if one.pool.digest in wanted
        }
        first = orjson.dumps({**head, "steps": steps_told, "leases": listed})
        return b"\n".join([first, *ordered])

    async def render_one(self, request: PoolRequest, binding: str, run: str, task: str, record: OpenRecord) -> bytes:
        """Return one task with all its documents. Raises StoreUnavailable, CannotDecrypt."""
        if record.pool is None:
            raise StoreUnavailable(f"run {run}: task {task} is not for a pool")
        one = _Told(run, task, record, record.pool, sent_along=True)
        values = await self._documents.get(run, *_refs(one))
        return _render(one, request.proof(binding, run, task), values, self._printed)

    async def _read(self, told: list[_Told]) -> dict[str, dict[str, bytes]]:
        refs: dict[str, set[ValueRef]] = {}
        for one in told:
            refs.setdefault(one.run, set()).update(_refs(one))
        return {run: await self._documents.known(run, wanted) for run, wanted in refs.items()}

    def _line(self, one: _Told, proof: str, found: Mapping[str, bytes]) -> bytes | None:
        """Return the line of a task, None where it cannot be told now."""
        values: dict[str, bytes] = {}
        try:
            for ref in _refs(one):
                values[ref.digest] = self._documents.opened(one.run, found[ref.digest])
            return _render(one, proof, values, self._printed)
        except KeyError as missing:
            problem = f"{missing} is not in the store; it may have lost it"
        except (CannotDecrypt, ValueError) as found_problem:
            problem = str(found_problem)
        _log.warning("a leased task cannot be told", run=one.run, task=one.task, problem=problem)
        return None


def _to_tell(leases: Iterable[Lease]) -> Iterable[_Told]:
    together = 0
    for lease in leases:
        for leased in lease.tasks:
            try:
                record = decode_record(leased.record)
            except UnreadableRecord as problem:
                _log.error("a leased task cannot be read", run=lease.run, task=leased.task, problem=str(problem))
                continue
            if record.pool is None:
                _log.error("a task in a queue is not for a pool", run=lease.run, task=leased.task)
                continue
            size = size_of(record.arguments, record.result, record.request, record.detail)
            sent_along = size <= _LARGE and together + size <= _TOGETHER
            together += size if sent_along else 0
            yield _Told(lease.run, leased.task, record, record.pool, sent_along)


def _refs(one: _Told) -> list[ValueRef]:
    record = one.record
    own = (record.arguments, record.result, record.request, record.detail) if one.sent_along else ()
    return [ref for ref in (one.pool, *own) if ref is not None]


def _render(one: _Told, proof: str, values: Mapping[str, bytes], printed: PrintedLogs) -> bytes:
    """Return the line of a task. What it lacks is left out."""
    record = one.record
    path, action, round_, _, _ = one.task.rsplit(".", 4)
    head = b'{"task":%b,"step":"%b","proof":"%b"' % (
        orjson.dumps(one.task),
        one.pool.digest.encode(),
        proof.encode(),
    )
    if not one.sent_along:
        return head + b',"fetch":true}'
    transaction, traced = _step(values[one.pool.digest])
    parts = [head, b',"idempotencyKey":"%b"' % _key(transaction, path, action, round_)]
    if action != Action.RUN:
        parts.append(b',"forwardKey":"%b"' % _key(transaction, path, Action.RUN, round_))
    for name, ref in (("arguments", record.arguments), ("result", record.result), ("request", record.request)):
        if ref is not None:
            parts.append(b',"%b":%b' % (name.encode(), _one_line(values[ref.digest])))
    failure = told_failure(record, values)
    if failure is not None:
        parts.append(b',"failure":%b' % _one_line(failure))
    if traced:
        parts.append(b',"traceparent":"%b"' % traceparent(one.run, one.task).encode())
    if printed.wants(path, record):
        parts.append(b',"log":true')
    if record.uncertain:
        parts.append(b',"uncertain":true')
    if record.sensitive:
        parts.append(b',"sensitive":%b' % orjson.dumps(told_sensitive(record.sensitive)))
    parts.append(b"}")
    return b"".join(parts)


def _key(transaction: str, path: str, action: str, round_: str) -> bytes:
    return idempotency_key(transaction, path, Action(action), int(round_)).encode()


@lru_cache(maxsize=64)  # a document may have 128 KiB of source in it
def _step(document: bytes) -> tuple[str, bool]:
    """Return the transaction of a step's tasks, and whether they are told their place in a trace."""
    step = orjson.loads(document)
    return str(step["transaction"]), step.get("traced") is True


def _one_line(document: bytes) -> bytes:
    """Return JSON without newlines, which are space between its parts: in texts they are written otherwise."""
    return document.replace(b"\n", b" ") if b"\n" in document else document
