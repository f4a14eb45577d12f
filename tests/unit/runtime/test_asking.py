"""What comes of a request: the result, or a failure that says what is known of its effects (DESIGN 3.1)."""

import json
import socket
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from reactor.calling import Call, perform
from reactor.environment import TaskEnvironment
from tests.unit.runtime.asked import VARIABLES, failure_of, known, result_of
from tests.unit.runtime.service import Misbehaviour, Service, free_port, serving

CERTAIN, CERTAIN_FOR_GOOD = ("Http", "certain", True), ("Http", "certain", False)
UNCERTAIN = ("Http", "uncertain", True)
OK = b"HTTP/1.1 200 OK\r\n"
CERTIFICATE = Path(__file__).with_name("service.pem")


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (b'{"id": 7, "price": 1.5}', {"id": 7, "price": 1.5}),
        (b" [1]\n", [1]),
        (b"null", None),
        (b"", None),
        (b"  ", None),
        (b"plain", "plain"),
        ("gr\u00fcn".encode(), "gr\u00fcn"),
        (b"\xff", "\ufffd"),
        (b"NaN", "NaN"),
        (b"1e999", "1e999"),
        (b'"\\ud800"', '"\\ud800"'),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_an_answer_is_json_if_it_parses_else_one_string(body: bytes, result: object) -> None:
    with serving(Service(body=body)) as service:
        assert result_of(service.address) == result


@pytest.mark.parametrize(
    ("type_", "result"),
    [
        ("text/plain; charset=iso-8859-1", "caf\u00e9"),
        ("text/plain", "caf\ufffd"),
        ("text/plain; charset=x", "caf\ufffd"),
    ],
)
def test_text_is_read_in_the_charset_that_the_service_names(type_: str, result: str) -> None:
    with serving(Service(body=b"caf\xe9", headers={"Content-Type": type_})) as service:
        assert result_of(service.address) == result


def test_a_timeout_longer_than_a_socket_takes_is_no_fault() -> None:
    with serving(Service(body=b"7")) as service:
        assert result_of(service.address, timeoutMs=10**13) == 7


@pytest.mark.parametrize(("path", "result"), [(["items", 1, "id"], 7), (["items"], [{}, {"id": 7}]), (["none"], None)])
def test_the_result_may_be_a_part_of_the_answer(path: list[str | int], result: object) -> None:
    with serving(Service(body=b'{"items": [{}, {"id": 7}], "none": null}')) as service:
        assert result_of(service.address, resultPath=path) == result


@pytest.mark.parametrize(
    ("body", "path", "where"),
    [(b'{"a": {}}', ["a", "b"], "a.b"), (b"[1]", [1], "1"), (b"text", ["a"], "a"), (b"{}", [0], "0")],
)
def test_a_result_path_that_leads_nowhere_fails_the_step_for_good(body: bytes, path: list[Any], where: str) -> None:
    with serving(Service(body=body)) as service:
        failure = failure_of(service.address, resultPath=path)
    assert (failure["kind"], failure["retryable"]) == ("InvalidResult", False)
    assert f"leads nowhere in the answer at {where}:" in failure["message"]


def test_an_answer_that_is_sensitive_is_not_repeated_in_a_failure() -> None:
    with serving(Service(body=b"CANARY")) as service:
        environment = TaskEnvironment(VARIABLES)
        request = {"method": "GET", "url": service.address, "resultPath": ["a"]}
        sensitive = {"arguments": [], "result": True, "request": False}
        document = perform(Call(environment, {"arguments": {}, "request": request, "sensitive": sensitive}))
    assert b"leads nowhere in the answer at a" in document
    assert b"CANARY" not in document


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 204), ("DELETE", 205)])
def test_an_answer_without_a_body_is_null(method: str, status: int) -> None:
    with serving(Service(status=status, body=b"")) as service:
        assert result_of(service.address, method=method) is None


@pytest.mark.parametrize(
    ("codes", "status", "succeeds"),
    [(None, 200, True), (None, 299, True), (None, 300, False), ([201, 404], 404, True), ([201, 404], 200, False)],
)
def test_success_is_2xx_unless_codes_are_listed(codes: list[int] | None, status: int, succeeds: bool) -> None:
    with serving(Service(status=status)) as service:
        if succeeds:
            assert result_of(service.address, successCodes=codes) == {}
        else:
            assert known(failure_of(service.address, successCodes=codes)) == UNCERTAIN


@pytest.mark.parametrize(
    ("status", "said"),
    [
        *[(status, CERTAIN_FOR_GOOD) for status in (400, 401, 403, 404, 408, 409, 410, 422, 451, 499)],
        (429, CERTAIN),
        *[(status, UNCERTAIN) for status in (300, 302, 304, 500, 501, 502, 503, 504, 599)],
    ],
)
def test_what_is_known_of_a_request_by_the_status_of_its_answer(status: int, said: object) -> None:
    with serving(Service(status=status, body=b"")) as service:
        assert known(failure_of(service.address)) == said


