"""The status of a pool."""

from typing import Any

import pytest

from reactor_operator.api.status import PoolStatus
from reactor_operator.pools.pool import Pool
from reactor_operator.pools.status import EMPTY_QUEUE, differs_in_more_than_counts, render_pool_status
from reactor_operator.pools.workers import Workers
from reactor_operator.store.port import Depth
from tests.unit.pools.made import UID, pool

NOW = 1_795_348_800_000
WELL = Workers(wanted=2, replicas=2, ready=2, settled=True)
STUCK = Workers(wanted=2, replicas=2, trouble="ImagePullBackOff: no such image")


def conditions(found: Pool, workers: Workers) -> dict[str, tuple[str, str]]:
    status: dict[str, Any] = render_pool_status(found, workers, EMPTY_QUEUE, NOW)
    return {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}


@pytest.mark.parametrize(
    ("workers", "ready", "progressing", "stalled"),
    [
        (WELL, "True WorkersReady", "False", "False"),
        (Workers(settled=True), "True ScaledToZero", "False", "False"),
        (Workers(wanted=2, replicas=1), "False NoWorkerReady", "True", "False"),
        (Workers(wanted=2, replicas=2, ready=1), "True WorkersReady", "True", "False"),
        (STUCK, "False ImagePullBackOff", "True", "True"),
        (Workers(wanted=2, replicas=3, ready=2, trouble="ErrX: y"), "True WorkersReady", "True", "True"),
        (Workers(wanted=1, trouble="123 odd"), "False Reason123odd", "True", "True"),
    ],
)
def test_conditions_say_whether_a_worker_is_ready_whether_they_change_and_whether_they_cannot(
    workers: Workers, ready: str, progressing: str, stalled: str
) -> None:
    told = conditions(pool(), workers)
    assert " ".join(told["Ready"]) == ready
    assert (told["Progressing"][0], told["Stalled"][0]) == (progressing, stalled)


def test_a_spec_that_is_not_sound_is_told_with_every_problem() -> None:
    wrong = pool({"concurrency": 99, "minReplicas": -1})
    status: dict[str, Any] = render_pool_status(wrong, Workers(), EMPTY_QUEUE, NOW)
    told = {one["type"]: one for one in status["conditions"]}
    assert (told["Ready"]["status"], told["Ready"]["reason"]) == ("False", "InvalidSpec")
    assert told["Stalled"]["status"] == "True"
    assert {line.partition(":")[0] for line in told["Stalled"]["message"].splitlines()} == {
        "spec.concurrency",
        "spec.minReplicas",
    }
    assert conditions(wrong, WELL)["Ready"] == ("True", "WorkersReady"), "those that are there go on"


def test_counts_are_for_columns_and_autoscalers() -> None:
    status = render_pool_status(pool(), WELL, Depth(queued=4, leased=3, oldest_ms=2_999), NOW)
    assert {name: value for name, value in status.items() if name != "conditions"} == {
        "observedGeneration": 3,
        "replicas": 2,
        "readyReplicas": 2,
        "selector": f"reactor.run/pool=resize,reactor.run/pool-uid={UID}",
        "queued": 4,
        "leased": 3,
        "oldestSeconds": 2,
    }


def test_the_definition_knows_all_that_is_told() -> None:
    for workers in (WELL, STUCK):
        PoolStatus.model_validate(render_pool_status(pool(), workers, EMPTY_QUEUE, NOW))


def test_the_time_of_a_condition_stays_while_its_truth_does() -> None:
    first: dict[str, Any] = render_pool_status(pool(), STUCK, EMPTY_QUEUE, NOW)
    again: dict[str, Any] = render_pool_status(pool(status=first), STUCK, EMPTY_QUEUE, NOW + 60_000)
    assert again == first
    well: dict[str, Any] = render_pool_status(pool(status=first), WELL, EMPTY_QUEUE, NOW + 60_000)
    assert all(one["lastTransitionTime"] == "2026-11-22T12:01:00Z" for one in well["conditions"])


def test_how_much_waits_is_no_news_by_itself() -> None:
    before = render_pool_status(pool(), WELL, EMPTY_QUEUE, NOW)
    busy = render_pool_status(pool(status=before), WELL, Depth(queued=9, leased=1, oldest_ms=9000), NOW)
    assert busy != before
    assert not differs_in_more_than_counts(busy, before)
    assert differs_in_more_than_counts(render_pool_status(pool(status=before), STUCK, EMPTY_QUEUE, NOW), before)
