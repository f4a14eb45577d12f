"""The store in Redis: what the operator and the gateway share on a cluster. Needs Redis 7.0 or newer, one primary.

In and out: as `port.py` says. Each call is one atomic script, so one round trip. Never here: an acknowledged write that
is not on disk (see `redis_connection`), or a key that `forget` and the installation's own few do not know
(docs/decisions/0002-redis-layout.md).
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from itertools import chain

import redis.exceptions
import structlog

from reactor_operator.store.port import (
    Appended,
    Claimed,
    Closed,
    Commit,
    Entry,
    Held,
    HistoryPage,
    OpenTask,
    Snapshot,
    StoreUnavailable,
)
from reactor_operator.store.redis_arguments import append_arguments, commit_arguments, flat, refuse
from reactor_operator.store.redis_connection import (
    Argument,
    Durability,
    Observe,
    RedisConnection,
    RedisOptions,
    Script,
    cancellable,
)
from reactor_operator.store.redis_keys import PARTS_OF_A_RUN, Keys
from reactor_operator.store.redis_logs import RedisLogs
from reactor_operator.store.redis_pools import RedisPools

_SEQUENCE_DIGITS = 16
_QUIET_SECONDS = 10.0
_KEYS_AT_ONCE = 1_000
_LONGEST_PAUSE_SECONDS = 5.0
_NO_HURRY = "~"
"""Before a run's name on the bell (`append.lua`): the entry is a start or a reason to wait, of no hurry."""
_NO_HURRY_SECONDS = 0.3
_DEFAULTS = RedisOptions()
_log = structlog.get_logger("reactor_operator.store")