def test_a_failure_says_method_address_status_and_the_beginning_of_the_answer() -> None:
    body = "no\x00 \x1b[31m \r\n stock\u2028: " + "x" * 2000
    with serving(Service(status=409, body=body.encode())) as service:
        url = service.address.replace("http://", "http://ann:secret@") + "/orders/7?token=secret"
        failure = failure_of(url, method="PUT")
    shown = "no [31m stock : " + "x" * 484
    assert failure["message"] == f"PUT {service.address}/orders/7 answered 409 Conflict: {shown}"
    assert failure["detail"] == {
        "method": "PUT",
        "url": f"{service.address}/orders/7",
        "status": 409,
        "answer": shown,
    }
    assert "secret" not in json.dumps(failure)


def test_a_redirect_is_not_followed_and_says_where_it_points() -> None:
    with serving(Service()) as other, serving(Service(status=307)) as service:
        service.headers["Location"] = f"{other.address}/login?token=secret"
        failure = failure_of(service.address)
    assert other.asked == []
    assert known(failure) == UNCERTAIN
    assert f"answered 307 Temporary Redirect and points to {other.address}/login;" in failure["message"]
    assert "secret" not in failure["message"]


def test_the_text_of_a_secret_that_the_service_repeats_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_HEADER_0", "Bearer s3cret-token")
    told = {"references": {"Authorization": "REACTOR_HEADER_0"}}
    body = b'got "Bearer s3cret-token", and s3cret-token is unknown'
    with serving(Service(status=403, body=body, headers={"Location": "/s3cret-token"})) as service:
        failure = failure_of(service.address, **told)
        service.status = 302
        redirect = failure_of(service.address, **told)
    assert failure["detail"]["answer"] == 'got "***", and *** is unknown'
    assert "s3cret" not in json.dumps([failure, redirect])


def test_nothing_was_sent_where_nobody_listens() -> None:
    failure = failure_of(f"http://127.0.0.1:{free_port()}/x")
    assert known(failure) == CERTAIN
    assert "/x: cannot connect: ConnectionRefusedError" in failure["message"]


def test_nothing_was_sent_where_the_host_has_no_address() -> None:
    failure = failure_of("http://shop.invalid/x")
    assert known(failure) == CERTAIN
    assert "POST http://shop.invalid/x: cannot connect: " in failure["message"]


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


def says(text: bytes) -> Misbehaviour:
    return lambda peer: peer.sendall(text)


