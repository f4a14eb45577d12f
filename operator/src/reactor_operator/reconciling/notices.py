"""Orders to tell notifications: which are open, and which are answered by what the inbox brought.

In: an outbox, events. Out: orders in sequence, names of orders that are done.
Never here: sending.
"""

from collections.abc import Sequence

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Effect, Notify
from reactor_operator.reconciling.records import KnownRun, notice_id


def apart(orders: dict[str, Effect]) -> tuple[dict[str, Effect], Sequence[Notify]]:
    """Return the orders that are performed at once, and the facts that are still to be sent, as they happened."""
    notices = [order for order in orders.values() if isinstance(order, Notify)]
    if notices:
        orders = {name: order for name, order in orders.items() if not isinstance(order, Notify)}
    return orders, notices


def answered(known: KnownRun, events: Sequence[ev.Event]) -> tuple[list[ev.Event], set[str]]:
    """Return the events to be decided on, and the orders that they say are done.

    A report of an order that is not in the outbox came twice, or speaks of a state that was lost: it does not count.
    """
    kept: list[ev.Event] = []
    done: set[str] = set()
    for event in events:
        if isinstance(event, ev.NotificationEnded):
            name = notice_id(event.notification, event.sequence)
            if name in done or name not in known.outbox:
                continue
            done.add(name)
        kept.append(event)
    return kept, done
