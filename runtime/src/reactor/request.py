"""The one request of an http action: what is sent, to the byte.

In: what the gateway told (see docs/protocol.md), the environment of the task and its variables. Out: a `Request`.
Never here: a connection, or a request that says something else than it was told: control characters, another scheme
than http and https, an address that can be read in two ways are refused before anything is sent.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote_to_bytes, urlsplit

from reactor.environment import TaskEnvironment

DEFAULT_TIMEOUT_SECONDS = 60.0
_SHOWN = 200
_PORTS = {"http": 80, "https": 443}


class Refused(Exception):
    """The request is not sent; the message says what is wrong with it. It never repeats the text of a Secret."""


class Address:
    """Where a request goes: `target` is what stands in its first line, `shown` what people may read of it."""

    __slots__ = ("credentials", "host", "host_header", "port", "secure", "shown", "target")

    def __init__(self, url: str) -> None:
        scheme, found, _ = url.partition("://")
        scheme = scheme.lower()
        if not found or scheme not in _PORTS:
            raise Refused(f"url: found {_cut(without_secrets(url))!r}, expected it to begin with http:// or https://")
        if any(is_control(character) or character in " \\" for character in url):
            raise Refused("url: found a control character, a space or a backslash; percent-encode it")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as problem:
            raise Refused(f"url: {_cut(without_secrets(url))!r} cannot be read: {problem}") from None
        credentials, _, place = parts.netloc.rpartition("@")
        if not parts.hostname or not place.isascii():
            raise Refused(f"url: found the host {_cut(place)!r}, expected a name in ASCII (punycode) or an address")
        self.secure = scheme == "https"
        self.host = parts.hostname
        self.port = port if port is not None else _PORTS[scheme]
        self.host_header = place
        self.credentials = unquote_to_bytes(credentials)
        path = _ascii(parts.path or "/")
        self.target = path if not parts.query else f"{path}?{_ascii(parts.query)}"
        self.shown = _cut(f"{scheme}://{place}{parts.path}")


class Request:
    """A request that may be sent.

    head, body:   its bytes.        secrets:    texts that no message may repeat.
    expected:     the status codes that mean success, None for 200 to 299.
    result_path:  the keys that lead to the result in the answer.
    """

    __slots__ = ("address", "body", "expected", "head", "method", "result_path", "secrets", "timeout_seconds")

    def __init__(self, told: Mapping[str, object], environment: TaskEnvironment, variables: Mapping[str, str]) -> None:
        self.method = str(told["method"])
        self.address = Address(str(told["url"]))
        body = told.get("body")
        self.body = body.encode("utf-8") if isinstance(body, str) else None
        self.expected = _codes(told.get("successCodes"))
        self.result_path = _keys(told.get("resultPath"))
        timeout_ms = told.get("timeoutMs")
        self.timeout_seconds = timeout_ms / 1000 if isinstance(timeout_ms, int) else DEFAULT_TIMEOUT_SECONDS
        references = dict(_references(told, variables))
        self.secrets = tuple(text for text in references.values() if text)
        written = [*_pairs(told.get("headers")), *references.items()]
        self.head = self._render([*written, *self._ours(told, written, environment)])

    def is_success(self, status: int) -> bool:
        """Return whether this status means success."""
        return 200 <= status <= 299 if self.expected is None else status in self.expected

    def _ours(
        self, told: Mapping[str, object], written: list[tuple[str, str]], environment: TaskEnvironment
    ) -> Iterator[tuple[str, str]]:
        """Yield the headers that we add, those that may be written otherwise only where they are not."""
        names = {name.lower() for name, _ in written}
        yield "Idempotency-Key", environment.idempotency_key
        if environment.action != "run":
            yield "Reactor-Forward-Key", environment.forward_key
        if environment.traceparent and "traceparent" not in names:
            yield "traceparent", environment.traceparent
        if "user-agent" not in names:
            yield "User-Agent", "reactor-runtime"
        if self.address.credentials and "authorization" not in names:
            yield "Authorization", f"Basic {b64encode(self.address.credentials).decode()}"
        if self.body is not None and "content-type" not in names:
            yield "Content-Type", str(told.get("bodyType", "application/json"))
        yield "Accept-Encoding", "identity"
        if self.body is not None or self.method not in ("GET", "HEAD"):
            yield "Content-Length", str(len(self.body or b""))
        yield "Connection", "close"

    def _render(self, headers: list[tuple[str, str]]) -> bytes:
        lines = [f"{self.method} {self.address.target} HTTP/1.1", f"Host: {self.address.host_header}"]
        for name, text in headers:
            if any(is_control(character) and character != "\t" for character in text):
                raise Refused(f"header {name}: found a control character in its text, expected one line")
            lines.append(f"{name}: {text}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def is_control(character: str) -> bool:
    """Return whether a character is a control character, those of Latin-1 included."""
    return character < " " or "\x7f" <= character <= "\x9f"


def without_secrets(url: str) -> str:
    """Return a URL (which may be no good one) without query, fragment and what stands before an @."""
    url = url.partition("?")[0].partition("#")[0]
    scheme, found, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}" if found else url


def _references(told: Mapping[str, object], variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the headers whose text is in a variable, of a Secret or ConfigMap. A newline at its end is none of it."""
    named = told.get("references")
    for name, variable in named.items() if isinstance(named, dict) else ():
        if variable not in variables:
            raise Refused(f"header {name}: there is no text for it: is the key in its Secret or ConfigMap?")
        yield name, variables[variable].rstrip("\r\n")


def _pairs(found: object) -> list[tuple[str, str]]:
    return [(str(name), str(text)) for name, text in found] if isinstance(found, list) else []


def _codes(found: object) -> frozenset[int] | None:
    return frozenset(found) if isinstance(found, list) else None


def _keys(found: object) -> tuple[str | int, ...]:
    return tuple(found) if isinstance(found, list) else ()


def _ascii(part: str) -> str:
    """Return a part of a URL with what is not ASCII percent-encoded, as RFC 3987 has it; all else stays."""
    return "".join(one if one.isascii() else quote(one) for one in part)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
