"""How long Redis takes is told of each call, by what it was for; a call that gets no answer is told as that."""

import pytest
from prometheus_client import CollectorRegistry

from reactor_operator.store.metrics import StoreMetrics
from reactor_operator.store.port import StoreUnavailable
from reactor_operator.store.redis import RedisStore
from tests.contract.redis_server import RedisServer
from tests.contract.writes import OUTCOME, POOL, RUN, TASK, opening

NOWHERE = "redis://127.0.0.1:9/0"


def counts(registry: CollectorRegistry, name: str) -> dict[str, float]:
    samples = (sample for family in registry.collect() for sample in family.samples if sample.name == name)
    return {sample.labels["operation"]: sample.value for sample in samples}


async def test_each_call_is_told_once_by_what_it_was_for(redis_server: RedisServer, installation: str) -> None:
    registry = CollectorRegistry()
    store = RedisStore(redis_server.url, installation, observe=StoreMetrics(registry).observe)
    try:
        await store.commit(opening())
        await store.append(OUTCOME)
        await store.load(RUN)
        await store.load(RUN)
        await store.open_task(RUN, TASK)
        await store.claimed("key/1")
        await store.put_values(RUN, {"v": b"1"})
        await store.lease(POOL, "w", 9, 1_000)
    finally:
        await store.close()
    assert counts(registry, "reactor_store_seconds_count") == {
        "commit": 1,
        "append": 1,
        "load": 2,
        "open_task": 1,
        "read": 1,
        "write": 1,
        "lease": 1,
    }
    assert counts(registry, "reactor_store_failures_total") == {}


async def test_a_call_that_is_not_answered_is_a_failure_and_has_no_time() -> None:
    registry = CollectorRegistry()
    store = RedisStore(NOWHERE, "i", observe=StoreMetrics(registry).observe)
    for call in (store.load(RUN), store.claimed("key/1")):
        with pytest.raises(StoreUnavailable):
            await call
    await store.close()
    assert counts(registry, "reactor_store_failures_total") == {"load": 1, "read": 1}
    assert counts(registry, "reactor_store_seconds_count") == {}
