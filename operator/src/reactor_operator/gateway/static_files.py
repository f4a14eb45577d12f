"""The dashboard's built files, to whoever asks: they hold nothing, and every word of data is asked for beside them.

In: a folder that `make dashboard` filled. Out: routes for `/` and everything below `/dashboard`, each answer with the
headers that keep a page to itself. Never here: data; a file that was not there at the start, or is outside the folder.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

BUILT = Path(__file__).parent / "static"
HOME = "/dashboard/"
_INDEX = "index.html"
_HASHED = "assets/"
"""Files below it have a hash of what they hold in their names."""
_WORTH_PACKING = 1_024
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_UNPACKED = frozenset({".ico", ".png", ".woff2"})
_CONTENT_SECURITY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "worker-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_DENIED = ("camera", "clipboard-read", "display-capture", "geolocation", "microphone", "payment", "usb")
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "; ".join(f"{name} {allowed}" for name, allowed in _CONTENT_SECURITY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{name}=()" for name in _DENIED),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_NOT_BUILT = "The dashboard is not built: run `make dashboard` in the checkout, or install the released package."


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is sent. `packed`: with gzip, where that makes it smaller."""

    body: bytes
    packed: bytes | None
    media_type: str
    tag: str
    hashed: bool


class StaticFiles:
    """Serves files, all of which are read at once: no name that is asked for ever becomes a path."""

    def __init__(self, folder: Path = BUILT) -> None:
        self._files = {
            file.relative_to(folder).as_posix(): _read(file, file.relative_to(folder).as_posix())
            for file in sorted(folder.rglob("*"))
            if file.is_file() and not file.is_symlink() and not file.name.startswith(".")
        }

    def routes(self) -> list[Route]:
        """Return the routes."""
        methods = ("GET", "HEAD")
        return [
            Route("/", _home, methods=methods),
            Route(HOME.rstrip("/"), _home, methods=methods),
            Route(HOME + "{rest:path}", self.serve, methods=methods),
        ]

    async def serve(self, http: Request) -> Response:
        """Return a file; of every address that is none the page itself, which knows what to show there."""
        asked = http.path_params["rest"]
        found = self._files.get(asked)
        if found is None and not asked.startswith(_HASHED):
            found = self._files.get(_INDEX)
        if found is None:
            words = _NOT_BUILT if _INDEX not in self._files else "There is no such file."
            return PlainTextResponse(words + "\n", 404, headers={**PAGE_HEADERS, "Cache-Control": "no-store"})
        return _sent(found, http)


async def _home(_: Request) -> Response:
    return RedirectResponse(HOME, 307, headers={**PAGE_HEADERS, "Cache-Control": "no-store"})


def _read(file: Path, name: str) -> _File:
    body, suffix = file.read_bytes(), PurePosixPath(name).suffix
    packed = None
    if suffix not in _UNPACKED and len(body) >= _WORTH_PACKING:
        packed = gzip.compress(body, 6, mtime=0)
    return _File(
        body=body,
        packed=packed if packed is not None and len(packed) < len(body) else None,
        media_type=_TYPES.get(suffix, "application/octet-stream"),
        tag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        hashed=name.startswith(_HASHED),
    )


def _sent(found: _File, http: Request) -> Response:
    kept = "public, max-age=31536000, immutable" if found.hashed else "no-cache"
    headers = {**PAGE_HEADERS, "Cache-Control": kept, "ETag": found.tag, "Vary": "Accept-Encoding"}
    if found.tag in http.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    packed = found.packed if "gzip" in http.headers.get("accept-encoding", "") else None
    if packed is not None:
        headers["Content-Encoding"] = "gzip"
    return Response(found.body if packed is None else packed, headers=headers, media_type=found.media_type)
