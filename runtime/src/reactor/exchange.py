"""One request sent and its answer read, before a deadline and into little memory.

In: a `Request`. Out: an `Answer`; or `NotConnected` (nothing was sent) or `Broken` (it may have been). Never here: what
an answer means, a second request (no redirect is followed), more than `LIMIT` bytes of an answer.

`http.client` reads the answer, from a stream that looks at the deadline before each read: its own timeout is one for
each read, so that a peer that sends a byte now and then would never meet it.
"""

import socket
from email.message import Message
from http.client import HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from time import monotonic

from reactor.connection import connect
from reactor.request import Address, Request

LIMIT = 1024 * 1024
EXCERPT = 8 * 1024
_EXCERPT_SECONDS = 5.0
_PIECE = 64 * 1024
_LONGEST_SECONDS = 86_400.0


class NotConnected(Exception):
    """No connection was made, so the service has seen nothing of the request."""


class Broken(Exception):
    """The request may have been sent, and its answer did not come, or not as a whole."""


class TooLarge(Exception):
    """The answer means success and is larger than what is read."""


class Answer:
    """What a service said. `body` is the whole of it where the status means success, else its beginning."""

    __slots__ = ("body", "headers", "reason", "status")

    def __init__(self, status: int, reason: str, headers: Message, body: bytes) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body


class Deadline:
    """How long an exchange may still take."""

    __slots__ = ("_at",)

    def __init__(self, seconds: float) -> None:
        self._at = monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, as many as a socket takes. Raises TimeoutError where there are none."""
        left = self._at - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return min(left, _LONGEST_SECONDS)

    def shorten(self, seconds: float) -> None:
        """Leave at most so many seconds."""
        self._at = min(self._at, monotonic() + seconds)


def exchange(request: Request) -> Answer:
    """Send a request and read its answer. Raises NotConnected, Broken, TooLarge."""
    deadline = Deadline(request.timeout_seconds)
    try:
        peer = connect(request.address.host, request.address.port, deadline.left)
    except (OSError, UnicodeError) as problem:
        raise NotConnected(_said(problem, request)) from problem
    try:
        if request.address.secure:
            peer = _secured(peer, request.address, deadline)
        return _converse(peer, request, deadline)
    except (OSError, HTTPException, ValueError) as problem:
        raise Broken(_said(problem, request)) from problem
    finally:
        peer.close()


def _secured(peer: socket.socket, address: Address, deadline: Deadline) -> socket.socket:
    """Return the connection under TLS, the certificate checked against the system's authorities or SSL_CERT_FILE."""
    from ssl import create_default_context  # 10 ms, and most services of a cluster do without

    peer.settimeout(deadline.left())
    return create_default_context().wrap_socket(peer, server_hostname=address.host)


def _converse(peer: socket.socket, request: Request, deadline: Deadline) -> Answer:
    try:
        _send(peer, request, deadline)
    except ConnectionError as problem:  # one that does not want the body may have answered before it closed
        unsent: ConnectionError | None = problem
    else:
        unsent = None
    response = HTTPResponse(_Peer(peer, deadline), method=request.method)  # type: ignore[arg-type]
    try:
        response.begin()
        while 101 < response.status < 200:  # on the way: http.client itself passes over 100 alone
            response.headers = response.msg = None  # type: ignore[assignment]
            response.begin()
    except (OSError, HTTPException) as problem:
        raise (unsent or problem) from None
    status, reason, headers = response.status, response.reason, response.headers
    if not request.is_success(status):
        deadline.shorten(_EXCERPT_SECONDS)
        return Answer(status, reason, headers, _beginning(response))
    return Answer(status, reason, headers, _whole(response))


def _send(peer: socket.socket, request: Request, deadline: Deadline) -> None:
    whole = memoryview(request.head + (request.body or b""))
    for start in range(0, len(whole), _PIECE):
        peer.settimeout(deadline.left())
        peer.sendall(whole[start : start + _PIECE])


def _whole(response: HTTPResponse) -> bytes:
    """Read the whole answer. Raises TooLarge before more than `LIMIT` bytes of it were read."""
    if response.length is not None and response.length > LIMIT:
        raise TooLarge(f"the answer has {response.length} bytes")
    parts, held = [], 0
    while part := response.read(min(_PIECE, LIMIT + 1 - held)):
        parts.append(part)
        held += len(part)
        if held > LIMIT:
            raise TooLarge("the answer goes on")
    if response.length:
        raise ConnectionError(f"the connection was closed {response.length} bytes before the end of the answer")
    return b"".join(parts)


def _beginning(response: HTTPResponse) -> bytes:
    """Read what is wanted of an answer that is shown to people only; a part of it will do, and so will nothing."""
    parts: list[bytes] = []
    try:
        while sum(map(len, parts)) < EXCERPT and (part := response.read(1024)):
            parts.append(part)
    except (OSError, HTTPException, ValueError):
        pass  # the status is known, and that is what counts
    return b"".join(parts)


class _Peer:
    """What `http.client` wants of a socket."""

    __slots__ = ("_deadline", "_socket")

    def __init__(self, peer: socket.socket, deadline: Deadline) -> None:
        self._socket = peer
        self._deadline = deadline

    def makefile(self, _mode: str) -> BufferedReader:
        """Return the stream of what the peer sends."""
        return BufferedReader(_Stream(self._socket, self._deadline))


class _Stream(RawIOBase):
    def __init__(self, peer: socket.socket, deadline: Deadline) -> None:
        self._socket = peer
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._socket.settimeout(self._deadline.left())
        return self._socket.recv_into(buffer)


def _said(problem: Exception, request: Request) -> str:
    """Return a problem in words."""
    if isinstance(problem, TimeoutError):
        return f"no end within {request.timeout_seconds:g}s"
    words = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return f"{type(problem).__name__}: {words}"
