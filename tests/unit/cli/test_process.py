"""The command as a process: signals, crashes, terminals, and what a wrong command line says."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.cli.conftest import EXAMPLES, REACTOR, Write

pytestmark = pytest.mark.heavy

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from reactor_operator.cli.main import main; sys.argv[0] = 'reactor'; main()",
]
DEADLINE = 30.0

WAITS = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: waits}
spec:
  steps:
  - name: first
    run: {python: {source: "def main(): return 1"}}
    compensate: {python: {source: "def main(): pass"}}
    undo: {python: {source: "def main(): pass"}}
  - name: second
    waitFor: [first]
    arguments: {folder: {input: folder}}
    run: {python: {handler: "gate:wait"}}
  - name: third
    waitFor: [second]
    run: {python: {source: "def main(): return 'done'"}}
"""

LISTENS = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: waits}
spec:
  onFailure: terminate
  steps:
  - name: only
    arguments: {folder: {input: folder}}
    run: {python: {handler: "gate:listen"}}
"""

GATE = '''\
"""Waits until the test opens the gate."""

import os
import time


def wait(folder):
    with open(f"{folder}/started", "a") as file:
        file.write("x")
    with open(f"{folder}/started") as file:
        open(f"{folder}/started-{file.read()}", "a").close()
    deadline = time.monotonic() + 30
    while not os.path.exists(f"{folder}/open") and time.monotonic() < deadline:
        time.sleep(0.02)
    return "waited"


def listen(folder, context):
    open(f"{folder}/started", "a").close()
    context.cancellation.wait(30)
    time.sleep(0.2)
    open(f"{folder}/cleaned", "a").close()
'''


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def wait_until_there(file: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while not file.exists():
        assert time.monotonic() < deadline, f"{file.name} never came"
        time.sleep(0.02)


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"never printed: {text}")


def test_ctrl_c_waits_for_what_runs_and_cancels(write: Write) -> None:
    folder = write({"reactor.yaml": WAITS, "gate.py": GATE})
    with started("run", folder, "--set", f"folder={folder}") as process:
        wait_until_there(folder / "started")
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "cancelling")
        (folder / "open").touch()
        out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1, err
    assert "second  Succeeded" in out
    assert "third" not in out
    assert "waits-run  Cancelled" in out
    assert "interrupted with Ctrl-C" in out
    assert "Undone" not in out


def test_a_second_ctrl_c_kills_and_the_run_goes_on_later(write: Write) -> None:
    folder = write({"reactor.yaml": WAITS, "gate.py": GATE})
    arguments = ("run", folder, "--state", folder / "run.db", "--set", f"folder={folder}")
    with started(*arguments) as process:
        wait_until_there(folder / "started")
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "cancelling")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    again = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE)
    assert again.returncode == 1, again.stderr
    assert "waits-run  Cancelled" in again.stdout
    assert (folder / "started").read_text() == "x", "it goes on to the end of its cancellation, and starts nothing"


def test_ctrl_c_works_again_later_in_the_life_of_a_run(write: Write) -> None:
    undone = '"gate:wait"}}\n    undo: {python: {handler: "gate:wait"}}\n'
    folder = write({"reactor.yaml": WAITS.replace('"gate:wait"}}\n', undone), "gate.py": GATE})
    state = ("--state", folder / "run.db")
    commands = (
        ("run", folder, *state, "--set", f"folder={folder}"),
        ("undo", "waits-run", *state, "--manifests", folder),
    )
    for command, begun in zip(commands, ("x", "xx"), strict=True):
        (folder / "open").unlink(missing_ok=True)
        with started(*command) as process:
            wait_until_there(folder / f"started-{begun}")
            process.send_signal(signal.SIGINT)
            wait_for_line(process, "cancelling")
            (folder / "open").touch()
            out, err = process.communicate(timeout=DEADLINE)
        assert "waits-run  Cancelled" in out, err
    assert "first  Undone" not in out


def test_a_second_ctrl_c_kills_while_docker_does_not_answer(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    step = "  - name: two\n    run: {container: {image: 'shop:1'}}\n"
    folder = write({"reactor.yaml": REACTOR + step, "bin/docker": "#!/bin/sh\n: > $0-asked\nexec sleep 600\n"})
    (folder / "bin/docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    with started("run", folder) as process:
        wait_until_there(folder / "bin/docker-asked")
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "cancelling")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, err
    assert "does not answer" not in out, "it was heard before docker was given up"


def test_a_handler_that_is_told_to_stop_has_its_grace_at_the_end_of_a_run_too(write: Write) -> None:
    folder = write({"reactor.yaml": LISTENS, "gate.py": GATE})
    with started("run", folder, "--set", f"folder={folder}") as process:
        wait_until_there(folder / "started")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1, err
    assert "waits-run  Cancelled" in out
    assert (folder / "cleaned").exists()


def test_a_killed_run_goes_on_where_it_was(write: Write) -> None:
    folder = write({"reactor.yaml": WAITS, "gate.py": GATE})
    arguments = ("run", folder, "--state", folder / "run.db", "--set", f"folder={folder}")
    with started(*arguments) as process:
        wait_until_there(folder / "started")
        process.kill()
        process.communicate(timeout=DEADLINE)
    (folder / "open").touch()
    again = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE)
    assert again.returncode == 0, again.stderr
    assert "goes on where it was" in again.stdout
    assert "waits-run  Succeeded" in again.stdout
    assert (folder / "started").read_text() == "xx", "the lost task was launched again, the finished step was not"


def test_one_process_at_a_time_works_on_a_state_file(write: Write) -> None:
    folder = write({"reactor.yaml": WAITS, "gate.py": GATE})
    arguments = ("run", folder, "--state", folder / "run.db", "--set", f"folder={folder}")
    with started(*arguments) as process:
        wait_until_there(folder / "started")
        other = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE)
        assert (other.returncode, other.stdout) == (2, "")
        assert "another `reactor run` works on it" in other.stderr
        (folder / "open").touch()
        out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, err
    assert "waits-run  Succeeded" in out
    assert (folder / "started").read_text() == "x"


def test_a_terminal_gets_a_tree_and_a_pipe_gets_lines() -> None:
    here, there = pty.openpty()
    command = [*COMMAND, "run", str(EXAMPLES / "02-order-processing"), "--run", "order-declined"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(command, stdout=there, stderr=subprocess.PIPE, env=environment)
    os.close(there)
    shown = b""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if select.select([here], [], [], 0.2)[0]:
            try:
                chunk = os.read(here, 65536)
            except OSError:  # the terminal's other end is closed
                break
            if not chunk:
                break
            shown += chunk
    _, err = process.communicate(timeout=DEADLINE)
    os.close(here)
    assert process.returncode == 1, err
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    for expected in ("✘ charge   Failed", "rollback, newest first", "↶ charge   Compensated", "↶ reserve  Undone"):
        assert expected in text
    piped = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert "\x1b" not in piped.stdout
    assert "  reserve  Undone" in piped.stdout


def test_a_wrong_command_names_the_nearest() -> None:
    said = subprocess.run([*COMMAND, "rnu"], capture_output=True, text=True, timeout=DEADLINE)
    assert said.returncode == 2
    assert "No such command 'rnu'. Did you mean 'run'?" in said.stderr


def test_errors_are_short_and_have_no_traceback(tmp_path: Path) -> None:
    for arguments in (
        ["run", str(tmp_path / "gone")],
        ["get", "x", "--kubeconfig", str(tmp_path / "gone")],
        ["apply", str(EXAMPLES / "01-hello"), "--kubeconfig", str(tmp_path / "gone")],
    ):
        said = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=DEADLINE)
        assert said.returncode in (1, 2)
        assert said.stderr.startswith("error: ")
        assert "Traceback" not in said.stderr
        assert len(said.stderr.splitlines()) == 1, said.stderr


def test_output_is_utf_8_whatever_the_locale_says(write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR})
    said = subprocess.run(
        [*COMMAND, "run", str(folder), "--set", "who=Zoë 日本"],
        capture_output=True,
        timeout=DEADLINE,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert said.returncode == 0, said.stderr
    assert 'result "Hello Zoë 日本"' in said.stdout.decode()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(write: Write, closed: str) -> None:
    folder = write({"reactor.yaml": REACTOR})
    script = f'"$0" -c "$1" run "$2" --state "$2/run.db" {closed}'
    said = subprocess.run(
        ["sh", "-c", script, COMMAND[0], COMMAND[2], str(folder)], capture_output=True, text=True, timeout=DEADLINE
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_a_run_goes_on_when_its_output_cannot_be_written(write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR})
    with open("/dev/full", "w") as full:
        said = subprocess.run(
            [*COMMAND, "run", str(folder)], stdout=full, stderr=subprocess.PIPE, text=True, timeout=DEADLINE
        )
    assert said.returncode == 0
    assert said.stderr == "the run goes on, but stdout cannot be written: No space left on device\n"


def test_what_is_not_text_on_standard_input_is_one_clear_line() -> None:
    said = subprocess.run([*COMMAND, "lint", "-"], input=b"\xff\xfe\x00", capture_output=True, timeout=DEADLINE)
    assert said.returncode == 2
    assert said.stdout.decode().splitlines()[0] == "stdin:1: not UTF-8 text, expected YAML or JSON"


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = " ".join(f"'{word}'" for word in [*COMMAND[:2]])
    script = f'{command} "$0" plan -o yaml "$1" | head -1'
    said = subprocess.run(
        ["sh", "-c", script, COMMAND[2], str(EXAMPLES / "02-order-processing")],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert said.stdout == "apiVersion: v1\n"
    assert said.stderr == ""


def test_a_run_goes_on_when_nobody_reads_its_output_any_more(write: Write) -> None:
    folder = write({"reactor.yaml": WAITS, "gate.py": GATE})
    with started("run", folder, "--state", folder / "run.db", "--set", f"folder={folder}") as process:
        wait_until_there(folder / "started")
        assert process.stdout is not None
        process.stdout.close()
        (folder / "open").touch()
        assert process.wait(DEADLINE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_what_reactor_run_does_not_need_is_not_imported() -> None:
    heavy = (
        "kubernetes",
        "aiohttp",
        "kopf",
        "redis",
        "starlette",
        "uvicorn",
        "rich",
        "jsonschema_rs",
        "cel",
        "pygments",
    )
    script = (
        "import sys\nfrom reactor_operator.cli.main import app\n"
        f"try:\n    app(['run', {str(EXAMPLES / '01-hello')!r}])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE)
    assert said.stdout.splitlines()[-1] == "[]", said.stdout + said.stderr
