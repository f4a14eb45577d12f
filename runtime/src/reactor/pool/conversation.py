"""What a worker says to the gateway: it asks for leases, renews them, and reports (docs/protocol.md).

In: `Work`. Out: requests on two connections, one of which may wait for a lease. Never here: a report that is dropped
because the gateway was away, or a heartbeat that waits for a lease.
"""

import selectors
from json import dumps, loads
from time import monotonic, monotonic_ns

from reactor.connection import Answer, Connection
from reactor.gateway import quote
from reactor.pool.channel import Channel
from reactor.pool.held import Lease
from reactor.pool.outcomes import Outcome, render_report, told_log
from reactor.pool.saying import say
from reactor.pool.settings import PoolSettings
from reactor.pool.work import Work

LONG_POLL_SECONDS = 20.0
ANSWER_SECONDS = 60.0
_LONGEST_HEARTBEAT_SECONDS = 5.0
_LEASE_ENDS_SECONDS = 1.0
_TICK_SECONDS = 0.05
_IDLE_SECONDS = 1.0
_KNOWN = 50


class Conversation:
    """Speaks for one worker."""

    def __init__(self, settings: PoolSettings, work: Work, selector: selectors.BaseSelector) -> None:
        self._work = work
        self._worker = settings.worker
        connection = Connection(settings.gateway, settings.token)
        self._leasing = Channel(connection, selector)
        self._telling = Channel(connection, selector)
        namespace, _, name = settings.pool.partition("/")
        self._path = f"/v1/pools/{quote(namespace)}/{quote(name)}/"
        self._heartbeat_at = 0.0
        self._is_reports_turn = False
        """Whether a heartbeat was the last thing told: one that fails again and again keeps no report back."""
        self._drains_since: float | None = None
        self._is_away = False

    def go_on(self, now: float) -> None:
        """Say what is due."""
        for channel in (self._leasing, self._telling):
            channel.look_at_clock(now)
        self._drop_old(now)
        if self._leasing.is_free and (limit := self._work.lease_limit()) > 0:
            self._lease(limit)
        if not self._telling.is_free:
            return
        is_report_due = bool(self._work.outcomes) and self._due_in(now) <= 0
        if self._work.held.leases and now >= self._heartbeat_at and not (is_report_due and self._is_reports_turn):
            self._is_reports_turn = True
            self._heartbeat(now)
        elif is_report_due:
            self._is_reports_turn = False
            self._report()

    def pause(self, now: float) -> float:
        """Return for how long nothing is to be said unless something happens."""
        work = self._work
        pause = _TICK_SECONDS if work.held.count or work.is_draining else _IDLE_SECONDS
        if work.held.count:
            pause = min(pause, self._heartbeat_at - now)
        if work.outcomes and self._telling.is_free:
            pause = min(pause, self._due_in(now))
        for channel in (self._leasing, self._telling):
            if not channel.is_busy and channel.ready_at > now:
                pause = min(pause, channel.ready_at - now)
        return max(pause, 0.0)

    def has_ended(self, now: float) -> bool:
        """Return whether all is told, while the work is drained.

        A lease that is on its way is waited for: else nobody would have its tasks until it runs out.
        """
        if self._drains_since is None:
            self._drains_since = now
        if self._leasing.is_busy:
            if now < self._drains_since + _LEASE_ENDS_SECONDS:
                return False
            self._leasing.abandon()
        return self._work.is_resting and not self._work.outcomes and not self._telling.is_busy

    def close(self) -> None:
        """Close both connections."""
        self._leasing.abandon()
        self._telling.abandon()

    def _due_in(self, now: float) -> float:
        return self._work.outcomes.due_in(now, hurry=self._work.is_resting)

    def _lease(self, limit: int) -> None:
        self._work.forget_steps()
        known = list(self._work.held.steps)[-_KNOWN:]
        asked_at_ns = monotonic_ns()
        self._leasing.ask(
            "POST",
            f"{self._path}lease",
            dumps({"worker": self._worker, "limit": limit, "known": known}).encode(),
            LONG_POLL_SECONDS + ANSWER_SECONDS,
            lambda answer: self._leased(answer, asked_at_ns),
            self._away,
        )

    def _leased(self, answer: Answer, asked_at_ns: int) -> None:
        if not self._is_taken("lease", answer, self._leasing):
            return
        held_any = bool(self._work.held.leases)
        try:
            leases = self._work.held.take(answer.body, asked_at_ns)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            say(f"the gateway's answer to a lease is not understood: {problem!r}")
            self._leasing.rest()
            return
        if not held_any:
            self._heartbeat_at = monotonic() + self._heartbeat_seconds()
        self._work.take(leases)

    def _heartbeat_seconds(self) -> float:
        """Return how often leases are renewed: also soon enough to learn of what was closed meanwhile."""
        return min(self._work.held.seconds / 3, _LONGEST_HEARTBEAT_SECONDS)

    def _heartbeat(self, now: float) -> None:
        asked = list(self._work.held.leases.values())
        asked_at_ns = monotonic_ns()
        self._heartbeat_at = now + self._heartbeat_seconds()
        told: dict[str, object] = {"worker": self._worker, "leases": [lease.id for lease in asked]}
        printed = self._work.newly_printed()
        if printed:
            told["printed"] = [
                {"run": task.lease.run, "task": task.key, "proof": task.proof, "log": told_log(lines)}
                for task, lines in printed
            ]
        self._telling.ask(
            "POST",
            f"{self._path}heartbeat",
            dumps(told, ensure_ascii=False).encode(),
            ANSWER_SECONDS,
            lambda answer: self._renewed(answer, asked, asked_at_ns),
            self._away,
        )

    def _renewed(self, answer: Answer, asked: list[Lease], asked_at_ns: int) -> None:
        told = self._told("heartbeat", answer, "leases")
        if not isinstance(told, dict):
            return
        try:
            self._work.withdraw(self._work.held.renew(told, asked, asked_at_ns))
        except (ValueError, KeyError, TypeError) as problem:
            say(f"the gateway's answer to heartbeat is not understood: {problem!r}")
        self._work.renewed()

    def _report(self) -> None:
        batch = self._work.outcomes.next_batch()

        def away(words: str) -> None:
            self._work.outcomes.put_back(batch)
            self._away(words)

        self._telling.ask(
            "POST",
            f"{self._path}report",
            render_report(self._worker, batch),
            ANSWER_SECONDS,
            lambda answer: self._reported(answer, batch),
            away,
        )

    def _reported(self, answer: Answer, batch: list[Outcome]) -> None:
        outcomes, held = self._work.outcomes, self._work.held
        if answer.status in (400, 413):
            say(f"the gateway answered {answer.status} to report: {_text(answer)}")
            given_up = outcomes.refused(batch, answer.status, _text(answer))
            if given_up is not None:
                held.settle(given_up.task)
            return
        told = self._told("report", answer, "answers")
        if not isinstance(told, list):
            outcomes.put_back(batch)
            return
        for outcome, said in zip(batch, told, strict=False):
            if said not in ("recorded", "repeated") and not outcome.stopped:
                say(f"{outcome.task}: its outcome was not taken: {said}")
        for outcome in batch:
            held.settle(outcome.task)
        outcomes.accepted()

    def _told(self, verb: str, answer: Answer, name: str) -> object:
        """Return what the gateway told; None where it refused, or is not understood."""
        if not self._is_taken(verb, answer, self._telling):
            return None
        try:
            return loads(answer.body)[name]
        except (ValueError, KeyError, TypeError) as problem:
            say(f"the gateway's answer to {verb} is not understood: {problem!r}")
            self._telling.rest()
            return None

    def _is_taken(self, verb: str, answer: Answer, channel: Channel) -> bool:
        """Return whether the gateway took a request; where it refuses, it is left alone for a while."""
        if answer.status == 200:
            self._is_away = False
            return True
        say(f"the gateway answered {answer.status} to {verb}: {_text(answer)}")
        channel.rest()
        return False

    def _away(self, words: str) -> None:
        if not self._is_away:
            self._is_away = True
            say(f"the gateway does not answer: {words}")

    def _drop_old(self, now: float) -> None:
        for outcome in self._work.outcomes.too_old(now):
            say(f"{outcome.task}: nobody took its outcome")
            self._work.held.settle(outcome.task)


def _text(answer: Answer) -> str:
    return answer.body[:300].decode("utf-8", "replace").strip()
