"""Times as the API server writes them (RFC 3339, whole seconds or micros) and as the engine counts them (int ms).

In: text or int milliseconds. Out: the other. Never here: the present.
"""

from datetime import UTC, datetime
from functools import lru_cache


def parse_moment(text: str) -> int | None:
    """Return ms since the epoch, None where `text` is no time or a zero one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None or moment.year < 1971:
        return None
    return int(moment.timestamp() * 1000)


def render_moment(ms: int) -> str:
    """Return `2026-01-31T12:00:00Z` for int ms since the epoch; status shows whole seconds."""
    return _render_second(ms // 1000)


def render_moment_ms(ms: int) -> str:
    """Return `2026-01-31T12:00:00.250Z` for int ms since the epoch."""
    return f"{_render_second(ms // 1000)[:-1]}.{ms % 1000:03}Z"


@lru_cache(maxsize=4096)
def _render_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def render_micros(ms: int) -> str:
    """Return the time with six digits after the second, as Leases carry it (`MicroTime`)."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
