"""One connection to the gateway on which a request is under way while other things are done.

In: requests, one at a time. Out: their answers, or that there was none. Never here: a wait (but for connecting), or a
decision to ask again; `pause` only tells how long to leave the gateway alone.
"""

import os
import selectors
import socket
from collections.abc import Callable
from time import monotonic

from reactor.connection import ANSWER_LIMIT, Answer, Connection, NoAnswer, connect

CONNECT_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
_PIECE = 256 * 1024

OnAnswer = Callable[[Answer], None]
OnFailure = Callable[[str], None]


class Channel:
    """At most one request is under way. Its end is told once: `on_answer` below 500, else `on_failure`."""

    def __init__(self, connection: Connection, selector: selectors.BaseSelector) -> None:
        self._connection = connection
        self._selector = selector
        self._socket: socket.socket | None = None
        self._unsent = b""
        self._sent = 0
        self._received = bytearray()
        self._request = b""
        self._reused = False
        self._on_answer: OnAnswer | None = None
        self._on_failure: OnFailure | None = None
        self._until = 0.0
        self._pause = 0.0
        self.ready_at = 0.0
        """When the next request may be sent, after a failure."""

    @property
    def is_free(self) -> bool:
        """Whether no request is under way and the gateway need not be left alone."""
        return self._on_answer is None and monotonic() >= self.ready_at

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self._on_answer is not None

    def ask(
        self, method: str, path: str, body: bytes, seconds: float, on_answer: OnAnswer, on_failure: OnFailure
    ) -> None:
        """Send a request that is to be answered within `seconds`."""
        self._request = self._connection.render(method, path, "", body)
        self._on_answer, self._on_failure = on_answer, on_failure
        self._until = monotonic() + seconds
        self._begin()

    def look_at_clock(self, now: float) -> None:
        """Give up a request that takes too long."""
        if self._on_answer is not None and now >= self._until:
            self._fail("no answer in time")

    def abandon(self) -> None:
        """Forget the request that is under way, and close."""
        self._on_answer = self._on_failure = None
        self._close()

    def _begin(self) -> None:
        self._reused = self._socket is not None
        if self._socket is None:
            try:
                self._socket = connect(self._connection.host, self._connection.port, lambda: CONNECT_SECONDS)
            except (OSError, UnicodeError) as problem:
                self._fail(f"{type(problem).__name__}: {problem}")
                return
            self._socket.setblocking(False)
            self._selector.register(self._socket, selectors.EVENT_READ, self._on_event)
        self._unsent, self._sent = self._request, 0
        self._received.clear()
        self._send_some()

    def _on_event(self, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._send_some()
        if mask & selectors.EVENT_READ and self._socket is not None:
            self._receive_some()

    def _send_some(self) -> None:
        peer = self._socket
        assert peer is not None
        try:
            while self._sent < len(self._unsent):
                self._sent += peer.send(memoryview(self._unsent)[self._sent : self._sent + _PIECE])
        except BlockingIOError:
            self._selector.modify(peer, selectors.EVENT_READ | selectors.EVENT_WRITE, self._on_event)
            return
        except OSError as problem:  # it may have answered before it closed, which reading finds out
            if not isinstance(problem, ConnectionError):
                self._fail(f"{type(problem).__name__}: {problem}")
                return
        if self._unsent:
            self._unsent = b""
            self._sent = 0
            self._selector.modify(peer, selectors.EVENT_READ, self._on_event)

    def _receive_some(self) -> None:
        assert self._socket is not None
        try:
            received = self._socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError as problem:
            self._broken(f"{type(problem).__name__}: {problem}")
            return
        if not received:
            self._broken("the gateway closed the connection before it answered")
            return
        self._received += received
        try:
            found = parse_answer(self._received)
        except NoAnswer as problem:
            self._fail(str(problem))
            return
        if found is not None:
            answer, closes = found
            self._received.clear()
            if closes:
                self._close()
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        told = self._on_answer
        if told is None:
            self._close()  # it speaks without being asked
        elif answer.status >= 500:
            self._fail(f"status {answer.status}")
        else:
            self._pause = 0.0
            self._on_answer = self._on_failure = None
            told(answer)

    def _broken(self, words: str) -> None:
        """The peer may have closed a kept connection long ago: a new one is tried at once."""
        again = self._reused and not self._received and self._on_answer is not None
        self._close()
        if again:
            self._begin()
        else:
            self._fail(words)

    def _fail(self, words: str) -> None:
        self._close()
        told = self._on_failure
        self._on_answer = self._on_failure = None
        if told is not None:
            self.rest()
            told(words)

    def rest(self) -> None:
        """Leave the gateway alone for a while, longer each time until it answers."""
        self._pause = min(max(2 * self._pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self.ready_at = monotonic() + self._pause * (0.5 + os.urandom(1)[0] / 510)

    def _close(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
        self._unsent, self._sent = b"", 0
        self._received.clear()


def parse_answer(received: bytearray) -> tuple[Answer, bool] | None:
    """Return an answer and whether the peer closes after it, None while it is not whole. Raises NoAnswer."""
    start = 0
    while True:
        end = received.find(b"\r\n\r\n", start)
        if end < 0:
            if len(received) - start > 64 * 1024:
                raise NoAnswer("the head of the answer does not end")
            return None
        status, headers = Connection.parse_head(bytes(received[start:end]))
        start = end + 4
        if status >= 200:  # below that: an interim answer, the real one follows
            break
    closes = headers.get("connection", "").lower() == "close"
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _chunks(received, start)
        return None if body is None else (Answer(status, body), closes)
    told = headers.get("content-length", "0" if status in (204, 304) else "")
    if not (told.isascii() and told.isdigit()) or int(told) > ANSWER_LIMIT:
        raise NoAnswer(f"expected a length of at most {ANSWER_LIMIT}, found {told[:40]!r}")
    if len(received) < start + int(told):
        return None
    return Answer(status, bytes(received[start : start + int(told)])), closes


def _chunks(received: bytearray, start: int) -> bytes | None:
    parts: list[bytes] = []
    while True:
        end = received.find(b"\r\n", start)
        if end < 0:
            return None
        try:
            size = int(received[start:end].split(b";")[0], 16)
        except ValueError:
            raise NoAnswer(f"expected a length, found {bytes(received[start:end])[:40]!r}") from None
        start = end + 2
        if len(received) < start + size + 2:
            return None
        if not size:
            return b"".join(parts)
        parts.append(bytes(received[start : start + size]))
        start += size + 2
