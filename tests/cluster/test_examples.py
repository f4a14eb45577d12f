"""Every example on a cluster, applied as its README says."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.cluster.cluster import Namespace, Object, reactor, run_of, wait_until
from tests.cluster.volumes import volume_for
from tests.expected_examples import EXAMPLES, EXPECTED, SERVICES, VOLUMES

IMPORT = "08-bulk-import"
LOOK = """\
import sqlite3


def main():
    database = sqlite3.connect("file:/var/tmp/bulk-import/customers.db?mode=ro", uri=True, timeout=60)
    count = lambda query: database.execute(query).fetchone()[0]
    return {
        "customers": count("SELECT count(*) FROM customers"),
        "south": count("SELECT count(*) FROM customers WHERE id NOT LIKE 'north-%'"),
        "changes": count("SELECT count(*) FROM changes WHERE id LIKE 'north-%' AND NOT undone"),
        "twice": count("SELECT count(*) FROM changes WHERE id LIKE 'north-%' AND before IS NOT NULL"),
    }
"""


@pytest.fixture
def claims() -> Iterator[ExitStack]:
    """Yield what keeps volumes until the test has ended."""
    with ExitStack() as kept:
        yield kept


def apply_example(namespace: Namespace, claims: ExitStack, example: str, runtime_image: str) -> None:
    """Apply an example, with the volume that it claims."""
    if example in VOLUMES:
        claims.enter_context(volume_for(namespace, VOLUMES[example]))
    namespace.apply_folder(EXAMPLES / example)
    if example in SERVICES:  # what is not served yet is asked again, so the runs may be there before their services
        namespace.kubectl("set", "image", "deployment/http-saga-services", f"server={runtime_image}")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("example", sorted(EXPECTED))
def test_an_example_ends_as_its_readme_says(
    namespace: Namespace, claims: ExitStack, runtime_image: str, example: str
) -> None:
    apply_example(namespace, claims, example, runtime_image)
    for run, expected in EXPECTED[example].items():
        for step, payload in expected.resumes.items():
            namespace.kubectl("wait", f"rctrun/{run}", "--for=condition=Paused", "--timeout=120s")
            said = json.dumps({"step": step, "payload": payload})
            namespace.kubectl("annotate", "rctrun", run, f"reactor.run/resume={said}")
        expected.check(namespace.wait_finished(run, 600 if example in VOLUMES else 120))


@pytest.mark.timeout(1200)
def test_rows_are_imported_once_whatever_happens_to_the_workers(
    namespace: Namespace, claims: ExitStack, runtime_image: str
) -> None:
    apply_example(namespace, claims, IMPORT, runtime_image)
    namespace.kubectl("wait", "rctpool/bulk-import", "--for=condition=Ready", "--timeout=120s")
    wait_until("rows are being imported", lambda: imported(namespace.status("customers-imported")) > 100, 120)
    for pod in worker_pods(namespace):
        namespace.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    for run, expected in EXPECTED[IMPORT].items():
        expected.check(namespace.wait_finished(run, 600))
    assert look(namespace) == {"customers": 990, "south": 0, "changes": 990, "twice": 0}
    assert not namespace.pods("customers-imported"), "the pool did all of it"


@pytest.mark.timeout(3600)
def test_a_hundred_thousand_rows_are_imported(namespace: Namespace, claims: ExitStack, runtime_image: str) -> None:
    claims.enter_context(volume_for(namespace, VOLUMES[IMPORT]))
    namespace.apply_folder(EXAMPLES / IMPORT)
    namespace.kubectl("delete", "rctrun", "--all")
    namespace.apply(run_of("bulk-import", "large", {"file": "north", "rows": 100_000}))
    status = namespace.wait_finished("large", 3000)
    assert status["phase"] == "Succeeded", status
    assert (status["result"]["imported"], status["result"]["rejected"]) == (99_000, 1_000)
    assert look(namespace)["changes"] == 99_000


def imported(status: Object) -> int:
    """Return how many rows have been imported."""
    rows: Any = next((step for step in status.get("steps", []) if step["name"] == "rows"), {})
    return int(rows.get("map", {}).get("succeeded", 0))


def worker_pods(namespace: Namespace) -> list[str]:
    """Return the pods of the pool."""
    found = namespace.find("pods", "-l", "reactor.run/pool=bulk-import")
    return [pod["metadata"]["name"] for pod in found]


def look(namespace: Namespace) -> Object:
    """Return what is in the database of the import; a task on its pool looks."""
    place = {"placement": "pool", "poolRef": {"name": "bulk-import"}}
    namespace.apply(
        reactor("look", [{"name": "look", "run": {"python": {"source": LOOK}}, **place}]), run_of("look", "look")
    )
    found: Object = namespace.wait_finished("look", 120)["result"]
    return found


def test_the_story_of_a_failed_order_is_told_without_logs(namespace: Namespace) -> None:
    namespace.apply_folder(EXAMPLES / "02-order-processing")
    namespace.wait_finished("order-courier-down")
    row = namespace.kubectl("get", "rctrun", "order-courier-down", "-o", "wide").splitlines()[1]
    assert "Failed" in row
    assert "Stormhaven" in row
    story = namespace.kubectl("describe", "rctrun", "order-courier-down")
    for word in ("StepFailed", "RollingBack", "Stormhaven", "Complete", "Undone", "reserve"):
        assert word in story
