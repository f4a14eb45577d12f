"""Every example on the laptop, run by the real CLI."""

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.expected_examples import EXAMPLES, EXPECTED, SERVICES, VOLUMES

pytestmark = pytest.mark.heavy


@contextlib.contextmanager
def services_of(example: str) -> Iterator[str]:
    """Run the services that an example asks on a free port, and yield their address; empty where there are none."""
    if example not in SERVICES:
        yield ""
        return
    command = [sys.executable, str(SERVICES[example]), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def read(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)


REACTOR = str(Path(sys.executable).with_name("reactor"))


def run_example(
    example: str, *settings: str, seconds: float = 60, state: Path | None = None
) -> tuple[int, dict[str, Any]]:
    """Run an example with these inputs; return the exit code, and the status of each run by name."""
    command = [REACTOR, "run", str(EXAMPLES / example), "-o", "json"]
    inputs = [word for setting in settings for word in ("--set", setting)]
    kept = [] if state is None else ["--state", str(state)]
    done = subprocess.run([*command, *inputs, *kept], capture_output=True, text=True, check=False, timeout=seconds)
    document = json.loads(done.stdout)
    return done.returncode, {run["metadata"]["name"]: run["status"] for run in document.get("items", [document])}


def resume(example: str, state: Path) -> None:
    """Send each run of an example the payloads that it waits for; each command tells how its run ended."""
    for name, expected in EXPECTED[example].items():
        for step, payload in expected.resumes.items():
            said = ["--step", step, "--payload", json.dumps(payload)]
            where = ["--state", str(state), "--manifests", str(EXAMPLES / example)]
            done = subprocess.run(
                [REACTOR, "resume", name, *said, *where], capture_output=True, check=False, timeout=60
            )
            assert done.returncode == (1 if expected.phase == "Failed" else 0), done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("example", sorted(EXPECTED))
def test_an_example_ends_as_its_readme_says(example: str, tmp_path: Path) -> None:
    with services_of(example) as services:
        settings = [f"services={services}"] if services else [f"folder={tmp_path}"] if example in VOLUMES else []
        state = None
        if any(expected.resumes for expected in EXPECTED[example].values()):
            state, settings = tmp_path / "state", []
            code, runs = run_example(example, seconds=240, state=state)
            assert (code, {run["phase"] for run in runs.values()}) == (3, {"Paused"})
            resume(example, state)
        code, runs = run_example(example, *settings, seconds=240, state=state)
    assert set(runs) == set(EXPECTED[example])
    for name, expected in EXPECTED[example].items():
        expected.check(runs[name])
    ends = {expected.phase for expected in EXPECTED[example].values()}
    assert code == (1 if ends & {"Failed", "Cancelled"} else 0)


def test_what_stands_with_the_services_is_what_the_orders_say_and_a_busy_courier_is_left_alone() -> None:
    with services_of("06-http-saga") as services:
        _, runs = run_example("06-http-saga", f"services={services}")
        ledger = read(f"{services}/ledger")
    assert {entry["order"] for entry in ledger.values()} == {"h-1", "h-3"}
    assert len(ledger) == 6
    (ship,) = (step for step in runs["http-order-courier-busy"]["steps"] if step["name"] == "ship")
    assert ship["attempts"] == 2


def test_a_cancellation_that_overtakes_its_request_is_not_forgotten() -> None:
    def post(address: str, body: dict[str, Any], **headers: str) -> int:
        request = urllib.request.Request(address, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    order = {"order": "o-1", "quantity": 1}
    with services_of("06-http-saga") as services:
        cancellation = {"Idempotency-Key": "undo-1", "Reactor-Forward-Key": "run-1"}
        assert post(f"{services}/cancellations", {}, **cancellation) == 204
        assert post(f"{services}/reservations", order, **{"Idempotency-Key": "run-1"}) == 409
        assert read(f"{services}/ledger") == {}
        assert post(f"{services}/reservations", order, **{"Idempotency-Key": "run-2"}) == 201
