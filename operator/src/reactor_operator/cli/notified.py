"""What became of the events of a run that were to be told to endpoints, in one line.

In: a view of a run. Out: text, empty where there is nothing to say. Never here: sending.
"""

from reactor_operator.cli.run_view import RunView
from reactor_operator.engine.failures import printable
from reactor_operator.kube.fields import int_at, map_at, text_at


def count_pending(run: RunView) -> int:
    """Return how many events are still to be delivered."""
    return int_at(run.status, "notifications", "pending") or 0


def render_notified(run: RunView) -> str:
    """Return `2 delivered, 1 pending, 1 dead (audit, run.failed: why)`; empty where nothing was to be told."""
    told = map_at(run.status, "notifications")
    counts = [(int_at(told, name) or 0, name) for name in ("delivered", "pending", "dead")]
    line = ", ".join(f"{count} {name}" for count, name in counts if count)
    last = map_at(told, "lastFailure")
    if last:
        why = printable(" ".join(text_at(last, "message").split()))
        line += f" ({text_at(last, 'notification')}, {text_at(last, 'event')}: {why})"
    return line


def render_undelivered(run: RunView) -> str:
    """Return what was not delivered, empty where all was."""
    dead = int_at(run.status, "notifications", "dead") or 0
    return f"notifications of {run.name}: {render_notified(run)}" if count_pending(run) or dead else ""
