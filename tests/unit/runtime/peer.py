"""A gateway for one task, as docs/protocol.md has it: a real HTTP server on a free port of this machine.

It answers check-ins, takes outcomes and uploads, serves documents, and can be told to be away for some requests.
"""

import hashlib
import json
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "token-of-the-task"
RUN_UID = "11111111-2222-3333-4444-555555555555"
TASK_KEY = "rows[7]/store.run.1.1.1"


class Peer:
    """The state of the task at the gateway, and what was asked.

    faults: taken from the front, one for each request: a status to answer instead, `drop` (close without a word),
        or None (answer as always).
    """

    def __init__(self, **assignment: Any) -> None:
        self.assignment: dict[str, Any] = {"arguments": {}, "result": None, "failure": None, "uncertain": False}
        self.assignment |= assignment
        self.documents: dict[str, bytes] = {}
        self.faults: list[int | str | None] = []
        self.closed = False
        self.refuses_above: int | None = None
        self.binding: str | None = None
        self.outcome: bytes | None = None
        self.uploaded: tuple[str, bytes] | None = None
        self.requests: list[tuple[str, str, bytes]] = []
        self.connections = 0
        self.changed = threading.Condition()
        self.address = ""

    @property
    def outcome_document(self) -> Any:
        assert self.outcome is not None, "no outcome was recorded"
        return json.loads(self.outcome)

    def wait_for_requests(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.requests) >= count, timeout=20), self.requests

    def wait_for_outcome(self) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.outcome is not None, timeout=20), self.requests

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes] | None:
        with self.changed:
            verb = path.rsplit("/", 1)[1]
            self.requests.append((method, verb, body))
            self.changed.notify_all()
            fault = self.faults.pop(0) if self.faults else None
            if fault == "drop":
                return None
            if isinstance(fault, int):
                return fault, b"a fault of the test"
            if headers.get("Authorization") != f"Bearer {TOKEN}":
                return 401, b"wrong token"
            if path != f"/v1/tasks/{RUN_UID}/{urllib.parse.quote(TASK_KEY, safe='')}/{verb}":
                return 410, b"no such task"
            return self._speak(method, verb, headers, body)

    def _speak(self, method: str, verb: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if self.closed:
            return 410, b"the task is closed"
        nonce = headers.get("Reactor-Nonce")
        match method, verb:
            case "POST", "check-in":
                self.binding = self.binding or nonce
                if nonce != self.binding:
                    return 409, b"another process speaks for this task"
                return 200, json.dumps(self.assignment).encode()
            case "PUT", "outcome":
                return self._take(nonce, body)
            case "PUT", "output":
                self.uploaded = headers["Content-Type"], body
                return 200, b""
            case "GET", _ if verb in self.documents:
                return 200, self.documents[verb]
        return 404, b"there is none"

    def _take(self, nonce: str | None, body: bytes) -> tuple[int, bytes]:
        if self.refuses_above is not None and len(body) > self.refuses_above:
            return 413, b"too large"
        if nonce != self.binding or (self.outcome is not None and body != self.outcome):
            return 409, b"another outcome was first"
        self.outcome = body
        self.changed.notify_all()
        return 200, hashlib.sha256(body).hexdigest().encode()


@contextmanager
def serving(peer: Peer, port: int = 0) -> Iterator[Peer]:
    """Serve `peer` until the block ends."""

    open_connections: set[socket.socket] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            peer.connections += 1
            open_connections.add(self.connection)
            super().handle()
            open_connections.discard(self.connection)

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = peer.answer(self.command, self.path, self.headers, body)
            if answer is None:
                self.close_connection = True
                return
            status, said = answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = do_PUT = _any

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    peer.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield peer
    finally:
        server.shutdown()
        for connection in list(open_connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.server_close()
