"""One HTTP/1.1 connection to the gateway, kept open over requests.

In: an address, requests. Out: status and body; to `exchange` a bare connection. Never here: repeating (see `gateway`),
TLS, redirects.

`http.client` would do the same and costs 20 ms of import, a third of what a Python pod may spend before its handler.
"""

import socket
from collections.abc import Callable

TIMEOUT_SECONDS = 60.0
ANSWER_LIMIT = 128 * 1024 * 1024
_HEAD_LIMIT = 64 * 1024


class BadAddress(Exception):
    """The gateway's address cannot be used."""


class NoAnswer(OSError):
    """The peer closed the connection, or what it said is not HTTP; whether the request took effect is open."""


class Answer:
    """What the peer said to one request."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body


class Connection:
    """A connection that opens itself when something is sent, and again when it was closed meanwhile."""

    __slots__ = ("_buffer", "_common", "_host", "_port", "_prefix", "_socket")

    def __init__(self, base: str, token: str) -> None:
        self._host, self._port, self._prefix = parse_base(base)
        name = f"[{self._host}]" if ":" in self._host else self._host
        self._common = f"Host: {name}:{self._port}\r\nAuthorization: Bearer {token}\r\n"
        self._socket: socket.socket | None = None
        self._buffer = b""

    @property
    def is_open(self) -> bool:
        """Whether a connection was opened and not yet found closed."""
        return self._socket is not None

    @property
    def host(self) -> bytes:
        """The host of the gateway."""
        return self._host.encode()

    @property
    def port(self) -> int:
        """The port of the gateway."""
        return self._port

    def render(self, method: str, path: str, headers: str, body: bytes | None) -> bytes:
        """Return the bytes of a request; `headers` are whole lines."""
        return self._head_of(method, path, headers, body) + (body or b"")

    def send(self, method: str, path: str, headers: str = "", body: bytes | None = None) -> None:
        """Send a request; `headers` are whole lines. Raises OSError."""
        head = self._head_of(method, path, headers, body)
        peer = self._socket
        if peer is None:
            peer = self._socket = connect(self.host, self._port, lambda: TIMEOUT_SECONDS)
        try:
            if body is None or len(body) <= _HEAD_LIMIT:
                peer.sendall(head + (body or b""))
            else:
                peer.sendall(head)
                peer.sendall(body)
        except ConnectionError:
            return  # a peer that does not want the body may have answered before it closed: `receive` finds out

    def receive(self) -> Answer:
        """Read the answer to what was sent. Raises OSError."""
        while True:
            status, headers = self._head()
            if status >= 200:  # below that: an interim answer, the real one follows
                break
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks()
        elif "content-length" in headers:
            body = self._exactly(_size(headers["content-length"], 10))
        elif status in (204, 304):
            body = b""
        else:
            body = self._rest()
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, body)

    def close(self) -> None:
        """Close; the next request opens anew."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._buffer = b""

    def _head_of(self, method: str, path: str, headers: str, body: bytes | None) -> bytes:
        length = f"Content-Length: {len(body)}\r\n" if body is not None else "Content-Length: 0\r\n"
        return f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._common}{headers}{length}\r\n".encode("latin-1")

    def _head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _HEAD_LIMIT:
                raise NoAnswer("the head of the answer does not end")
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return self.parse_head(head)

    @staticmethod
    def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
        """Return status and headers (names in lower case) of an answer. Raises NoAnswer."""
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise NoAnswer(f"expected an HTTP/1.1 answer, found {first[:80]!r}")
        pairs = (line.partition(":") for line in lines)
        return int(rest[:3]), {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _more(self) -> None:
        if self._socket is None:
            raise NoAnswer("nothing was sent")
        received = self._socket.recv(65536)
        if not received:
            raise NoAnswer("the gateway closed the connection before it answered")
        self._buffer += received

    def _exactly(self, size: int) -> bytes:
        if size > ANSWER_LIMIT:
            raise NoAnswer(f"the answer has {size} bytes, expected at most {ANSWER_LIMIT}")
        parts, held = [self._buffer], len(self._buffer)
        while held < size:
            self._buffer = b""
            self._more()
            parts.append(self._buffer)
            held += len(self._buffer)
        whole = b"".join(parts)
        self._buffer = whole[size:]
        return whole[:size]

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._buffer:
                self._more()
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            size = _size(line.split(b";")[0].decode("latin-1"), 16)
            body += self._exactly(size + 2)[:size]
            if not size:
                return body

    def _rest(self) -> bytes:
        """Read until the peer closes."""
        try:
            while len(self._buffer) <= ANSWER_LIMIT:
                self._more()
        except NoAnswer:
            body = self._buffer
            self.close()
            return body
        raise NoAnswer(f"the answer has more than {ANSWER_LIMIT} bytes")


def connect(host: str | bytes, port: int, seconds: Callable[[], float]) -> socket.socket:
    """Connect to the first address of `host` that takes it, to each within `seconds()`. Raises OSError, UnicodeError.

    As bytes the name is not sent through the IDNA codec, whose import takes a millisecond.
    """
    refused = OSError(f"{host!r} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        peer = socket.socket(family, kind, protocol)
        try:
            peer.settimeout(seconds())
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.connect(address)
            return peer
        except OSError as problem:
            peer.close()
            refused = problem
    raise refused


def _size(text: str, base: int) -> int:
    try:
        return int(text, base)
    except ValueError as problem:
        raise NoAnswer(f"expected a length, found {text[:40]!r}") from problem


def parse_base(base: str) -> tuple[str, int, str]:
    """Return host, port and path of `http://HOST[:PORT][/PATH]`. Raises BadAddress."""
    scheme, found, rest = base.partition("://")
    authority, _, path = rest.partition("/")
    if scheme.lower() != "http" or not found or not authority:
        raise BadAddress(f"the gateway's address is {base!r}, expected http://HOST:PORT")
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = authority.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        raise BadAddress(f"the gateway's address is {base!r}, expected a number as its port")
    return host, int(port or "80"), "/" + path.rstrip("/") if path.rstrip("/") else ""
