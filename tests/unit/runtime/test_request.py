"""What is sent is what was told, to the byte; what cannot be sent as it was told is refused before anything is sent."""

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.request import Address, Refused, without_secrets
from tests.unit.runtime.asked import failure_of, outcome_of, result_of
from tests.unit.runtime.service import Service, raw_service, serving

VISIBLE = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\x85")
TEXT = st.text(VISIBLE, max_size=40).map(str.strip)
NAMES = st.from_regex(r"X-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}", fullmatch=True)
PATHS = st.text(st.sampled_from("abcXYZ019-._~!$&'()*+,;=:@/%"), max_size=30)


def test_a_request_with_a_body_is_sent_as_it_was_told() -> None:
    with raw_service() as (address, heard):
        told: dict[str, Any] = {"headers": [["Accept", "a/b"], ["X-N", "7"]], "body": '{"a":"é"}'}
        outcome_of(f"{address}/a/b?x=1&y=%20#part", bodyType="application/json", **told)
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert body == '{"a":"é"}'.encode()
    assert head.decode().split("\r\n") == [
        "POST /a/b?x=1&y=%20 HTTP/1.1",
        f"Host: {address.removeprefix('http://')}",
        "Accept: a/b",
        "X-N: 7",
        "Idempotency-Key: key-1",
        "User-Agent: reactor-runtime",
        "Content-Type: application/json",
        "Accept-Encoding: identity",
        "Content-Length: 10",
        "Connection: close",
    ]


def test_a_request_without_a_body_says_so_only_where_one_is_expected() -> None:
    with raw_service() as (address, heard):
        outcome_of(address, method="GET")
        outcome_of(address, method="DELETE")
    get, delete = (one.decode().split("\r\n") for one in heard)
    assert get[0] == "GET / HTTP/1.1"
    assert not [line for line in get if line.startswith("Content-")]
    assert [line for line in delete if line.startswith("Content-")] == ["Content-Length: 0"]


@given(
    path=PATHS,
    query=PATHS,
    headers=st.dictionaries(NAMES, TEXT, max_size=4),
    body=st.none() | st.text(st.characters(codec="utf-8"), max_size=200),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
)
def test_whatever_is_told_is_sent_to_the_byte(
    path: str, query: str, headers: dict[str, str], body: str | None, method: str
) -> None:
    with raw_service() as (address, heard):
        told: dict[str, Any] = {} if body is None else {"body": body, "bodyType": "text/plain"}
        outcome_of(f"{address}/{path}?{query}", method=method, headers=[list(pair) for pair in headers.items()], **told)
    head, _, sent = heard[0].partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert first.decode() == f"{method} /{path}{f'?{query}' if query else ''} HTTP/1.1"
    assert sent == (body or "").encode()
    ours = {"Host", "Idempotency-Key", "User-Agent", "Content-Type", "Accept-Encoding", "Content-Length", "Connection"}
    pairs = [line.decode().partition(": ") for line in lines]
    assert [(name, text) for name, _, text in pairs if name not in ours] == list(headers.items())


def test_a_large_body_arrives_whole() -> None:
    with raw_service() as (address, heard):
        outcome_of(address, body="x" * 3_000_000, bodyType="text/plain")
    assert heard[0].partition(b"\r\n\r\n")[2] == b"x" * 3_000_000


@pytest.mark.parametrize("action", ["compensate", "undo"])
def test_what_reverses_sends_its_own_key_and_that_of_the_action_it_reverses(action: str) -> None:
    with serving(Service()) as service:
        variables = {"REACTOR_ACTION": action, "REACTOR_IDEMPOTENCY_KEY": "key-2", "REACTOR_FORWARD_KEY": "key-1"}
        outcome_of(service.address, variables=variables)
        outcome_of(service.address)
    first, second = (asked.headers for asked in service.asked)
    assert (first["Idempotency-Key"], first["Reactor-Forward-Key"]) == ("key-2", "key-1")
    assert "Reactor-Forward-Key" not in second


def test_a_request_says_its_place_in_the_trace_unless_its_author_says_another() -> None:
    with serving(Service()) as service:
        outcome_of(service.address, variables={"TRACEPARENT": "00-a-b-01"})
        outcome_of(service.address, variables={"TRACEPARENT": "00-a-b-01"}, headers=[["Traceparent", "mine"]])
        outcome_of(service.address)
    told = [{name.lower(): text for name, text in asked.headers.items()}.get("traceparent") for asked in service.asked]
    assert told == ["00-a-b-01", "mine", None]


