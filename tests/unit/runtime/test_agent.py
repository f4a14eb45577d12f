"""How the agent speaks to the gateway, and what it leaves behind."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.unit.runtime.peer import Peer, serving
from tests.unit.runtime.pod import DEADLINE_SECONDS, Pod


def wait_until(condition: object, what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_check_in_and_outcome_share_one_connection(pod: Pod, peer: Peer) -> None:
    pod.run_source("def main():\n    return 1")
    assert [(method, verb) for method, verb, _ in peer.requests] == [("POST", "check-in"), ("PUT", "outcome")]
    assert peer.connections == 1


@pytest.mark.parametrize("spoken_for", [True, False])
def test_a_task_that_is_closed_or_spoken_for_is_not_begun(pod: Pod, peer: Peer, spoken_for: bool) -> None:
    peer.closed, peer.binding = not spoken_for, "another process"
    ended = pod.run_source("print('imported')\ndef main():\n    print('it ran')")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert peer.outcome is None
    assert not pod.termination_log.exists()
    assert "nothing to do" in ended.stderr


def test_a_wrong_token_is_told_in_the_termination_message(pod: Pod, peer: Peer) -> None:
    ended = pod.run_source("def main():\n    print('it ran')", REACTOR_TOKEN="stolen")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert pod.termination["failure"]["kind"] == "CannotStart"
    assert "401" in pod.termination["failure"]["message"]


@pytest.mark.parametrize("name", ["REACTOR_GATEWAY", "REACTOR_TOKEN", "REACTOR_TASK", "REACTOR_STEP", "REACTOR_SOURCE"])
def test_a_missing_variable_is_named_and_the_handler_is_not_called(pod: Pod, peer: Peer, name: str) -> None:
    pod.variables["REACTOR_SOURCE"] = "def main():\n    print('it ran')"
    pod.variables[name] = None
    ended = pod.run()
    assert (ended.returncode, ended.stdout) == (2, "")
    assert name in pod.termination["failure"]["message"]


@pytest.mark.parametrize("address", ["https://gateway", "gateway:80", "http://", "http://gateway:port"])
def test_an_address_that_cannot_be_used_is_told(pod: Pod, peer: Peer, address: str) -> None:
    assert pod.run_source("def main(): pass", REACTOR_GATEWAY=address).returncode == 2
    assert repr(address) in pod.termination["failure"]["message"]


@pytest.mark.parametrize("fault", [503, 500, "drop"])
def test_a_request_is_repeated_until_it_is_heard_with_the_same_bytes(pod: Pod, peer: Peer, fault: int | str) -> None:
    peer.faults = [fault, fault, None, fault, fault]
    process = pod.run_source("def main():\n    print('it ran')\n    return 5")
    assert process.stdout == "it ran\n"
    assert process.returncode == 0
    assert [verb for _, verb, _ in peer.requests].count("check-in") == 3
    outcomes = [body for _, verb, body in peer.requests if verb == "outcome"]
    assert outcomes == [b'{"type":"succeeded","result":5}'] * 3
    assert peer.outcome == outcomes[0]


def test_a_gateway_that_goes_away_while_the_handler_runs_and_comes_back_gets_the_outcome(
    pod: Pod, peer: Peer, tmp_path: Path
) -> None:
    gate, running = tmp_path / "gate", tmp_path / "running"
    pod.variables["REACTOR_SOURCE"] = f"""
import os, time
def main():
    open({str(running)!r}, "w").close()
    while not os.path.exists({str(gate)!r}): time.sleep(0.005)
    return 'late'"""
    first = Peer()
    with serving(first):
        pod.peer = first
        process = pod.start()
        # not only taken: the answer to the check-in has arrived
        wait_until(running.exists, "the handler did not start")
    port = int(first.address.rpartition(":")[2])
    gate.touch()
    wait_until(pod.termination_log.exists, "the outcome was not left in the termination message")
    second = Peer()
    second.binding = first.binding
    with process, serving(second, port):
        second.wait_for_outcome()
        assert process.wait(DEADLINE_SECONDS) == 0
    assert second.outcome == b'{"type":"succeeded","result":"late"}'


def test_the_termination_message_is_there_before_the_outcome_is_sent(pod: Pod, peer: Peer) -> None:
    seen: list[bool] = []
    answer = peer.answer

    def look(method: str, path: str, headers: object, body: bytes) -> tuple[int, bytes] | None:
        if path.endswith("outcome"):
            seen.append(pod.termination_log.exists())
        return answer(method, path, headers, body)

    peer.answer = look  # type: ignore[method-assign]
    pod.run_source("def main(): pass")
    assert seen == [True]


def test_an_outcome_that_comes_second_is_not_repeated_and_the_pod_ends(pod: Pod, peer: Peer) -> None:
    peer.outcome = b'{"type":"halted","reason":"first"}'
    ended = pod.run_source("def main():\n    return 2")
    assert ended.returncode == 0
    assert [verb for _, verb, _ in peer.requests] == ["check-in", "outcome"]
    assert peer.outcome == b'{"type":"halted","reason":"first"}'
    assert "409" in ended.stderr


@pytest.mark.parametrize("close", ["sys.stderr.close()", "os.close(2)"])
def test_a_handler_that_closes_stderr_is_reported_all_the_same(pod: Pod, peer: Peer, close: str) -> None:
    source = f"import os, sys\n\ndef main():\n    {close}\n    return 2"
    ended = pod.run_source(source, REACTOR_TERMINATION_LOG=str(pod.folder / "missing" / "log"))
    assert ended.returncode == 0
    assert peer.outcome == b'{"type":"succeeded","result":2}'


def test_an_outcome_that_the_gateway_calls_too_large_becomes_an_invalid_result(pod: Pod, peer: Peer) -> None:
    peer.refuses_above = 10_000
    assert pod.run_source("def main():\n    return 'x' * 20000").returncode == 1
    assert peer.outcome_document["failure"]["kind"] == "InvalidResult"
    assert pod.termination["failure"]["kind"] == "InvalidResult"


def test_large_arguments_arrive_whole(pod: Pod, peer: Peer) -> None:
    peer.assignment["arguments"] = {"text": "ä" * 3_000_000}
    pod.run_source("def main(text):\n    return len(text)")
    assert peer.outcome_document["result"] == 3_000_000


CHILDREN = """
import os, subprocess, sys, time
def main(orphan=False):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    middle = subprocess.run(
        [sys.executable, "-c", "import subprocess, sys; "
         "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], stdout=2).pid)"],
        stdout=subprocess.PIPE, text=True)
    return [child.pid, int(middle.stdout)]
