"""What a compensate is told of the failure that it cleans up after: the same on a laptop and on a cluster."""

import orjson
import pytest

from reactor_operator.engine.events import TaskFailed
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.record import decode_record, told_failure
from reactor_operator.outcomes.document import parse_outcome
from reactor_operator.ports import Launched, NotYet, ReactorObject, Refused, TaskOrder
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry
from tests.unit.reconciling.conftest import REF, RUN, World

FAILED = Task("a", Action.RUN, 1, 1, 1)
COMPENSATE = Task("a", Action.COMPENSATE, 1, 1, 1)
DEEP = b"[" * 300 + b"]" * 300


class Compensating(World):
    """One step, with a compensate."""

    orders: tuple[TaskOrder, ...] = ()

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        spec = {"steps": [{"name": "a", "run": RUN, "compensate": RUN}]}
        return ReactorObject(namespace=namespace, name=name, uid="reactor-uid", generation=1, spec=spec)

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        self.orders += (order,)
        return await super().start(order)

    async def told(self, failed: Entry) -> list[object]:
        """Return what the compensate is told in its order, and at its check-in, once the step has failed so."""
        await self.reconcile()
        await self.store.append(failed)
        await self.reconcile()
        assert self.started[-1] == COMPENSATE
        opened = await self.store.open_task(REF.uid, COMPENSATE.key)
        assert opened is not None
        record = decode_record(opened.record)
        wanted = frozenset({record.detail.digest}) if record.detail is not None else frozenset[str]()
        answered = told_failure(record, await self.store.get_values(REF.uid, wanted))
        return [orjson.loads(found or b"") for found in (self.orders[-1].failure, answered)]


def kept(detail: bytes) -> Entry:
    """Return a failure whose detail is in the store as it is here, however it came there."""
    failure = Failure(kind=FailureKind.ERROR, message="declined", detail=reference_to(detail))
    body = encode_event(TaskFailed(task=FAILED, failure=failure))
    values = {reference_to(detail).digest: detail}
    return Entry(run=REF.uid, task=FAILED.key, final=True, digest="f", body=body, values=values)


def reported(detail: bytes) -> Entry:
    """Return a failure as the gateway takes it from a task."""
    document = b'{"type":"failed","failure":{"kind":"Error","message":"declined","detail":%b}}' % detail
    return parse_outcome(REF.uid, FAILED, document)


@pytest.mark.parametrize("by", [kept, reported])
async def test_it_is_told_what_the_author_added(by: object) -> None:
    assert callable(by)
    told = await Compensating().told(by(b'{"details":{"charge":"ch_1"}}'))
    failure = {"kind": "Error", "message": "declined", "retryable": True}
    assert told == [{**failure, "detail": {"details": {"charge": "ch_1"}}}] * 2


@pytest.mark.parametrize("details", [DEEP, b"[1e999]", b"[" * 800 + b"]" * 800])
async def test_details_that_cannot_be_kept_stop_no_run(details: bytes) -> None:
    told = await Compensating().told(reported(b'{"line":3,"details":%b}' % details))
    assert told == [{"kind": "Error", "message": "declined", "retryable": True, "detail": {"line": 3}}] * 2


@pytest.mark.parametrize(("detail", "readable"), [(b'{"details":%b}' % DEEP, True), (b'{"details":[Infinity]}', False)])
async def test_nor_do_those_that_an_operator_of_before_kept(detail: bytes, readable: bool) -> None:
    told = await Compensating().told(kept(detail))
    failure = {"kind": "Error", "message": "declined", "retryable": True}
    assert told == [{**failure, "detail": orjson.loads(detail)} if readable else failure] * 2
