"""A run on a laptop is a trace where the environment names a collector, and its tasks hand it on."""

import pytest

from tests.unit.cli.conftest import Reactor, Write
from tests.unit.tracing.collector import collecting

CHAIN = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: chain}
spec:
  steps:
  - name: look
    run: {python: {source: "def main(context): return context.traceparent"}}
  - name: echo
    arguments: {seen: {result: look}}
    run:
      python:
        source: |
          import os
          def main(seen): return os.environ.get("TRACEPARENT", "none")
  returns: {result: echo}
"""


def test_a_run_is_exported_and_its_tasks_know_their_place_in_it(
    reactor: Reactor, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as collector:
        monkeypatch.setenv("REACTOR_TRACES_ENDPOINT", collector.address)
        answer = reactor("run", write({"reactor.yaml": CHAIN}), "-o", "json")
        assert answer.code == 0, answer.err
        look, echo, run = (collector.span(name) for name in ("look", "echo", "chain"))
    assert {look.trace_id, echo.trace_id} == {run.trace_id}
    assert {look.parent_span_id, echo.parent_span_id} == {run.span_id}
    assert f"00-{echo.trace_id.hex()}-{echo.span_id.hex()}-01" in answer.out
    assert look.end_time_unix_nano <= echo.start_time_unix_nano <= echo.end_time_unix_nano <= run.end_time_unix_nano


def test_an_address_that_is_none_is_refused(reactor: Reactor, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_TRACES_ENDPOINT", "collector:4318")
    answer = reactor("run", write({"reactor.yaml": CHAIN}))
    assert answer.code == 2
    assert "REACTOR_TRACES_ENDPOINT: found 'collector:4318', expected that of a collector" in answer.err


def test_without_a_collector_tasks_are_told_no_trace(reactor: Reactor, write: Write) -> None:
    answer = reactor("run", write({"reactor.yaml": CHAIN}), "-o", "json")
    assert answer.code == 0, answer.err
    assert '"result": "none"' in answer.out