"""


def test_children_and_orphans_of_a_handler_end_with_it(pod: Pod, peer: Peer) -> None:
    assert pod.run_source(CHILDREN).returncode == 0
    child, orphan = peer.outcome_document["result"]
    wait_until(lambda: not lives(child), "the child still runs")
    wait_until(lambda: not lives(orphan), "the orphan still runs")


def test_threads_that_a_handler_left_running_do_not_keep_the_pod_and_exit_hooks_run(pod: Pod, peer: Peer) -> None:
    source = """
import atexit, threading
def main():
    threading.Thread(target=threading.Event().wait).start()
    atexit.register(print, 'flushed')
    return 1"""
    ended = pod.run_source(source)
    assert (ended.returncode, ended.stdout) == (0, "flushed\n")


WAITS = """
def main(context):
    print('begun', flush=True)
    context.cancellation.wait(30)
    return ['cancelled', context.cancelled]
"""


def test_sigterm_sets_the_cancellation_and_the_handler_still_reports(pod: Pod, peer: Peer) -> None:
    pod.variables["REACTOR_SOURCE"] = WAITS
    with pod.start() as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 0
    assert peer.outcome_document["result"] == ["cancelled", True]


def test_a_pod_that_is_told_to_stop_before_its_check_in_is_heard_never_calls_the_handler(pod: Pod, peer: Peer) -> None:
    pod.variables["REACTOR_SOURCE"] = "def main():\n    print('it ran')"
    peer.faults = [503] * 1000
    with pod.start() as process:
        peer.wait_for_requests(2)
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, stdout) == (143, "")
    assert not pod.termination_log.exists()


def test_a_handler_that_kills_its_process_leaves_no_outcome(pod: Pod, peer: Peer) -> None:
    ended = pod.run_source("import os, signal\ndef main():\n    os.kill(os.getpid(), signal.SIGKILL)")
    assert ended.returncode == -signal.SIGKILL
    assert peer.outcome is None
    assert not pod.termination_log.exists()


def test_a_child_that_a_handler_forked_does_not_speak_for_the_task(pod: Pod, peer: Peer) -> None:
    source = """
import os
def main():
    child = os.fork()
    if child == 0:
        raise LookupError('in the child')
    os.waitpid(child, 0)
    return 'parent'"""
    assert pod.run_source(source).returncode == 0
    assert [verb for _, verb, _ in peer.requests] == ["check-in", "outcome"]
    assert peer.outcome_document["result"] == "parent"


def test_an_answer_in_chunks_is_read(pod: Pod, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        pod.variables["REACTOR_SOURCE"] = "def main(a):\n    print(a)"
        pod.peer.address = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pod.start() as process:
            peer, _ = server.accept()
            with peer:
                peer.recv(65536)
                body = b'{"arguments":{"a":"chunked"}}'
                chunks = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:], b""))
                peer.sendall(
                    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
                )
                assert b"PUT" in peer.recv(65536)
                peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            assert process.communicate(timeout=DEADLINE_SECONDS)[0] == "chunked\n"
            assert process.returncode == 0


def test_what_is_imported_before_the_handler_is_small(pod: Pod, peer: Peer) -> None:
    heavy = [
        "asyncio",
        "dataclasses",
        "email",
        "http",
        "inspect",
        "logging",
        "ssl",
        "traceback",
        "typing",
        "urllib",
        "random",
        "threading",
        "hashlib",
    ]
    pod.run_source(f"import sys\ndef main():\n    return [name for name in {heavy!r} if name in sys.modules]")
    assert peer.outcome_document["result"] == []


def test_words_that_are_not_understood_are_refused(pod: Pod) -> None:
    ended = pod.run("fetsh")
    assert ended.returncode == 2
    assert "'fetsh' is not understood" in ended.stderr


def test_the_agent_needs_no_environment_of_its_parent(pod: Pod) -> None:
    assert "HOME" in os.environ
    assert "HOME" not in pod.environment()
