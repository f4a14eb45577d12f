"""What a task says to the gateway, repeated until it is heard (docs/protocol.md).

In: the environment of the task. Out: answers below 500. Never here: what an answer means for the task.

A request is repeated on 5xx and on connection errors, the same bytes each time, with a pause that doubles from 0.1 s to
5 s, for at most 10 minutes. Every request of the protocol may be repeated: the nonce binds, the digest recognises.
"""

import os
import time
from _thread import allocate_lock
from collections.abc import Callable, Mapping

from reactor.connection import Answer, Connection
from reactor.environment import BadEnvironment, required

PATIENCE_SECONDS = 600.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
JSON = "application/json"


class GatewayAway(Exception):
    """The gateway did not answer for as long as a task waits for it; the message says what it did instead."""


class Gateway:
    """The gateway as one task sees it."""

    __slots__ = ("_address", "_connection", "_nonce", "_pages", "_path", "_patience", "_turn", "sensitive")

    def __init__(self, variables: Mapping[str, str], patience_seconds: float = PATIENCE_SECONDS) -> None:
        run, slash, key = required(variables, "REACTOR_TASK").partition("/")
        if not (run and slash and key):
            raise BadEnvironment(f"REACTOR_TASK is {variables['REACTOR_TASK']!r}, expected RUN-UID/TASK-KEY")
        base, token = required(variables, "REACTOR_GATEWAY"), required(variables, "REACTOR_TOKEN")
        self._connection = Connection(base, token)
        self._address = base, token
        self._pages: Connection | None = None
        self._nonce = f"Reactor-Nonce: {os.urandom(16).hex()}\r\n"
        self._path = f"/v1/tasks/{quote(run)}/{quote(key)}/"
        self._patience = patience_seconds
        self._turn = allocate_lock()
        self.sensitive = False
        """Whether what is sent is a result that the gateway is to encrypt."""

    def send(self, method: str, verb: str, body: bytes | None = None, content_type: str = JSON) -> None:
        """Send a request, to be followed by `receive`. Raises OSError."""
        headers = self._nonce if body is None else f"{self._nonce}Content-Type: {content_type}\r\n"
        if self.sensitive:
            headers += "Reactor-Sensitive: true\r\n"
        self._connection.send(method, self._path + verb, headers, body)

    def ask(
        self,
        method: str,
        verb: str,
        body: bytes | None = None,
        content_type: str = JSON,
        *,
        sent: bool = False,
        pause: Callable[[float], object] = time.sleep,
    ) -> Answer:
        """Return the first answer below 500. Raises GatewayAway.

        sent:  the request was sent already and only its answer is missing.
        pause: waits for so many seconds; it may return True to give up.
        """
        return ask_patiently(
            self._connection,
            lambda: self.send(method, verb, body, content_type),
            f"{method} {verb}",
            sent=sent,
            pause=pause,
            patience_seconds=self._patience,
        )

    def read_page(self, step: str, round_: int, page: int, which: str, after: int) -> Mapping[str, object]:
        """Return a page of the results of a map. Raises ResultsUnavailable, GatewayAway."""
        from reactor.results import page_of, query_of

        path = f"{self._path}results?{query_of(step, round_, page, which, after)}"
        with self._turn:  # a handler may read in several threads, and leave them behind when its outcome is sent
            pages = self._pages = self._pages or Connection(*self._address)
            answer = ask_patiently(
                pages,
                lambda: pages.send("GET", path, self._nonce),
                "GET results",
                patience_seconds=self._patience,
            )
        return page_of(answer, step)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def ask_patiently(
    connection: Connection,
    send: Callable[[], None],
    what: str,
    *,
    sent: bool = False,
    pause: Callable[[float], object] = time.sleep,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Answer:
    """Return the first answer below 500 to what `send` sends. Raises GatewayAway; see `Gateway.ask`."""
    seconds, until = FIRST_PAUSE_SECONDS, time.monotonic() + patience_seconds
    while True:
        kept = connection.is_open
        try:
            if not sent:
                send()
            answer = connection.receive()
            if answer.status < 500:
                return answer
            said = f"status {answer.status}"
        except OSError as problem:
            connection.close()
            if kept:
                sent = False
                continue  # the peer may have closed a kept connection long ago: a new one is tried at once
            said = f"{type(problem).__name__}: {problem}"
        sent = False
        if time.monotonic() + seconds > until or pause(_jittered(seconds)):
            raise GatewayAway(f"the gateway did not take {what}: {said}")
        seconds = min(seconds * 2, LONGEST_PAUSE_SECONDS)


def _jittered(pause: float) -> float:
    """Return between half and all of `pause`: a gateway that comes back is not met by every task at once."""
    return pause * (0.5 + os.urandom(1)[0] / 510)


def quote(part: str) -> str:
    """Return one part of a path, percent-encoded."""
    keep = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
    return "".join(chr(byte) if byte in keep else f"%{byte:02X}" for byte in part.encode())
