"""Notifications and observers on the laptop: told by the real command, which ends in time whatever listens."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.expected_examples import EXAMPLES
from tests.unit.cli.conftest import Write
from tests.unit.notifications.installed import install, observed
from tests.unit.notifications.receiver import KEY, hang, is_signed, sequences
from tests.unit.runtime.service import Service, free_port, serving

pytestmark = pytest.mark.heavy

REACTOR = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: shop}
spec:
  inputsSchema: {type: object, properties: {card: {type: string, default: good-card-4711}}}
  notifications:
  - name: audit
    events: ["*"]
    http: {url: URL, signingKey: shop, timeout: 2s, retries: {maxAttempts: ATTEMPTS, baseDelay: 10ms}}
  steps:
  - name: charge
    arguments: {card: {input: card}}
    run: {python: {source: "def main(card):\\n    assert card.startswith('good'), 'declined'\\n    return 'paid'"}}
"""


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("reactor")), "run", *map(str, arguments)]
    settings: Mapping[str, str] = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, env=settings)


def manifest(url: str, attempts: int = 3) -> dict[str, str]:
    return {"reactor.yaml": REACTOR.replace("URL", f"{url}/events").replace("ATTEMPTS", str(attempts))}


def test_a_run_is_told_signed_and_without_its_values(write: Write) -> None:
    with serving(Service()) as service:
        done = run(write(manifest(service.address)), "-o", "json", REACTOR_SIGNING_KEY_SHOP=KEY.decode())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"]["notifications"] == {"pending": 0, "delivered": 2, "dead": 0}
    assert [json.loads(asked.body)["type"] for asked in service.asked] == [
        "run.reactor.run.started",
        "run.reactor.run.succeeded",
    ]
    assert all(is_signed(asked, KEY) for asked in service.asked)
    assert not any(word in asked.body for asked in service.asked for word in (b"4711", b"paid"))


def test_what_was_not_delivered_is_told_at_the_end_and_the_run_is_as_it_was(write: Write) -> None:
    done = run(write(manifest(f"http://127.0.0.1:{free_port()}")), REACTOR_SIGNING_KEY_SHOP=KEY.decode())
    assert done.returncode == 0
    assert "notifications of shop-run: 2 dead (audit, run.succeeded: no answer: ConnectError (after 3" in done.stdout


def test_a_key_that_is_not_there_is_told_with_the_variable_to_set(write: Write) -> None:
    with serving(Service()) as service:
        done = run(write(manifest(service.address)), "--set", "card=bad")
    assert done.returncode == 1
    assert "there is no signing key 'shop': set REACTOR_SIGNING_KEY_SHOP" in done.stdout
    assert "declined" in done.stdout
    assert not service.asked


def test_an_endpoint_that_hangs_is_waited_for_a_bounded_time(write: Write, tmp_path: Path) -> None:
    release = threading.Event()
    with serving(Service(misbehaves=hang(release))) as service:
        folder, state = write(manifest(service.address, attempts=100)), tmp_path / "run.db"
        begun = time.monotonic()
        done = run(folder, "--state", state, REACTOR_SIGNING_KEY_SHOP=KEY.decode())
        assert time.monotonic() - begun < 30
        assert "notifications of shop-run: 2 pending" in done.stdout
        release.set()
        service.misbehaves, service.asked = None, []
        again = run(folder, "--state", state, REACTOR_SIGNING_KEY_SHOP=KEY.decode())
    assert again.returncode == 0
    assert "NOTIFICATIONS  2 delivered" in again.stdout
    assert sequences(service.asked) == [1, 2]


def test_an_observer_that_is_installed_is_told_too_and_one_that_hangs_holds_up_nothing(
    write: Write, tmp_path: Path
) -> None:
    head, _, rest = REACTOR.partition("  notifications:")
    folder = write({"reactor.yaml": head + rest[rest.index("  steps:") :]})
    site = tmp_path / "site"
    site.mkdir()
    install(site, writer="shop_watch:Writer", hanging="shop_watch:Hanger", raising="shop_watch:Raiser")
    begun = time.monotonic()
    done = run(folder / "reactor.yaml", PYTHONPATH=str(site), OBSERVED=str(tmp_path / "observed"))
    assert time.monotonic() - begun < 20
    assert done.returncode == 0, done.stderr
    assert [told[:2] for told in observed(tmp_path / "observed")] == [
        ["run.started", "shop-run"],
        ["run.succeeded", "shop-run"],
    ]
    assert done.stderr.count("no disk") == 1
    assert "no disk" not in done.stdout


def test_the_example_tells_its_receiver_which_believes_no_other_key(tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES / "07-finally-and-notifications", tmp_path / "example")
    command = [sys.executable, str(folder / "receiver" / "receiver.py"), "--port", "0"]
    key = {"REACTOR_SIGNING_KEY_AUDIT": KEY.decode()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **key}) as receiver:
        try:
            assert receiver.stdout is not None
            address = receiver.stdout.readline().strip()
            manifest = folder / "reactor.yaml"
            manifest.write_text(manifest.read_text().replace("http://127.0.0.1:8087", address))
            done = run(folder, "-o", "json", **key)
            with urllib.request.urlopen(f"{address}/events", timeout=10) as answer:
                taken = json.load(answer)
            stranger = run(folder, "-o", "json", REACTOR_SIGNING_KEY_AUDIT=KEY[::-1].decode())
        finally:
            receiver.kill()
    assert done.returncode == 1, done.stderr
    told = [(event["subject"], event["type"].removeprefix("run.reactor.")) for event in taken]
    assert told == [
        ("tickets-paid", "run.started"),
        ("tickets-paid", "run.succeeded"),
        ("tickets-declined", "run.started"),
        ("tickets-declined", "step.failed"),
        ("tickets-declined", "run.failed"),
    ]
    assert taken[-1]["data"]["failure"] == {"kind": "Error", "message": "the card has expired"}
    statuses = [one["status"]["notifications"] for one in json.loads(stranger.stdout)["items"]]
    assert [status["dead"] for status in statuses] == [2, 3]
    assert "the endpoint answered 401" in statuses[0]["lastFailure"]["message"]
