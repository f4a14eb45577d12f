"""A service for requests: a real HTTP server on a free port of this machine, and one that speaks raw bytes.

`Service` keeps what was asked and answers as it was told, or hands the connection to a test that wants to misbehave.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Misbehaviour = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Service:
    """What is answered: `status`, `headers` and `body`, or what `decides` says of a request; or whatever `misbehaves`
    does with the connection."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    decides: Callable[[Asked], tuple[int, bytes]] | None = None
    misbehaves: Misbehaviour | None = None
    asked: list[Asked] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving(service: Service, certificate: Path | None = None) -> Iterator[Service]:
    """Serve until the end of the block, with a certificate under TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            asked = Asked(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            service.asked.append(asked)
            if service.misbehaves is not None:
                self.close_connection = True
                with suppress(OSError):
                    service.misbehaves(self.connection)
                return
            status, body = (service.status, service.body) if service.decides is None else service.decides(asked)
            self.send_response(status)
            for name, value in service.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing of clients that hang up; tests see what they were told."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.address = f"http://127.0.0.1:{server.server_address[1]}"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        service.address = service.address.replace("http://", "https://")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def raw_service() -> Iterator[tuple[str, list[bytes]]]:
    """Serve 204 to every connection; yield the address and the bytes that came, one item for each connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                heard.append(_whole_request(peer))
                peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _whole_request(peer: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        found += peer.recv(65536)
    head, _, body = found.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


def free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
