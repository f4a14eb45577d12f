"""The dashboard as a command: what it prints, who is let in, and how it ends."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.unit.cli.conftest import REACTOR, Reactor, Write
from tests.unit.cli.dashboard.test_laptop import ASK, QUICK, SLOW, YES

pytestmark = pytest.mark.heavy

COMMAND = [sys.executable, "-c", "from reactor_operator.cli.main import main; main()"]
HEADERS = {"X-Reactor-Request": "1"}


@pytest.fixture
def folder(write: Write, tmp_path: Path) -> Path:
    text = ASK.replace("SOURCE", QUICK).replace("FOLDER", '"."').replace("TIMEOUT", "timeout: 3h")
    write({"manifests/reactor.yaml": text.partition("---\n")[0]})
    return tmp_path / "manifests"


@contextmanager
def started(*words: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a command and yield it with the address that it prints."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"http://127\S+", line):
                yield process, found[0]
                return
        raise AssertionError("it printed no address")
    finally:
        process.kill()
        process.wait()
        process.stdout.close() if process.stdout is not None else None


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    return process.returncode, out


def test_beside_a_run_it_shows_it_lets_it_be_resumed_and_stays(folder: Path, tmp_path: Path) -> None:
    with started("run", folder, "--state", tmp_path / "run.db", "--ui") as (process, address):
        assert process.stdout is not None
        while "the dashboard stays until Ctrl-C" not in process.stdout.readline():
            assert process.poll() is None
        with httpx.Client(base_url=address.partition("/dashboard")[0], timeout=20, trust_env=False) as browser:
            assert browser.get("/api/v1/runs").status_code == 403
            browser.get(address)
            (run,) = browser.get("/api/v1/runs").json()["items"]
            assert (run["name"], run["phase"]) == ("ask-run", "Paused")
            ask = browser.post("/api/v1/runs/default/ask-run/requests", json=YES, headers=HEADERS)
            assert ask.json()["answer"] == "accepted"
            while browser.get("/api/v1/runs").json()["items"][0]["phase"] != "Succeeded":
                assert process.poll() is None
        code, out = end(process)
    assert (code, "ask-run went on: Succeeded" in out, "to go on:" in out) == (0, True, False)


def test_a_state_file_is_shown_until_ctrl_c_and_its_runs_stay_as_they_are(
    reactor: Reactor, folder: Path, tmp_path: Path
) -> None:
    kept = ("--state", str(tmp_path / "run.db"))
    assert reactor("run", folder, *kept).code == 3
    with started("dashboard", *kept, "--no-browser") as (process, address):
        other = reactor("run", folder, *kept)
        assert (other.code, "or a `reactor dashboard`" in other.err) == (2, True)
        assert httpx.get(address, trust_env=False).status_code == 303
        assert end(process)[0] == 0
    assert "Paused" in reactor("run", folder, *kept).out


def test_ctrl_c_while_a_run_goes_on_cancels_it_as_ever_and_ends_the_dashboard_with_it(
    write: Write, tmp_path: Path
) -> None:
    source = SLOW.replace("def main(folder)", f"def main(folder={str(tmp_path)!r})")
    step = f'  - name: only\n    run: {{python: {{source: "{source}"}}}}\n'
    write({"reactor.yaml": REACTOR.partition("  inputsSchema")[0] + f"  steps:\n{step}"})
    with started("run", tmp_path, "--ui") as (process, address):
        while not (tmp_path / "begun").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        while "cancelling:" not in process.stdout.readline():
            assert process.poll() is None
        (tmp_path / "open").touch()
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, "Cancelled" in out, "stays until Ctrl-C" in out) == (1, True, False)
    assert address.startswith("http://127.0.0.1:")


def test_what_cannot_be_shown_is_said(reactor: Reactor, folder: Path, tmp_path: Path) -> None:
    answer = reactor("dashboard", "--state", str(tmp_path / "none.db"))
    assert (answer.code, "found no file" in answer.err) == (2, True)
    with started("run", folder, "--ui") as (_, address):
        port = httpx.URL(address).port
        taken = reactor("run", folder, "--ui", "--ui-port", str(port))
        assert (taken.code, f"port {port} of 127.0.0.1: cannot be listened at" in taken.err) == (2, True)
