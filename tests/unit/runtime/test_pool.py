"""A worker of a pool whose gateway is away, forgets leases, or refuses reports: the real worker, a gateway of ours."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import reactor
from tests.unit.runtime.pool_peer import STEP, PoolPeer, serving

DEADLINE_SECONDS = 20
SLEEPS = """
import os, time
def main(n, seconds=0):
    with open(os.environ["FOLDER"] + "/begun", "a") as file:
        file.write(f"{n}\\n")
    time.sleep(seconds)
    return n
"""
DIES_LATE = """
import os, threading, time
def main(n, dies=False):
    with open(os.environ["FOLDER"] + "/begun", "a") as file:
        file.write(f"{n}\\n")
    if dies:
        threading.Thread(target=lambda: (time.sleep(0.0005), os._exit(3)), daemon=True).start()
    return n
"""


def key(n: int, action: str = "run") -> str:
    return f"rows[{n}].{action}.1.1.1"


@contextmanager
def worker(peer: PoolPeer, folder: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(reactor.__file__).parents[1]),
        "REACTOR_GATEWAY": peer.address,
        "REACTOR_POOL": "shop/workers",
        "REACTOR_POOL_TOKEN": "t",
        "FOLDER": str(folder),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "reactor", "pool"],
        env=environment | variables,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def begun(folder: Path) -> list[int]:
    file = folder / "begun"
    return [int(n) for n in file.read_text().split()] if file.exists() else []


def wait_until_begun(folder: Path, n: int) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while n not in begun(folder):
        assert time.monotonic() < end, begun(folder)
        time.sleep(0.01)


def test_nothing_is_begun_once_its_lease_may_have_run_out(tmp_path: Path) -> None:
    with serving(PoolPeer(SLEEPS, seconds=2.0)) as peer:
        peer.away = {"heartbeat"}
        peer.queue([(key(0), {"n": 0, "seconds": 1.5}), (key(1), {"n": 1})], [(key(2), {"n": 2})])
        with worker(peer, tmp_path):
            assert peer.wait(lambda: key(0) in peer.reported)
            peer.queue([(key(3), {"n": 3})])
            assert peer.wait(lambda: key(3) in peer.reported)
            assert peer.wait(lambda: key(2) in peer.reported)
    assert begun(tmp_path) == [0, 3]
    assert peer.reported[key(1)] == peer.reported[key(2)] == "released"


class SlowPeer(PoolPeer):
    """A gateway that sends documents along with no task, and takes longer than a lease to bring them."""

    def _leases(self) -> bytes:
        head, *lines = super()._leases().split(b"\n")
        return b"\n".join([head, *(json.dumps({**json.loads(line), "fetch": True}).encode() for line in lines)])

    def answer(self, verb: str, body: bytes) -> tuple[int, bytes]:
        if verb != "task":
            return super().answer(verb, body)
        time.sleep(2.5)
        told = {"task": json.loads(body)["task"], "step": STEP, "proof": "p", "idempotencyKey": "k"}
        return 200, json.dumps({**told, "arguments": {"n": 0}}).encode()


def test_nothing_is_begun_when_its_lease_may_have_run_out_while_its_documents_came(tmp_path: Path) -> None:
    with serving(SlowPeer(SLEEPS, seconds=2.0)) as peer:
        peer.away = {"heartbeat"}
        peer.queue([(key(0), {})])
        with worker(peer, tmp_path):
            assert peer.wait(lambda: peer.reported)
    assert begun(tmp_path) == []
    assert peer.reported == {key(0): "released"}


class CutPeer(PoolPeer):
    """A gateway whose first answer with leases lacks the lines of its tasks."""

    def _leases(self) -> bytes:
        chunks = self.chunks
        whole = super()._leases()
        if chunks and not any(told.get("known") for _, told in self.asked):
            self.chunks = chunks
            return whole.split(b"\n")[0]
        return whole


def test_an_answer_that_is_cut_ends_no_worker(tmp_path: Path) -> None:
    with serving(CutPeer(SLEEPS)) as peer:
        peer.queue([(key(0), {"n": 0})])
        with worker(peer, tmp_path):
            assert peer.wait(lambda: peer.reported)
    assert peer.reported == {key(0): {"type": "succeeded", "result": 0}}


def test_a_lease_that_is_renewed_is_done_to_the_end(tmp_path: Path) -> None:
    with serving(PoolPeer(SLEEPS, seconds=2.0)) as peer:
        peer.queue([(key(0), {"n": 0, "seconds": 2.5}), (key(1), {"n": 1})])
        with worker(peer, tmp_path):
            assert peer.wait(lambda: len(peer.reported) == 2)
    assert begun(tmp_path) == [0, 1]


def test_what_is_not_the_workers_any_more_is_stopped_and_not_reported(tmp_path: Path) -> None:
    with serving(PoolPeer(SLEEPS, seconds=2.0)) as peer:
        peer.lost = {f"lease-{key(0)}"}
        peer.queue([(key(0), {"n": 0, "seconds": 60}), (key(1), {"n": 1})], [(key(2), {"n": 2})])
        with worker(peer, tmp_path):
            assert peer.wait(lambda: key(2) in peer.reported)
    assert begun(tmp_path) == [0, 2]
    assert set(peer.reported) == {key(2)}


def test_a_task_whose_process_ends_after_it_and_before_its_answer_is_not_begun_again(tmp_path: Path) -> None:
    dying = range(0, 6, 2)
    with serving(PoolPeer(DIES_LATE)) as peer:
        peer.queue(*[[(key(n), {"n": n, "dies": n in dying})] for n in range(6)])
        with worker(peer, tmp_path):
            assert peer.wait(lambda: len(peer.reported) == 6)
    assert sorted(begun(tmp_path)) == list(range(6))
    assert any(peer.reported[key(n)].get("failure", {}).get("kind") == "NoOutcome" for n in dying)
    assert [peer.reported[key(n)]["result"] for n in range(6) if n not in dying] == [1, 3, 5]


def test_told_to_stop_it_ends_what_runs_and_gives_back_the_rest(tmp_path: Path) -> None:
    with serving(PoolPeer(SLEEPS)) as peer:
        peer.queue([(key(0), {"n": 0, "seconds": 1}), (key(1), {"n": 1})], [(key(2), {"n": 2})])
        with worker(peer, tmp_path) as process:
            wait_until_begun(tmp_path, 0)
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_SECONDS) == 0
    assert begun(tmp_path) == [0]
    assert peer.reported == {key(0): {"type": "succeeded", "result": 0}, key(1): "released", key(2): "released"}


def test_an_idle_worker_ends_at_once(tmp_path: Path) -> None:
    with serving(PoolPeer(SLEEPS)) as peer, worker(peer, tmp_path) as process:
        assert peer.wait(lambda: peer.asked)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 0
        assert time.monotonic() - began < 4


def test_a_lease_that_arrives_while_it_drains_is_given_back(tmp_path: Path) -> None:
    with serving(PoolPeer(SLEEPS)) as peer, worker(peer, tmp_path) as process:
        assert peer.wait(lambda: peer.asked)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        peer.queue([(key(0), {"n": 0})])
        assert process.wait(DEADLINE_SECONDS) == 0
        assert peer.reported in ({key(0): "released"}, {})
    assert begun(tmp_path) == []


def test_reports_are_batches_and_repeated_until_they_are_heard(tmp_path: Path) -> None:
    with serving(PoolPeer("def main(n):\n    return n")) as peer:
        peer.refuses = [503, 503]
        peer.queue(*[[(key(n), {"n": n})] for n in range(400)])
        with worker(peer, tmp_path):
            assert peer.wait(lambda: len(peer.reported) == 400)
    assert all(peer.reported[key(n)] == {"type": "succeeded", "result": n} for n in range(400))
    assert len(peer.reports) < 100


def test_an_outcome_that_the_gateway_does_not_take_becomes_a_failure_and_the_others_are_taken(tmp_path: Path) -> None:
    with serving(PoolPeer("def main(n):\n    return n")) as peer:
        peer.refuses = [413, 413]
        peer.queue([(key(n), {"n": n}) for n in range(3)])
        with worker(peer, tmp_path):
            assert peer.wait(lambda: len(peer.reported) == 3)
    kinds = [peer.reported[key(n)]["type"] for n in range(3)]
    assert sorted(kinds) == ["failed", "succeeded", "succeeded"]


def test_a_step_is_asked_for_once(tmp_path: Path) -> None:
    with serving(PoolPeer("def main(n):\n    return n")) as peer, worker(peer, tmp_path):
        for n in range(3):
            peer.queue([(key(n), {"n": n})])
            assert peer.wait(lambda n=n: key(n) in peer.reported)
    known = [told["known"] for verb, told in peer.asked if verb == "lease"]
    assert known[0] == []
    assert len(known[-1]) == 1


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"REACTOR_POOL": ""}, "REACTOR_POOL is missing"),
        ({"REACTOR_POOL": "workers"}, "expected NAMESPACE/NAME"),
        ({"REACTOR_POOL_CONCURRENCY": "0"}, "expected a number from 1 to"),
        ({"REACTOR_POOL_CONCURRENCY": "many"}, "expected a number from 1 to"),
        ({"REACTOR_POOL_CHILD_MEMORY": "1Gi"}, "expected a number of bytes"),
        ({"REACTOR_GATEWAY": "https://x"}, "expected http://HOST:PORT"),
        ({"REACTOR_POOL_TOKEN": ""}, "REACTOR_POOL_TOKEN is missing"),
    ],
)
def test_an_environment_that_makes_no_sense_is_told(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    peer = PoolPeer("")
    peer.address = "http://127.0.0.1:1"
    with worker(peer, tmp_path, **variables) as process:
        assert process.wait(DEADLINE_SECONDS) == 2
        assert process.stderr is not None
        assert words in process.stderr.read()
