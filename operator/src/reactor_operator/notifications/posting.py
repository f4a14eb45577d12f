"""One request to an endpoint: sent within its time, and judged by its status alone.

In: an address, a body, headers. Out: None where it was delivered, else why not, in words without the address.
Never here: a second attempt; and never a redirect that is followed, or an answer that is read.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx

_AT_ONCE = 100
_AT_ONCE_PER_HOST = 10


class Post(Protocol):
    """Sends one request."""

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str], timeout_ms: int) -> str | None:
        """Return None where the endpoint took it, else why not."""


class HttpPost:
    """Implements `Post`. An endpoint that hangs takes at most ten of the hundred requests that may be under way."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str], timeout_ms: int) -> str | None:
        """Send it once its turn has come; the time that it may take counts from then."""
        host = urlsplit(url).netloc
        slots, users = self._hosts.get(host, (asyncio.Semaphore(_AT_ONCE_PER_HOST), 0))
        self._hosts[host] = slots, users + 1
        try:
            async with slots, self._slots:
                return await self._send(url, body, headers, timeout_ms)
        finally:
            _, users = self._hosts.pop(host)
            if users > 1:
                self._hosts[host] = slots, users - 1

    async def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            await self._client.aclose()

    def _opened(self) -> "httpx.AsyncClient":
        """Return the client. Proxies and SSL_CERT_FILE of the environment hold; how long a request may take is ours.

        What an endpoint wants to be remembered is not: runs of others post to it too.
        """
        if self._client is None:
            from http.cookiejar import CookieJar, DefaultCookiePolicy

            import httpx  # 0.1 s, which only those pay who notify

            self._client = httpx.AsyncClient(
                follow_redirects=False,
                timeout=httpx.Timeout(None),
                limits=httpx.Limits(max_keepalive_connections=20),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            )
        return self._client

    async def _send(self, url: str, body: bytes, headers: Mapping[str, str], timeout_ms: int) -> str | None:
        client = self._opened()
        import httpx

        try:
            async with (
                asyncio.timeout(timeout_ms / 1000),
                client.stream("POST", url, content=body, headers=dict(headers)) as answer,
            ):
                status = answer.status_code
        except TimeoutError:
            return f"no answer within {timeout_ms / 1000:g}s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as problem:
            return f"no answer: {type(problem).__name__}"
        if 200 <= status < 300:
            return None
        more = ": a redirect, which is not followed" if 300 <= status < 400 else ""
        return f"the endpoint answered {status}{more}"
