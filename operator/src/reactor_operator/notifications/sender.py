"""Sending facts to notifications: in order for each run, again where an attempt fails, dead after the last one.

In: what is still to be sent of a run, as often as anybody likes. Out: requests, and `NotificationEnded` in the inbox.
Never here: anything that a run waits for, or that is not in the outbox as well: a process that ends loses nothing.

Each notification of each run is a lane: what is first in it is delivered or dead before the next is sent.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reactor_operator.engine.actions import Notify
from reactor_operator.engine.events import NotificationEnded
from reactor_operator.engine.identity import digest_of
from reactor_operator.engine.launching import base_delay_ms
from reactor_operator.named_keys import KeyUnusable
from reactor_operator.notifications.posting import Post
from reactor_operator.notifications.run_event import CONTENT_TYPE, event_of, render_cloud_event
from reactor_operator.notifications.signing import HEADER, SigningKeys, sign
from reactor_operator.ports import About, Clock
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry, Inbox, StoreUnavailable

AGENT = "reactor-operator"
_AGAIN_SECONDS = 1.0
_LONGEST_AGAIN_SECONDS = 30.0
_log = logging.getLogger("reactor_operator.notifications")  # structlog would cost the laptop its start

Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class _Lane:
    """What waits for one notification of one run. `ended` are those that were reported and are still in the outbox."""

    about: About
    name: str
    waiting: list[Notify] = field(default_factory=list)
    ended: set[Notify] = field(default_factory=set)
    work: asyncio.Task[None] | None = None

    def first(self) -> Notify | None:
        """Return what is to be sent next."""
        return next((notice for notice in self.waiting if notice not in self.ended), None)


class Sender:
    """Sends what is offered, each run's in order, all runs side by side."""

    def __init__(
        self, *, inbox: Inbox, clock: Clock, keys: SigningKeys, post: Post, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._inbox = inbox
        self._clock = clock
        self._keys = keys
        self._post = post
        self._sleep = sleep
        self._lanes: dict[str, dict[str, _Lane]] = {}

    def offer(self, about: About, notices: Sequence[Notify]) -> None:
        """Take all that is still to be sent of a run, in order. What is no more among it is not sent any more."""
        uid = about.run.uid
        if not notices and uid not in self._lanes:
            return
        lanes = self._lanes.setdefault(uid, {})
        sorted_: dict[str, list[Notify]] = {name: [] for name in lanes}
        for notice in notices:
            sorted_.setdefault(notice.notification, []).append(notice)
        for name, waiting in sorted_.items():
            lane = lanes.setdefault(name, _Lane(about, name))
            lane.waiting = waiting
            lane.ended.intersection_update(waiting)
            if lane.work is None and lane.first() is not None:
                lane.work = asyncio.create_task(self._work(lane), name=f"notification {name} of {about.run.name}")
        for lane in list(lanes.values()):  # not before all are there: with the last lane the run's own dict goes
            self._tidy(lane)

    def distrust(self) -> None:
        """Forget what was reported: the store may not know of it any more."""
        for lanes in self._lanes.values():
            for lane in lanes.values():
                lane.ended.clear()

    def forget(self, uid: str) -> None:
        """Stop sending what is left of a run."""
        for lane in self._lanes.pop(uid, {}).values():
            if lane.work is not None:
                lane.work.cancel()

    async def close(self) -> None:
        """Stop. What is under way is not reported, and sent again by whoever comes next."""
        working = [lane.work for lanes in self._lanes.values() for lane in lanes.values() if lane.work is not None]
        for uid in list(self._lanes):
            self.forget(uid)
        await asyncio.gather(*working, return_exceptions=True)

    async def _work(self, lane: _Lane) -> None:
        """Send until nothing is left. An error of ours leaves the rest where it is, until it is offered again."""
        where = f"{lane.about.run.namespace}/{lane.about.run.name}"
        try:
            while (notice := lane.first()) is not None:
                problem = await self._deliver(lane.about, notice)
                if problem is not None:
                    _log.info("run %s: notification %s is dead: %s", where, notice.notification, problem)
                await self._report(lane.about, notice, problem)
                lane.ended.add(notice)
        except Exception:
            _log.exception("run %s: a notification cannot be sent: this is a bug", where)
        finally:
            lane.work = None
            self._tidy(lane)

    def _tidy(self, lane: _Lane) -> None:
        """Drop a lane in which nothing waits; the next offer makes another."""
        lanes = self._lanes.get(lane.about.run.uid, {})
        if lane.work is None and not lane.waiting and lanes.get(lane.name) is lane:
            del lanes[lane.name]
            if not lanes:
                del self._lanes[lane.about.run.uid]

    async def _deliver(self, about: About, notice: Notify) -> str | None:
        """Return None once it is delivered, else why the last attempt failed."""
        policy = notice.endpoint.retries
        body = render_cloud_event(event_of(about, notice.fact))
        attempt = 1
        while True:
            try:
                headers = self._headers(notice, body)
            except KeyUnusable as problem:
                return str(problem)
            problem_ = await self._post(notice.endpoint.url, body, headers, notice.endpoint.timeout_ms)
            if problem_ is None:
                return None
            if attempt >= policy.max_attempts:
                return problem_ + (f" (after {attempt} attempts)" if attempt > 1 else "")
            await self._sleep(_pause_ms(about, notice, attempt) / 1000)
            attempt += 1

    def _headers(self, notice: Notify, body: bytes) -> Mapping[str, str]:
        headers = {"Content-Type": CONTENT_TYPE, "User-Agent": AGENT}
        if notice.endpoint.key:
            second = self._clock.now() // 1000
            headers[HEADER] = sign(self._keys.find(notice.endpoint.key), body, second)
        return headers

    async def _report(self, about: About, notice: Notify, problem: str | None) -> None:
        """Record what became of it. While the store is away the lane waits: the order of events depends on it."""
        fact = notice.fact
        ended = NotificationEnded(
            notification=notice.notification,
            sequence=fact.sequence,
            kind=fact.kind,
            delivered=problem is None,
            message=problem or "",
        )
        digest = digest_of("notification", notice.notification, fact.sequence)
        entry = Entry(run=about.run.uid, digest=digest, body=encode_event(ended))
        pause = _AGAIN_SECONDS
        while True:
            try:
                await self._inbox.append(entry)
            except StoreUnavailable:
                await self._sleep(pause)
                pause = min(pause * 2, _LONGEST_AGAIN_SECONDS)
            else:
                return


def _pause_ms(about: About, notice: Notify, attempt: int) -> int:
    """Return the pause after an attempt, shortened by up to the policy's jitter, which differs from run to run."""
    policy = notice.endpoint.retries
    delay = base_delay_ms(policy, attempt)
    fraction = int(digest_of("notify", about.run.uid, notice.fact.sequence, attempt)[:8], 16) / 2**32
    return delay - int(delay * policy.jitter_percent / 100 * fraction)
