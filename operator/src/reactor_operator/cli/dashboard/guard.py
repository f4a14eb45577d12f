"""The way in to a dashboard on this machine: a key that opens once, from then on the cookie of that browser.

In: requests to a port of loopback, which every program and every page on this machine can make. Out: those of whoever
had the key, with the bearer token that the application behind asks for. Never here: a request under another host's
name (a page may have its own name led here), one that a page of elsewhere makes, or a word of data without the cookie.
"""

import hmac
import secrets
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from reactor_operator.cli.dashboard.answers import told
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.origins import refuse_other_pages
from reactor_operator.gateway.static_files import HOME, PAGE_HEADERS

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")
_KEY = "key"
_DATA = "/api/v1"
_USED = "This key was used already, or is of another time: open the address that the command printed last.\n"
_UNKNOWN = "this browser was not let in: open the address with its key that the command `reactor` printed last"


class Guard:
    """Stands before the application. `opened` is told the address with the next key each time one was used."""

    def __init__(self, app: ASGIApp, port: int, bearer: str, opened: Callable[[str], None]) -> None:
        self._app = app
        self._bearer = bearer
        self._secret = secrets.token_urlsafe(32)
        self._port = port
        self._opened = opened
        self._key = secrets.token_urlsafe(32)
        self._cookie = f"reactor-{port}"
        self._hosts = {f"{name}:{port}" for name in _NAMES} | (set(_NAMES) if port == 80 else set())

    @property
    def address(self) -> str:
        """The address that opens the dashboard, once."""
        return f"http://{HOST}:{self._port}{HOME}?{urlencode({_KEY: self._key})}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand the request on."""
        if scope["type"] != "http":
            return
        http = Request(scope, receive)
        answer = self._refused(http) if self._is_of_data(http) else self._page(http)
        if answer is None:
            await self._app(self._let_in(scope), receive, send)
        else:
            await answer(scope, receive, send)

    @staticmethod
    def _is_of_data(http: Request) -> bool:
        path = http.scope["path"]
        return not (path == "/" or path == HOME.rstrip("/") or path.startswith(HOME))

    def _page(self, http: Request) -> Response | None:
        """Return what is answered in place of a file of the page, None where that is served."""
        if http.headers.get("host", "").lower() not in self._hosts:
            return self._misdirected(http)
        key = http.query_params.get(_KEY)
        if key is None:
            return None
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            return PlainTextResponse(_USED, 403, headers={**PAGE_HEADERS, "Cache-Control": "no-store"})
        return self._open(http)

    def _open(self, http: Request) -> Response:
        self._key = secrets.token_urlsafe(32)
        self._opened(self.address)
        rest = urlencode([(name, value) for name, value in parse_qsl(http.url.query) if name != _KEY])
        headers = {**PAGE_HEADERS, "Cache-Control": "no-store"}
        answer = RedirectResponse(http.scope["path"] + (f"?{rest}" if rest else ""), 303, headers=headers)
        answer.set_cookie(self._cookie, self._secret, path=_DATA, httponly=True, samesite="strict")
        return answer

    def _refused(self, http: Request) -> Response | None:
        """Return why a request for data is refused, None where it is let in."""
        if http.headers.get("host", "").lower() not in self._hosts:
            return self._misdirected(http)
        try:
            refuse_other_pages(http)
        except Refusal as problem:
            return told(problem.code, str(problem))
        shown = http.cookies.get(self._cookie, "")
        if not hmac.compare_digest(shown.encode(), self._secret.encode()):
            return told(403, _UNKNOWN)  # not 401: no token that somebody could type in would help
        return None

    def _misdirected(self, http: Request) -> Response:
        found = http.headers.get("host", "")[:256]
        return told(403, f"header Host: found {found!r}, expected one of {', '.join(sorted(self._hosts))}")

    def _let_in(self, scope: Scope) -> Scope:
        """Return the request as the application knows who asks; the cookie is for nobody but us."""
        known = {**scope, "headers": [*scope["headers"]]}
        headers = MutableHeaders(scope=known)
        del headers["cookie"]
        del headers["authorization"]
        headers["authorization"] = f"Bearer {self._bearer}"
        return known
