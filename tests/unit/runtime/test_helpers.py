"""The helper containers: `fetch` before a container and `output` beside it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.runtime.peer import Peer
from tests.unit.runtime.pod import DEADLINE_SECONDS, Pod


@pytest.fixture
def folder(pod: Pod, tmp_path: Path) -> Path:
    found = tmp_path / "reactor"
    found.mkdir()
    pod.variables["REACTOR_DIRECTORY"] = str(found)
    return found


def test_fetch_brings_the_documents_it_is_asked_for_byte_for_byte(pod: Pod, peer: Peer, folder: Path) -> None:
    peer.documents = {"arguments": b'{ "a" : "\xc3\xa4" }', "result": b"[1]" * 100_000}
    assert pod.run("fetch", "arguments", "result").returncode == 0
    assert (folder / "arguments.json").read_bytes() == peer.documents["arguments"]
    assert (folder / "result.json").read_bytes() == peer.documents["result"]
    assert (folder / "result.json").stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize(("action", "names"), [("run", {"arguments"}), ("undo", {"arguments", "result"})])
def test_fetch_without_words_brings_what_the_action_has(
    pod: Pod, peer: Peer, folder: Path, action: str, names: set[str]
) -> None:
    peer.documents = dict.fromkeys(("arguments", "result", "failure"), b"1")
    pod.variables["REACTOR_ACTION"] = action
    assert pod.run("fetch").returncode == 0
    assert {file.stem for file in folder.iterdir()} == names


def test_fetch_of_an_undo_of_an_uncertain_step_finds_no_result(pod: Pod, peer: Peer, folder: Path) -> None:
    peer.documents = {"arguments": b"{}"}
    pod.variables["REACTOR_ACTION"] = "undo"
    assert pod.run("fetch").returncode == 0
    assert [file.name for file in folder.iterdir()] == ["arguments.json"]


def test_fetch_fails_the_init_container_where_a_document_is_missing_or_the_task_is_closed(
    pod: Pod, peer: Peer, folder: Path
) -> None:
    assert pod.run("fetch", "arguments").returncode == 1
    peer.documents, peer.closed = {"arguments": b"{}"}, True
    ended = pod.run("fetch", "arguments")
    assert ended.returncode == 1
    assert "410" in ended.stderr
    assert list(folder.iterdir()) == []


def test_fetch_refuses_names_it_does_not_know(pod: Pod, folder: Path) -> None:
    assert pod.run("fetch", "../secrets").returncode == 2


def test_fetch_waits_for_a_gateway_that_is_away(pod: Pod, peer: Peer, folder: Path) -> None:
    peer.documents, peer.faults = {"arguments": b"{}"}, [503, "drop", 503]
    assert pod.run("fetch", "arguments").returncode == 0


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b'{"a": 1}', "application/json"), (b"NaN", "text/plain"), (b"\xff", "text/plain"), (b"", "text/plain")],
)
def test_output_uploads_the_file_once_the_container_has_ended(
    pod: Pod, peer: Peer, tmp_path: Path, content: bytes, content_type: str
) -> None:
    path = tmp_path / "result.json"
    with pod.start("output", str(path)) as process:
        path.write_bytes(content)
        stop(process, peer)
    assert process.returncode == 0
    assert peer.uploaded == (content_type, content)


def test_output_repeats_its_upload_while_the_gateway_is_away(pod: Pod, peer: Peer, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b"[1]")
    peer.faults = [503, "drop", 500]
    with pod.start("output", str(path)) as process:
        stop(process, peer)
    assert (process.returncode, peer.uploaded) == (0, ("application/json", b"[1]"))


def test_output_without_a_file_has_nothing_to_do(pod: Pod, peer: Peer, tmp_path: Path) -> None:
    with pod.start("output", str(tmp_path / "none")) as process:
        stop(process, peer)
    assert (process.returncode, peer.requests) == (0, [])


def test_output_above_32_mib_is_not_uploaded(pod: Pod, peer: Peer, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(32 * 1024 * 1024 + 1)
    with pod.start("output", str(path)) as process:
        stop(process, peer)
    assert (process.returncode, peer.requests) == (0, [])


@pytest.mark.parametrize("make", [lambda path: path.symlink_to(__file__), os.mkfifo, os.mkdir])
def test_output_that_is_no_plain_file_is_not_uploaded(
    pod: Pod, peer: Peer, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "result.json"
    make(path)
    with pod.start("output", str(path)) as process:
        said = stop(process, peer)
    assert (process.returncode, peer.requests) == (0, [])
    assert "expected a plain file; it is not uploaded" in said


def stop(process: "object", peer: Peer) -> str:
    """Say what kubelet says to a sidecar when the main container has ended, as soon as it can hear it.

    Return what the sidecar printed to stderr.
    """
    import subprocess

    assert isinstance(process, subprocess.Popen)
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1):
            break
    process.send_signal(signal.SIGTERM)
    try:
        said: str = process.communicate(timeout=DEADLINE_SECONDS)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return said
