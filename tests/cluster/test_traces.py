"""Traces of a real cluster: a collector gets the spans of a run, and its pods hand its trace on, also across a restart
of the operator."""

import json
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from reactor_operator.tracing.identity import run_span, trace_of
from tests.cluster.cluster import Namespace, container_step, kubectl, python_step, reactor, run_of, wait_until
from tests.cluster.conftest import SYSTEM

COLLECTOR = "test-collector"
"""The Service that tests/cluster/values.yaml names."""
COLLECTS = """
import gzip
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
        print(body.hex(), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass

HTTPServer(("", 4318), Handler).serve_forever()
"""
TOLD = '{"look": results.look, "say": results.say}'
SAYS = 'printf \'"%s"\' "$TRACEPARENT" > $REACTOR_RESULT_PATH'


@pytest.fixture
def collector(runtime_image: str) -> Iterator[None]:
    """A collector that prints what it is sent."""
    labels = {"app": COLLECTOR}
    container = {"name": "main", "image": runtime_image, "command": ["python3", "-c", COLLECTS]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": COLLECTOR, "labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": COLLECTOR},
        "spec": {"selector": labels, "ports": [{"port": 4318}]},
    }
    try:
        for made in (pod, service):
            kubectl("-n", SYSTEM, "apply", "-f", "-", stdin=json.dumps(made))
        kubectl("-n", SYSTEM, "wait", "pod", COLLECTOR, "--for=condition=Ready", "--timeout=60s")
        yield
    finally:
        kubectl("-n", SYSTEM, "delete", "pod,service", COLLECTOR, "--ignore-not-found")


def collected(trace: str) -> list[Span]:
    """Return the spans of a trace that were collected so far."""
    found = []
    for line in kubectl("-n", SYSTEM, "logs", COLLECTOR).split():
        request = ExportTraceServiceRequest.FromString(bytes.fromhex(line))
        found += [span for one in request.resource_spans for of in one.scope_spans for span in of.spans]
    return [span for span in found if span.trace_id.hex() == trace]


@pytest.mark.usefixtures("collector")
def test_the_spans_of_a_run_are_collected_whoever_led_meanwhile(
    namespace: Namespace, system: Namespace, busybox: str
) -> None:
    steps = [
        python_step("look", "def main(context):\n    return context.traceparent\n"),
        {"name": "ask", "waitFor": ["look"], "interrupt": {}},
        container_step("say", SAYS, busybox, waitFor=["ask"]),
    ]
    namespace.apply(reactor("traced", steps, returns={"expr": TOLD}))
    namespace.apply(run_of("traced"))
    namespace.wait_status("traced-1", "Paused", lambda status: status.get("phase") == "Paused")
    system.kubectl("delete", "pod", "-l", "app.kubernetes.io/component=operator", "--wait=false")
    namespace.kubectl("annotate", "rctrun", "traced-1", 'reactor.run/resume={"step": "ask", "payload": 1}')
    status = namespace.wait_finished("traced-1")
    assert status["phase"] == "Succeeded", status

    uid = namespace.get("rctrun", "traced-1")["metadata"]["uid"]
    wait_until("the root is collected", lambda: any(not one.parent_span_id for one in collected(trace_of(uid))), 60)
    spans = {span.name: span for span in collected(trace_of(uid))}
    assert set(spans) == {"traced", "look", "ask", "say"}
    assert spans["traced"].span_id.hex() == run_span(uid)
    for step in ("look", "say"):
        assert status["result"][step] == f"00-{trace_of(uid)}-{spans[step].span_id.hex()}-01"
        assert spans[step].parent_span_id.hex() == run_span(uid)
    ends = [spans[name].end_time_unix_nano for name in ("look", "ask", "say", "traced")]
    assert ends == sorted(ends)
