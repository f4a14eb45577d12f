"""A gateway for one worker of a pool, as docs/protocol.md has it, that can be told to be away for some verbs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STEP = "d" * 64
RUN = "11111111-2222-3333-4444-555555555555"


class PoolPeer:
    """Leases what is queued, once; renews what it is told to.

    away: verbs that get 503.    lost: leases that are not renewed any more.    refuses: statuses for reports, in turn.
    """

    def __init__(self, source: str, seconds: float = 30.0, **step: Any) -> None:
        self.step = {"run": "order-1", "transaction": "t", "variables": {"REACTOR_SOURCE": source}, **step}
        self.seconds = seconds
        self.chunks: list[list[tuple[str, dict[str, Any]]]] = []
        self.away: set[str] = set()
        self.lost: set[str] = set()
        self.refuses: list[int] = []
        self.reported: dict[str, Any] = {}
        self.reports: list[int] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.changed = threading.Condition()
        self.address = ""

    def queue(self, *chunks: list[tuple[str, dict[str, Any]]]) -> None:
        with self.changed:
            self.chunks += chunks
            self.changed.notify_all()

    def wait(self, condition: Any, seconds: float = 20) -> bool:
        with self.changed:
            return bool(self.changed.wait_for(condition, seconds))

    def answer(self, verb: str, body: bytes) -> tuple[int, bytes]:
        first, *lines = body.split(b"\n")
        told = json.loads(first)
        with self.changed:
            self.asked.append((verb, told))
            self.changed.notify_all()
            if verb in self.away:
                return 503, b"away"
            if verb == "lease":
                self.changed.wait_for(lambda: self.chunks, 0.5)
                return 200, self._leases()
            if verb == "heartbeat":
                kept = {one: {"seconds": self.seconds, "closed": []} for one in told["leases"] if one not in self.lost}
                return 200, json.dumps({"leases": kept}).encode()
            if self.refuses:
                return self.refuses.pop(0), b"refused"
            self.reports.append(len(lines))
            for about, line in zip(told["outcomes"], lines, strict=True):
                self.reported[about["task"]] = "released" if about.get("released") else json.loads(line)
            self.changed.notify_all()
            return 200, json.dumps({"answers": ["recorded"] * len(lines)}).encode()

    def _leases(self) -> bytes:
        chunks, self.chunks = self.chunks, []
        leases = [
            {"lease": f"lease-{chunk[0][0]}", "run": RUN, "steps": [STEP], "tasks": [[key, "p"] for key, _ in chunk]}
            for chunk in chunks
        ]
        head = {"seconds": self.seconds, "waitedMs": 0, "steps": {STEP: json.dumps(self.step)}, "leases": leases}
        lines = [
            json.dumps({"task": key, "step": STEP, "proof": "p", "idempotencyKey": "k", "arguments": arguments})
            for chunk in chunks
            for key, arguments in chunk
        ]
        return "\n".join([json.dumps(head), *lines]).encode()


@contextmanager
def serving(peer: PoolPeer) -> Iterator[PoolPeer]:
    """Serve `peer` until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, said = peer.answer(self.path.rpartition("/")[2], body)
            with suppress(OSError):  # a worker that was told to stop does not wait for its lease
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Keep quiet: workers are killed in the middle of a request."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    peer.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield peer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
