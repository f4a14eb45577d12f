"""What people ask of a run of which nothing is stored yet: it waits for its Reactor, for its turn or for another run.

In: its requests, and its status. Out: the answers; and which request stays on the object though it is answered: nothing
else remembers that the run is to hold still once it starts, or is not.
Never here: a decision that the engine takes once the run is stored.
"""

from collections.abc import Mapping, Sequence

from reactor_operator.engine.events import Signal, SuspendRequested
from reactor_operator.engine.signals import answer_unstarted
from reactor_operator.engine.state import RunPhase, SignalAnswer
from reactor_operator.kube.fields import maps_at, text_at
from reactor_operator.reconciling.signals import Request


def in_order(requests: Sequence[Request], status: Mapping[str, object]) -> list[Request]:
    """Return the requests in the order in which they were answered, and then the others: the last word is last."""
    answered = maps_at(status, "signals")
    places = {(text_at(one, "id"), text_at(one, "action")): place for place, one in enumerate(answered)}
    return sorted(requests, key=lambda one: places.get((one.id, one.action), len(places)))


def is_kept(asked: Request, requests: Sequence[Request], status: Mapping[str, object]) -> bool:
    """Tell whether an answered request stays: the last word about suspending, as long as the run waits to start."""
    if text_at(status, "phase") != RunPhase.PENDING:
        return False
    words = [one for one in in_order(requests, status) if isinstance(one.event, SuspendRequested)]
    return words[-1:] == [asked]


def answers_to(asked: Sequence[Signal], now: int, *, suspended: bool) -> tuple[SignalAnswer, ...]:
    """Return the answers to what is asked, in order, of a run that is to start `suspended` as its spec says."""
    answers = []
    for event in asked:
        answers.append(answer_unstarted(event, now, suspended=suspended))
        suspended = event.suspended if isinstance(event, SuspendRequested) else suspended
    return tuple(answers)