class RedisStore(RedisPools, RedisLogs):
    """Keeps the runs of one installation; several installations may share a Redis."""

    def __init__(
        self, url: str, installation: str, options: RedisOptions = _DEFAULTS, observe: Observe | None = None
    ) -> None:
        super().__init__(RedisConnection(url, options, observe), Keys(f"reactor:{installation}:"))
        self._closed = False
        self._load, self._commit, self._append = Script("load"), Script("commit"), Script("append")
        self._open_task, self._forget, self._claim_epoch = Script("open_task"), Script("forget"), Script("claim_epoch")
        self._history = Script("history")

    async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
        """Return the run as stored; nothing but the inbox crosses the wire where the revision is known."""
        if self._redis.doubts > self._redis.settled:
            await self.settle()
        keys = self._keys.of_run(run, "header", "records", "inbox", "outbox")
        answer = await self._redis.read_script(self._load, keys, (known_revision,))
        if answer is None:
            return None
        revision, first_position, inbox, *rest = answer
        return Snapshot(
            revision=int(revision),
            inbox=tuple(enumerate(inbox, int(first_position))),
            records=_pairs(rest[0]) if rest else None,
            actions=_in_order(_pairs(rest[1])) if rest else None,
        )

    async def settle(self) -> None:
        """Return once all that could be read until now is on disk: one more write is, and the file is in order."""
        doubts = self._redis.doubts
        if await self._redis.durability() is Durability.WAITAOF:
            await self._redis.write("SET", self._keys.settled, "1")
        self._redis.settled = max(self._redis.settled, doubts)

    async def commit(self, commit: Commit) -> int:
        """Apply a commit, or refuse it and change nothing."""
        claim = self._keys.claim(commit.claim.name if commit.claim is not None else "")
        keys = (
            *self._keys.of_run(commit.run, *PARTS_OF_A_RUN),
            self._keys.epoch,
            self._keys.active,
            claim,
            self._keys.depths,
        )
        answer = await self._redis.write_script(self._commit, keys, commit_arguments(commit, self._keys.prefix))
        if answer[0] != b"committed":
            refuse(commit, answer[0].decode(), answer[1:])
        return commit.revision + 1

    async def forget(self, run: str) -> None:
        """Delete everything of a run."""
        own = (self._keys.active, self._keys.leases, self._keys.depths)
        keys = (*own, *self._keys.of_run(run, *PARTS_OF_A_RUN, "leases", "logs", "logged"))
        await self._redis.write_script(self._forget, keys, (run, self._keys.prefix))

    async def active_runs(self) -> frozenset[str]:
        """Return the runs that still have something to do."""
        return frozenset(member.decode() for member in await self._redis.read("SMEMBERS", self._keys.active))

    async def stored_runs(self) -> frozenset[str]:
        """Return all runs, by a walk over the keys of the installation that blocks nobody for long."""
        pattern = "".join(self._keys.of_run("*", "header"))
        runs: set[str] = set()
        cursor = b"0"
        while True:
            cursor, keys = await self._redis.read("SCAN", cursor, "MATCH", pattern, "COUNT", _KEYS_AT_ONCE)
            runs |= {key.decode().rpartition("{")[2].partition("}")[0] for key in keys}
            if int(cursor) == 0:
                return frozenset(runs)

    async def claimed(self, name: str) -> Claimed | None:
        """Return a claim that is held; Redis drops those whose time is over."""
        run, body, document = await self._redis.read("HMGET", self._keys.claim(name), "run", "body", "document")
        return None if run is None else Claimed(run=run.decode(), body=body, document=document)

    async def find_correlation(self, name: str) -> Held | Closed | None:
        """Return who holds a name, or that it closed; Redis drops those whose time is over."""
        run, path, at = await self._redis.read("HMGET", self._keys.correlation(name), "run", "path", "at")
        if run is None:
            return None
        held = Held(run=run.decode(), path=path.decode())
        return held if at is None else Closed(run=held.run, path=held.path, at=int(at))

    async def append(self, entry: Entry) -> Appended:
        """Check an entry and record it."""
        return (await self.append_all((entry,)))[0]

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        """Check entries and record them: those of all runs in one call."""
        if not entries:
            return []
        by_run: dict[str, list[int]] = {}
        for number, entry in enumerate(entries):
            by_run.setdefault(entry.run, []).append(number)
        keys = [self._keys.active, self._keys.leases, self._keys.depths]
        arguments = list[Argument]((self._keys.bell,))
        for run, numbers in by_run.items():
            keys += self._keys.of_run(run, "header", "inbox", "tasks", "values", "leases")
            arguments += append_arguments(run, [entries[number] for number in numbers])
        answers = await self._redis.write_script(self._append, keys, arguments)
        told = dict(zip(chain.from_iterable(by_run.values()), answers, strict=True))
        return [Appended(told[number].decode()) for number in range(len(entries))]

    async def open_task(self, run: str, task: str) -> OpenTask | None:
        """Return an open task."""
        found = await self._redis.read_script(self._open_task, self._keys.of_run(run, "tasks"), (task,))
        if found is None:
            return None
        record, binding, outcome = found
        return OpenTask(record=record, binding=binding.decode(), outcome=outcome.decode())

    async def rings(self) -> AsyncGenerator[str, None]:
        """Yield the run of each entry anyone appends; after each (re)connect every active run, for some were missed.

        An entry that is not final waits 0.3 s for company: of a short task the start and the outcome are read together.

        Ends when the store is closed.
        """
        pause_seconds = 0.1
        while not self._closed:
            try:
                async with aclosing(self._listen()) as runs:
                    async for run in runs:
                        pause_seconds = 0.1
                        yield run
            except (StoreUnavailable, redis.exceptions.RedisError, OSError) as problem:
                if self._closed:
                    return
                _log.warning("the bell of the store is out of reach; trying again", problem=str(problem))
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def get_values(self, run: str, digests: frozenset[str]) -> Mapping[str, bytes]:
        """Return the documents that are there."""
        return await self._named(run, "values", digests)

    async def get_pages(self, run: str, names: frozenset[str]) -> Mapping[str, bytes]:
        """Return the pages that are there."""
        return await self._named(run, "pages", names)

    async def get_history(self, run: str, after: int, limit: int) -> HistoryPage:
        """Return entries of the history of a run."""
        keys = self._keys.of_run(run, "header", "history")
        last, kept, from_, entries = await self._redis.read_script(self._history, keys, (after, limit))
        return HistoryPage(
            entries=tuple(enumerate(entries, int(from_))), first=int(last) - int(kept) + 1, last=int(last)
        )

    async def put_values(self, run: str, values: Mapping[str, bytes]) -> None:
        """Store documents."""
        if values:
            (key,) = self._keys.of_run(run, "values")
            await self._redis.write("HSET", key, *flat(values))

    async def claim_epoch(self, above: int) -> int:
        """Make the epoch one above everything seen."""
        return int(await self._redis.write_script(self._claim_epoch, (self._keys.epoch,), (above,)))

    async def incarnation(self) -> str:
        """Return the random id of this store and, where it may be asked, Redis's replication id.

        The second changes when Redis starts anew or fails over, which a store restored from an old copy also does.
        """
        stored, replication_id = await self._redis.identity(self._keys.incarnation)
        if stored is None:
            await self._redis.write("SET", self._keys.incarnation, secrets.token_hex(16), "NX")
            stored, replication_id = await self._redis.identity(self._keys.incarnation)
        if stored is None:
            raise StoreUnavailable(f"Redis: {self._keys.incarnation} was written and is gone; it is being emptied")
        return f"{stored.decode()}.{replication_id}"

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        await self._redis.close()

    async def _named(self, run: str, part: str, names: frozenset[str]) -> Mapping[str, bytes]:
        if not names:
            return {}
        wanted = sorted(names)
        found = await self._redis.read("HMGET", *self._keys.of_run(run, part), *wanted)
        return {name: body for name, body in zip(wanted, found, strict=True) if body is not None}

    async def _listen(self) -> AsyncGenerator[str, None]:
        async with self._redis.client.pubsub() as subscription:
            await cancellable(subscription.subscribe(self._keys.bell))
            heard_at, asked = time.monotonic(), False
            late: dict[str, float] = {}
            while not self._closed:  # what is closed, redis-py would open again
                seconds = min([_QUIET_SECONDS, *(due - time.monotonic() for due in late.values())])
                message = await cancellable(subscription.get_message(timeout=max(seconds, 0.001)))
                now = time.monotonic()
                for run in [run for run, due in late.items() if due <= now]:
                    del late[run]
                    yield run
                if message is None:
                    if now < heard_at + _QUIET_SECONDS:
                        continue
                    if asked:
                        raise StoreUnavailable(f"Redis: no answer to a PING in {_QUIET_SECONDS:g} s")
                    await cancellable(subscription.ping())
                    heard_at, asked = now, True
                    continue
                heard_at, asked = now, False
                if message["type"] == "subscribe":
                    for run in await self.active_runs():
                        yield run
                elif message["type"] == "message":
                    word = message["data"].decode()
                    run = word.removeprefix(_NO_HURRY)
                    if run != word:
                        late.setdefault(run, now + _NO_HURRY_SECONDS)
                    else:
                        late.pop(run, None)
                        yield run


def _pairs(flat: Iterable[bytes]) -> dict[str, bytes]:
    parts = iter(flat)
    return {name.decode(): body for name, body in zip(parts, parts, strict=True)}


def _in_order(numbered: Mapping[str, bytes]) -> dict[str, bytes]:
    ordered = sorted(numbered.items(), key=lambda action: action[1][:_SEQUENCE_DIGITS])
    return {id_: body[_SEQUENCE_DIGITS:] for id_, body in ordered}
