"""A connection on which a request is under way while other things are done."""

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from reactor.connection import Answer, Connection, NoAnswer
from reactor.pool.channel import Channel, parse_answer

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\n\r\n"
)


@pytest.mark.parametrize("whole", [PLAIN, CHUNKED])
def test_an_answer_is_whole_only_at_its_end(whole: bytes) -> None:
    for end in range(len(whole)):
        assert parse_answer(bytearray(whole[:end])) is None
    found = parse_answer(bytearray(whole))
    assert found is not None
    answer, closes = found
    assert (answer.status, answer.body, closes) == (200, b"hello", False)


def test_it_is_told_that_the_peer_closes() -> None:
    found = parse_answer(bytearray(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
    assert found is not None
    assert (found[0].status, found[0].body, found[1]) == (204, b"", True)


@pytest.mark.parametrize(
    "received",
    [
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_answer_is_refused(received: bytes) -> None:
    with pytest.raises(NoAnswer):
        parse_answer(bytearray(received))


class Peer:
    """Answers each connection by a script: what is sent after each request; None closes."""

    def __init__(self, *scripts: list[bytes | None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.scripts = list(scripts)
        self.requests: list[bytes] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _serve(self) -> None:
        for script in self.scripts:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                for said in script:
                    if said is None:
                        break
                    received = b""
                    while b"\r\n\r\n" not in received:
                        part = peer.recv(65536)
                        if not part:
                            break
                        received += part
                    self.requests.append(received)
                    with suppress(OSError):
                        peer.sendall(said)


class Asking:
    """A channel, and what it told."""

    def __init__(self, address: str) -> None:
        self.selector = selectors.DefaultSelector()
        self.channel = Channel(Connection(address, "token"), self.selector)
        self.answers: list[Answer] = []
        self.failures: list[str] = []

    def ask(self, seconds: float = 10.0, body: bytes = b"{}") -> None:
        self.channel.ask("POST", "/v1", body, seconds, self.answers.append, self.failures.append)

    def close(self) -> None:
        self.channel.abandon()
        self.selector.close()

    def run(self, until: Callable[[], object]) -> None:
        end = time.monotonic() + 10
        while not until():
            assert time.monotonic() < end
            for key, mask in self.selector.select(0.01):
                key.data(mask)
            self.channel.look_at_clock(time.monotonic())


@pytest.fixture
def asked() -> Iterator[Callable[..., Asking]]:
    peers: list[Peer] = []
    made: list[Asking] = []

    def make(*scripts: list[bytes | None]) -> Asking:
        peers.append(Peer(*scripts))
        made.append(Asking(peers[-1].address))
        return made[-1]

    yield make
    for one in made:
        one.close()
    for peer in peers:
        peer.listener.close()


def test_requests_share_a_connection(asked: Callable[..., Asking]) -> None:
    one = asked([PLAIN, CHUNKED])
    for count in (1, 2):
        one.ask()
        assert one.channel.is_busy
        one.run(lambda count=count: len(one.answers) == count)  # type: ignore[misc]
        assert one.channel.is_free


def test_a_kept_connection_that_was_closed_is_opened_anew(asked: Callable[..., Asking]) -> None:
    one = asked([PLAIN], [PLAIN])
    one.ask()
    one.run(lambda: one.answers)
    time.sleep(0.05)
    one.ask()
    one.run(lambda: len(one.answers) == 2)
    assert one.failures == []


def test_a_gateway_in_trouble_is_left_alone_for_longer_each_time(asked: Callable[..., Asking]) -> None:
    away = b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n"
    one = asked(*[[away]] * 3, [PLAIN])
    pauses = []
    for count in (1, 2, 3):
        one.ask()
        one.run(lambda count=count: len(one.failures) == count)  # type: ignore[misc]
        pauses.append(one.channel.ready_at - time.monotonic())
        assert not one.channel.is_free
    assert one.failures == ["status 503"] * 3
    assert 0 < pauses[0] < 0.11
    assert pauses[2] > pauses[0]
    one.ask()
    one.run(lambda: one.answers)


def test_a_connection_that_is_refused_or_closed_is_a_failure(asked: Callable[..., Asking]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = Asking(f"http://127.0.0.1:{free.getsockname()[1]}")
    nobody.ask()
    assert "ConnectionRefusedError" in nobody.failures[0]
    nobody.close()
    closes = asked([None])
    closes.ask()
    closes.run(lambda: closes.failures)


def test_an_answer_that_does_not_come_is_given_up(asked: Callable[..., Asking]) -> None:
    one = asked([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b""])
    one.ask(seconds=0.2)
    one.run(lambda: one.failures)
    assert one.failures == ["no answer in time"]


def test_a_large_request_is_sent_in_pieces(asked: Callable[..., Asking]) -> None:
    one = asked([PLAIN])
    one.ask(body=b"x" * 3_000_000)
    one.run(lambda: one.answers or one.failures)
    assert [answer.body for answer in one.answers] == [b"hello"]


def test_what_is_abandoned_is_not_told(asked: Callable[..., Asking]) -> None:
    one = asked([PLAIN])
    one.ask()
    one.channel.abandon()
    assert (one.answers, one.failures, one.channel.is_busy) == ([], [], False)
