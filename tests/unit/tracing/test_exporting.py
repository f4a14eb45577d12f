"""Spans reach a collector as the standard has them, and one that is away holds nobody up."""

import time

from opentelemetry.proto.trace.v1.trace_pb2 import Status

from reactor_operator.running.traces import exporting
from reactor_operator.tracing.identity import run_span, task_span, trace_of
from reactor_operator.tracing.spans import Span
from tests.unit.tracing.collector import collecting

TASK = Span(
    name="pay",
    trace=trace_of("u"),
    id=task_span("u", "pay.run.1.1.1"),
    parent=run_span("u"),
    start=1_000,
    end=3_500,
    failed="Timeout",
    attributes={"reactor.step": "pay", "reactor.attempt": 1, "reactor.stopped": True},
)
ROOT = Span(name="order", trace=trace_of("u"), id=run_span("u"), parent="", start=1_000, end=4_000)


def test_a_span_is_exported_with_its_ids_its_times_and_its_status() -> None:
    with collecting() as collector:
        with exporting(collector.address, "shop") as sink:
            sink.tell(TASK)
            sink.tell(ROOT)
        span, root = collector.span("pay"), collector.span("order")
    assert collector.services == {"shop"}
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == (TASK.trace, TASK.id, TASK.parent)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (1_000_000_000, 3_500_000_000)
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "Timeout")
    told = {one.key: one.value for one in span.attributes}
    assert told["reactor.attempt"].int_value == 1
    assert told["reactor.stopped"].bool_value is True
    assert told["error.type"].string_value == "Timeout"
    assert root.parent_span_id == b""
    assert root.status.code == Status.STATUS_CODE_UNSET


def test_where_the_collector_is_away_a_span_is_taken_at_once() -> None:
    with collecting() as collector:
        gone = collector.address
    with exporting(gone, "shop", timeout_seconds=0.2) as sink:
        started = time.perf_counter()
        for _ in range(10_000):  # more than wait for it
            sink.tell(ROOT)
        assert time.perf_counter() - started < 5
