"""Traces of runs on a laptop, where the environment names a collector (docs/traces.md).

In: the environment. Out: what tells spans, None where nobody takes them. Never here: a library that is loaded for
nothing. Raises CommandError.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from reactor_operator.cli.errors import CommandError
from reactor_operator.reconciling.meter import Meter

ENDPOINT = "REACTOR_TRACES_ENDPOINT"
_SERVICE = "reactor-run"
_PATIENCE_SECONDS = 3.0


@contextmanager
def tracing(environment: Mapping[str, str]) -> Iterator[Meter | None]:
    """Tell spans meanwhile; at the end, what waits is sent."""
    endpoint = environment.get(ENDPOINT, "")
    if not endpoint:
        yield None
        return
    from reactor_operator.running.traces import exporting
    from reactor_operator.settings import parse_collector
    from reactor_operator.tracing.traces import RunTraces

    try:
        parse_collector(endpoint)
    except ValueError as problem:
        raise CommandError(f"{ENDPOINT}: {problem}") from None
    with exporting(endpoint, _SERVICE, timeout_seconds=_PATIENCE_SECONDS) as sink:
        yield RunTraces(sink.tell)
