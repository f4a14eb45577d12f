"""Where spans go: to a collector, by OTLP over HTTP, in the background (docs/traces.md).

In: spans of runs. Out: batches of them, at most those of the last minutes where the collector is away. Never here: a
word that waits for a collector, or fails for the want of one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from reactor_operator.tracing.spans import Span

_QUEUE = 8_192
_BATCH = 512
_EVERY_MS = 2_000
_NS = 1_000_000
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


@contextmanager
def exporting(endpoint: str, service: str, *, timeout_seconds: float = 10.0) -> Iterator["SpanSink"]:
    """Export spans to a collector (`http://HOST:4318/v1/traces`) meanwhile; at the end, what waits is sent."""
    sink = SpanSink(OTLPSpanExporter(endpoint=endpoint, timeout=timeout_seconds), service, timeout_seconds)
    try:
        yield sink
    finally:
        sink.close()


class SpanSink:
    """Takes spans and hands them on in batches. Beyond 8,192 that wait the newest are dropped."""

    def __init__(self, exporter: SpanExporter, service: str, timeout_seconds: float) -> None:
        self._batches = BatchSpanProcessor(
            exporter,
            max_queue_size=_QUEUE,
            schedule_delay_millis=_EVERY_MS,
            max_export_batch_size=_BATCH,
            export_timeout_millis=timeout_seconds * 1_000,
        )
        self._resource = Resource({"service.name": service, "service.version": version("reactor-operator")})
        self._scope = InstrumentationScope("reactor_operator", version("reactor-operator"))

    def tell(self, span: Span) -> None:
        """Take a span. Returns at once."""
        self._batches.on_end(self._rendered(span))

    def close(self) -> None:
        """Send what waits, and take no more."""
        self._batches.shutdown()  # type: ignore[no-untyped-call]

    def _rendered(self, span: Span) -> ReadableSpan:
        trace = int(span.trace, 16)
        return ReadableSpan(
            name=span.name,
            context=SpanContext(trace, int(span.id, 16), is_remote=False, trace_flags=_SAMPLED),
            parent=SpanContext(trace, int(span.parent, 16), is_remote=False, trace_flags=_SAMPLED)
            if span.parent
            else None,
            resource=self._resource,
            attributes={**span.attributes, "error.type": span.failed} if span.failed else span.attributes,
            kind=SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(StatusCode.UNSET),
            start_time=span.start * _NS,
            end_time=span.end * _NS,
            instrumentation_scope=self._scope,
        )