def test_a_header_of_a_secret_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_HEADER_0", "Bearer s3cret\n")
    with serving(Service()) as service:
        outcome_of(service.address, references={"Authorization": "REACTOR_HEADER_0"})
    assert service.asked[0].headers["Authorization"] == "Bearer s3cret"


def test_a_secret_that_is_not_there_is_told_and_nothing_is_sent() -> None:
    with serving(Service()) as service:
        failure = failure_of(service.address, references={"Authorization": "REACTOR_HEADER_0"})
    assert failure["kind"] == "InvalidArguments"
    assert "run.http: header Authorization" in failure["message"]
    assert service.asked == []


def test_credentials_in_the_address_become_a_header_unless_there_is_one() -> None:
    with serving(Service()) as service:
        url = service.address.replace("http://", "http://ann:p%40ss@")
        outcome_of(url)
        outcome_of(url, headers=[["authorization", "own"]])
    assert service.asked[0].headers["Authorization"] == f"Basic {b64encode(b'ann:p@ss').decode()}"
    assert service.asked[0].headers["Host"] == service.address.removeprefix("http://")
    assert service.asked[1].headers["authorization"] == "own"
    assert "Authorization" not in service.asked[1].headers


def test_what_is_not_ascii_in_a_path_is_percent_encoded_and_all_else_stays() -> None:
    with serving(Service()) as service:
        assert result_of(f"{service.address}/caf\u00e9/%7E?q=\u00fc%20+") == {}
    assert service.asked[0].target == "/caf%C3%A9/%7E?q=%C3%BC%20+"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://shop/a", "http:// or https://"),
        ("file:///etc/passwd", "http:// or https://"),
        ("shop/a", "http:// or https://"),
        ("http:shop", "http:// or https://"),
        ("http://", "expected a name"),
        ("http:///a", "expected a name"),
        ("http://:80/", "expected a name"),
        ("http://sh\u00f6p/", "ASCII"),
        ("http://shop:port/", "cannot be read"),
        ("http://shop:99999/", "cannot be read"),
        ("http://[::1/", "cannot be read"),
        ("http://shop/a b", "percent-encode"),
        ("http://shop/a\r\nX-Evil: 1", "percent-encode"),
        ("http://shop/a\n", "percent-encode"),
        ("http://shop/\x00", "percent-encode"),
        ("http://shop/\x7f", "percent-encode"),
        ("http://shop/\x85", "percent-encode"),
        ("http://good\\@evil/", "percent-encode"),
    ],
)
def test_an_address_that_cannot_be_sent_as_it_is_is_refused(url: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        Address(url)


def test_an_address_that_is_refused_is_not_told_with_its_credentials() -> None:
    for url in ("ftp://ann:s3cret@shop/?s3cret", "http://ann:s3cret@shop:port/?s3cret", "http://ann:s3cret@sh\u00f6p/"):
        with pytest.raises(Refused) as refused:
            Address(url)
        assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\x1b[31m", "a\x85b"])
def test_a_header_with_a_control_character_is_refused_and_nothing_is_sent(text: str) -> None:
    with serving(Service()) as service:
        failure = failure_of(service.address, headers=[["X-A", text]])
    assert (failure["kind"], failure["retryable"]) == ("InvalidArguments", False)
    assert "step charge: run.http: header X-A: found a control character" in failure["message"]
    assert service.asked == []


def test_a_secret_with_a_control_character_is_refused_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_HEADER_0", "s3cret\nX-Evil: 1")
    with serving(Service()) as service:
        failure = failure_of(service.address, references={"Authorization": "REACTOR_HEADER_0"})
    assert service.asked == []
    assert failure["kind"] == "InvalidArguments"
    assert "s3cret" not in str(failure)


def test_an_address_of_ip_version_6_is_read() -> None:
    address = Address("http://[::1]:8080/x")
    assert (address.host, address.port, address.host_header) == ("::1", 8080, "[::1]:8080")


def test_what_people_read_of_an_address_has_no_query_and_no_credentials() -> None:
    assert Address("https://ann:secret@shop/a?token=secret#x").shown == "https://shop/a"
    assert without_secrets("https://ann:secret@shop/a@b?token=secret") == "https://shop/a@b"
