"""The body of a request, up to a limit.

In: a request from anyone. Out: bytes, or a `Refusal`. Never here: more of it in memory than the limit.
"""

import asyncio
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request

BODY_LIMIT = 32 * 1024 * 1024
OUTCOME_LIMIT = BODY_LIMIT + 1024
"""A result of exactly BODY_LIMIT is allowed, and the document around it needs a little room."""
BODY_SECONDS = 120.0


class Refusal(Exception):
    """The request is answered with an error; the text goes to whoever sent it, `errors` beside it."""

    def __init__(
        self, code: int, message: str, headers: Mapping[str, str] | None = None, *, errors: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers
        self.errors = errors


async def read_body(http: Request, limit: int, seconds: float = BODY_SECONDS) -> bytes:
    """Return the body. Raises Refusal: 413 as soon as it is known to be longer than `limit` bytes, 408 where it takes
    longer than `seconds`."""
    announced = announced_size(http)
    if announced is not None and announced > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in http.stream():
                body += part
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise Refusal(408, f"the body did not arrive within {seconds:g} s", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise Refusal(400, "the connection ended before the body did") from None
    return bytes(body)


def announced_size(http: Request) -> int | None:
    """Return how long the body is said to be, None where it is not said."""
    announced = http.headers.get("content-length", "")
    return int(announced[:12]) if announced.isascii() and announced.isdecimal() else None


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body is larger than {limit} bytes", {"Connection": "close"})
