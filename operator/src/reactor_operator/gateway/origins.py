"""Whether a request comes from a page of this very address: what a person is let in by, a browser sends for pages of
other sites too.

In: the headers of a request. Out: nothing, or a `Refusal` (403). Never here: who asks; a program that is no browser
sends none of these headers but the one of ours, which no page of another origin can send without being asked first.
"""

from urllib.parse import urlsplit

from starlette.requests import Request

from reactor_operator.gateway.bodies import Refusal

HEADER, VALUE = "X-Reactor-Request", "1"
_PORTS = {"http": ":80", "https": ":443"}
_OWN_SITES = ("same-origin", "none")


def refuse_other_pages(http: Request) -> None:
    """Return where no browser says that a page of elsewhere asks. Raises Refusal (403).

    Only host and port are compared: whoever ends TLS speaks another scheme to us than the browser did to them.
    """
    site = http.headers.get("sec-fetch-site", "none")
    if site not in _OWN_SITES:
        raise Refusal(
            403, f"header Sec-Fetch-Site: found {site[:64]!r}, expected same-origin: a page of elsewhere asks"
        )
    origin, host = http.headers.get("origin"), http.headers.get("host", "")
    if origin is not None and not _is_of(origin, host):
        raise Refusal(403, f"header Origin: found {origin[:256]!r}, expected that of Host, {host[:256]!r}")


def require_ours(http: Request) -> None:
    """Return where the header is there that only a page of this address, or a program, can send.

    Raises Refusal (403).
    """
    if http.headers.get(HEADER) != VALUE:
        found = http.headers.get(HEADER)
        shown = "none" if found is None else repr(found[:64])
        raise Refusal(
            403, f"header {HEADER}: found {shown}, expected {VALUE}, which says that no form of elsewhere asks"
        )


def _is_of(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    default = _PORTS.get(parts.scheme)
    if default is None or not parts.netloc:
        return False
    return parts.netloc.lower().removesuffix(default) == host.lower().removesuffix(default)
