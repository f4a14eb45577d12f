"""People who resume the interrupts that they read of: with good payloads and bad ones, twice, and at the last moment;
or skip them.

In: the status of runs, as it is told. Out: requests, by an annotation or an entry of the status. Never here: what an
operator knows and did not tell.
"""

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING

import orjson

from reactor_operator.engine import events as ev
from reactor_operator.engine.values import reference_to
from reactor_operator.kube.fields import maps_at, text_at
from reactor_operator.kube.moments import parse_moment
from tests.simulation.asked import places_in
from tests.simulation.coverage import Fault

if TYPE_CHECKING:
    from tests.simulation.world import World

BAD = {"approved": "perhaps"}
SHARE = 0.08
"""How often somebody who could resume something does, each time that something happens."""
STANDING = 40
"""Requests of a run that may stand unanswered at once: more than it keeps answers."""


class Resumers:
    """All who resume. `sent` numbers what they say; `trusted`: only what is sure to be taken is said."""

    def __init__(self, world: "World", random: Random, *, trusted: bool) -> None:
        self._world = world
        self._random = random
        self._trusted = trusted
        self._sent = 0
        self._last: dict[str, tuple[ev.ResumeRequested, str]] = {}

    def act(self) -> bool:
        """Somebody resumes something, now and then; False where nobody does."""
        told = list(self._told())
        if not told or self._random.random() > SHARE:
            return False
        uid, interrupt = self._random.choice(told)
        dice = self._random.random()
        if dice < 0.3 and not self._trusted and self._wait_for_the_end_of(interrupt):
            self._resume(uid, text_at(interrupt, "step"))
            if self._random.random() < 0.4:
                self._world.people.ask(uid, ev.CancelRequested(id="", reason="at last"), f"race{self._sent}")
        elif dice < 0.34 and not self._trusted:
            self._sent += 1
            skip = ev.SkipRequested(id="", step=text_at(interrupt, "step"))
            self._world.people.say(uid, skip, f"skip{self._sent}", in_status=self._random.random() < 0.5)
        elif dice < 0.4 and uid in self._last:
            request, name = self._last[uid]
            self._world.people.say(uid, request, name, in_status=self._random.random() < 0.5)
        else:
            self._resume(uid, text_at(interrupt, "step"))
        return True

    def resume_all(self) -> None:
        """The faults are over: whatever waits is resumed, with a payload that it takes."""
        for uid, interrupt in list(self._told()):
            self._resume(uid, text_at(interrupt, "step"), good=True)

    def _told(self) -> Iterator[tuple[str, dict[str, object]]]:
        for uid, run in sorted(self._world.cluster.runs.items()):
            if len(places_in(run)) > STANDING:
                continue
            for interrupt in maps_at(run.status, "interrupts"):
                yield uid, dict(interrupt)

    def _wait_for_the_end_of(self, interrupt: dict[str, object]) -> bool:
        """Wait until the very moment at which it is closed; False where that is far away or never."""
        cluster = self._world.cluster
        at = parse_moment(text_at(interrupt, "expiresAt")) if "expiresAt" in interrupt else None
        if at is None or not 0 <= at - cluster.now_ms < 30_000:
            return False
        cluster.pass_to(at - self._random.randrange(2))
        cluster.coverage.note(Fault.RESUME_RACED)
        return True

    def _resume(self, uid: str, step: str, *, good: bool = False) -> None:
        self._sent += 1
        bad = not good and not self._trusted and self._random.random() < 0.6
        payload = {**BAD, "number": self._sent} if bad else {"approved": True, "number": self._sent}
        request = ev.ResumeRequested(
            id="",
            step=step,
            payload=self._world.people.write(payload),
            mild=not good and self._random.random() < 0.2,
            dry_run=not good and self._random.random() < 0.1,
        )
        filled = reference_to(orjson.dumps({**payload, "note": "none"}))
        self._world.ledger.resumes.asked(uid, step, request.payload, filled)
        name = f"resume{self._sent}"
        self._last[uid] = (request, name)
        self._world.people.say(uid, request, name, in_status=self._random.random() < 0.5)
        if not good and self._random.random() < 0.3:
            self._world.faults.follow()