@pytest.mark.parametrize(
    ("misbehaves", "why"),
    [
        (lambda _: None, "RemoteDisconnected"),
        (reset, "ConnectionResetError"),
        (says(b"SSH-2.0-OpenSSH\r\n"), "BadStatusLine"),
        (says(b"HTTP/1.1 abc\r\n\r\n"), "BadStatusLine"),
        (says(OK + b"Content-Length: 10\r\n\r\nabc"), "before the end of the answer"),
        (says(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"), "IncompleteRead"),
        (says(OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), "IncompleteRead"),
        (says(OK + b"X: " + b"x" * 70_000 + b"\r\n\r\n"), "LineTooLong"),
        (says(OK + b"X: y\r\n" * 200 + b"\r\n"), "100 headers"),
    ],
)
def test_an_answer_that_does_not_come_whole_leaves_it_open_what_was_done(misbehaves: Misbehaviour, why: str) -> None:
    with serving(Service(misbehaves=misbehaves)) as service:
        failure = failure_of(service.address)
    assert known(failure) == UNCERTAIN
    assert "no whole answer: " in failure["message"]
    assert why in failure["message"]


def silent(peer: socket.socket) -> None:
    peer.recv(1)


def drips(start: bytes, piece: bytes) -> Misbehaviour:
    def drip(peer: socket.socket) -> None:
        peer.sendall(start)
        peer.settimeout(0.02)
        while True:
            peer.sendall(piece)
            try:
                if not peer.recv(1):
                    return
            except TimeoutError:
                continue

    return drip


@pytest.mark.parametrize(
    "misbehaves",
    [
        silent,
        drips(b"", b"H"),
        drips(OK, b"X"),
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drips(OK + b"Content-Length: 1000\r\n\r\n", b"x"),
        drips(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    ],
)
def test_the_timeout_holds_for_the_whole_exchange_however_the_service_drips(misbehaves: Misbehaviour) -> None:
    with serving(Service(misbehaves=misbehaves)) as service:
        began = time.monotonic()
        failure = failure_of(service.address, timeoutMs=400)
    assert time.monotonic() - began < 5
    assert known(failure) == UNCERTAIN
    assert failure["message"].endswith("no whole answer: no end within 0.4s")


def test_a_failing_status_counts_even_where_the_rest_of_the_answer_never_comes() -> None:
    says_no = drips(b"HTTP/1.1 404 Not Found\r\n\r\n", b"x")
    with serving(Service(misbehaves=says_no)) as service:
        assert known(failure_of(service.address, timeoutMs=400)) == CERTAIN_FOR_GOOD


def test_a_service_that_answers_before_it_has_the_whole_body_is_heard() -> None:
    with serving(Service(misbehaves=says(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"))) as service:
        assert known(failure_of(service.address, body="x" * 10)) == CERTAIN_FOR_GOOD


def endless(head: bytes, piece: bytes) -> Misbehaviour:
    def send(peer: socket.socket) -> None:
        peer.sendall(head)
        while True:
            peer.sendall(piece)

    return send


CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"


@pytest.mark.parametrize(
    ("misbehaves", "why"),
    [
        (endless(OK + b"Content-Length: 104857600\r\n\r\n", b"x" * 65536), "has 104857600 bytes"),
        (endless(OK + b"\r\n", b"x" * 65536), "goes on"),
        (endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK), "goes on"),
    ],
)
def test_an_answer_that_is_too_large_fails_clearly_and_takes_no_memory(misbehaves: Misbehaviour, why: str) -> None:
    with serving(Service(misbehaves=misbehaves)) as service:
        tracemalloc.start()
        try:
            failure = failure_of(service.address)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert known(failure) == UNCERTAIN
    assert f"the answer {why}" in failure["message"]
    assert "expected at most 1048576 (1 MiB)" in failure["message"]
    assert peak < 8 << 20


def test_an_endless_answer_of_a_service_that_refuses_is_shown_by_its_beginning() -> None:
    with serving(Service(misbehaves=endless(b"HTTP/1.1 500 Oops\r\n\r\n", b"x" * 65536))) as service:
        failure = failure_of(service.address)
    assert known(failure) == UNCERTAIN
    assert failure["detail"]["answer"] == "x" * 500


def test_an_answer_of_just_the_limit_is_taken() -> None:
    with serving(Service(body=b"x" * (1 << 20))) as service:
        assert len(result_of(service.address)) == 1 << 20
        service.body += b"x"
        assert known(failure_of(service.address)) == UNCERTAIN


def date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("status", "after", "low", "high"),
    [
        (503, "7", 7_000, 7_000),
        (429, "0", 0, 0),
        (429, "99999", 3_600_000, 3_600_000),
        (503, "9" * 5000, 3_600_000, 3_600_000),
        (503, 100, 90_000, 100_000),
        (503, 1_000_000, 3_600_000, 3_600_000),
        (503, -100, 0, 0),
        (503, "soon", 0, 0),
        (503, "-5", 0, 0),
        (503, "\u0667", 0, 0),
        (503, "", 0, 0),
        (500, "7", 0, 0),
        (404, "7", 0, 0),
    ],
)
def test_how_long_the_service_wants_to_be_left_alone(status: int, after: str | int, low: int, high: int) -> None:
    """`after` is what the header says; a number stands for a date, so many seconds from now."""
    said = date(after) if isinstance(after, int) else after.encode().decode("latin-1")
    with serving(Service(status=status, headers={"Retry-After": said})) as service:
        assert low <= failure_of(service.address)["retryAfterMs"] <= high


def test_a_date_is_measured_by_the_clock_of_the_service() -> None:
    says_when = (
        b"HTTP/1.1 503 Later\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\n"
        b"Retry-After: Mon, 01 Jan 2001 00:00:30 GMT\r\nContent-Length: 0\r\n\r\n"
    )
    with serving(Service(misbehaves=says(says_when))) as service:
        assert failure_of(service.address)["retryAfterMs"] == 30_000


def test_tls_is_checked_against_the_authorities_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Service(body=b"7"), CERTIFICATE) as service:
        stranger = failure_of(service.address)
        assert known(stranger) == UNCERTAIN
        assert "no whole answer: SSLCertVerificationError" in stranger["message"]
        assert service.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert result_of(service.address) == 7


def test_a_service_that_speaks_no_tls_leaves_it_open_what_was_done() -> None:
    with serving(Service()) as service:
        assert known(failure_of(service.address.replace("http://", "https://"))) == UNCERTAIN


@pytest.mark.parametrize("told", [None, [], {}, {"method": "GET", "url": "http://a", "headers": [1]}])
def test_a_task_that_was_told_no_request_that_it_understands_never_started(told: object) -> None:
    outcome = json.loads(perform(Call(TaskEnvironment(VARIABLES), {"arguments": {}, "request": told})))
    assert outcome["failure"]["kind"] == "CannotStart"


@pytest.mark.parametrize(
    "before", [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n" * 3]
)
def test_what_a_service_says_on_the_way_is_not_its_answer(before: bytes) -> None:
    def misbehave(peer: socket.socket) -> None:
        peer.sendall(before + OK + b"Content-Length: 7\r\n\r\n" + b'{"a":1}')

    with serving(Service(misbehaves=misbehave)) as service:
        assert result_of(service.address) == {"a": 1}
