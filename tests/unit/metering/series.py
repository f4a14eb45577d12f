"""The series of operator and gateway, as registries tell: what documents, alerts and dashboards may name."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from prometheus_client import CollectorRegistry

from reactor_operator.gateway.metrics import GatewayMetrics
from reactor_operator.running.series import OperatorSeries
from reactor_operator.store.metrics import StoreMetrics

_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


@dataclass(frozen=True, slots=True)
class Series:
    """One metric. `name` is that of a counter with `_total`; `samples` are the names by which it is asked for."""

    name: str
    type: str
    labels: tuple[str, ...]
    words: str
    samples: tuple[str, ...]


def _registered(registry: CollectorRegistry) -> Iterator[Series]:
    for collector in registry._collector_to_names:
        for family in collector.collect():
            labels = getattr(collector, "_labelnames", None)
            if labels is None:
                labels = getattr(family, "_labelnames")  # noqa: B009 - a family has them, its declared type does not
            samples = tuple(family.name + suffix for suffix in _SUFFIXES[family.type])
            name = samples[0] if family.type == "counter" else family.name
            yield Series(name, family.type, tuple(labels), family.documentation, samples)


@cache
def of_operator() -> dict[str, Series]:
    """Return the series of an operator by name."""
    registry = CollectorRegistry()
    OperatorSeries.of(registry)
    return {series.name: series for series in _registered(registry)}


@cache
def of_gateway() -> dict[str, Series]:
    """Return the series of a gateway by name."""
    registry = CollectorRegistry()
    GatewayMetrics(registry)
    StoreMetrics(registry)
    return {series.name: series for series in _registered(registry)}


def every_series() -> dict[str, Series]:
    """Return the series of both by name."""
    return of_operator() | of_gateway()
