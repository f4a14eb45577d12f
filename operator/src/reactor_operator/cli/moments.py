"""Times and durations as people read them.

In: RFC 3339 text, seconds. Out: short text (`0.2s`, `1m05s`, `3d`). Never here: the clock.
"""

from datetime import UTC, datetime


def parse_moment(text: str) -> float | None:
    """Return seconds since the epoch, None for what is no RFC 3339 time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def render_moment(ms: int) -> str:
    """Return milliseconds since the epoch as RFC 3339 in whole seconds, as Kubernetes writes times."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def render_took(seconds: float) -> str:
    """Return how long something took: tenths below ten seconds, then the two largest units."""
    if seconds < 0.95:
        return f"{max(seconds, 0):.2f}s" if seconds < 0.095 else f"{seconds:.1f}s"
    return f"{seconds:.1f}s" if seconds < 9.95 else render_whole(seconds)


def render_whole(seconds: float) -> str:
    """Return a time that is known in whole seconds only, in its two largest units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def render_age(seconds: float) -> str:
    """Return an age as kubectl does: one unit, two below three minutes or so."""
    whole = max(int(seconds), 0)
    if whole < 120:
        return f"{whole}s"
    if whole < 600:
        return f"{whole // 60}m{whole % 60}s" if whole % 60 else f"{whole // 60}m"
    if whole < 3 * 3600:
        return f"{whole // 60}m"
    return f"{whole // 3600}h" if whole < 48 * 3600 else f"{whole // 86400}d"
