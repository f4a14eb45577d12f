"""The store that all operators, the gateway and the watch of pods of a world share, whatever it is kept in.

In: calls of the store port. Out: what the store answers, waited for before anything else moves, and taken down in the
trace. Never here: a fault of a call (`faulty_store.py`).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from random import Random

from reactor_operator.store.port import Appended, Claimed, Closed, Commit, Entry, Held, HistoryPage, OpenTask, Snapshot
from tests.simulation.checkpoints import Checkpoints
from tests.simulation.disks import Disk
from tests.simulation.trace import Trace, told_commit, told_snapshot, told_values


class SharedStore:
    """Implements `Store` over what is on disk now."""

    def __init__(self, disk: Disk, checkpoints: Checkpoints, trace: Trace) -> None:
        self.disk = disk
        self._checkpoints = checkpoints
        self._trace = trace

    async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
        with self._checkpoints.waiting():
            found = await self.disk.now.load(run, known_revision)
        self._trace.note("load", run, found.revision if found else 0, told_snapshot(found))
        return found

    async def settle(self) -> None:
        with self._checkpoints.waiting():
            await self.disk.now.settle()

    async def commit(self, commit: Commit) -> int:
        self._trace.note("commit", commit.run, commit.revision, commit.epoch, told_commit(commit))
        with self._checkpoints.waiting():
            return await self.disk.now.commit(commit)

    async def claimed(self, name: str) -> Claimed | None:
        with self._checkpoints.waiting():
            found = await self.disk.now.claimed(name)
        self._trace.note("claimed", name, found)
        return found

    async def find_correlation(self, name: str) -> Held | Closed | None:
        """Return what is known of a name. When it closed is told by the store's own clock: the trace leaves it out."""
        with self._checkpoints.waiting():
            found = await self.disk.now.find_correlation(name)
        self._trace.note("correlation", name, type(found).__name__, *((found.run, found.path) if found else ()))
        return found

    async def append(self, entry: Entry) -> Appended:
        with self._checkpoints.waiting():
            answer = await self.disk.now.append(entry)
        self._trace.note("append", entry.run, entry.task, entry.digest, entry.binding, entry.body, answer)
        return answer

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        with self._checkpoints.waiting():
            answers = await self.disk.now.append_all(entries)
        for entry, answer in zip(entries, answers, strict=True):
            self._trace.note("append", entry.run, entry.task, entry.digest, entry.binding, entry.body, answer)
        return answers

    async def open_task(self, run: str, task: str) -> OpenTask | None:
        with self._checkpoints.waiting():
            found = await self.disk.now.open_task(run, task)
        self._trace.note("open task", run, task, found)
        return found

    def rings(self) -> AsyncIterator[str]:
        return self.disk.now.rings()

    async def get_values(self, run: str, digests: frozenset[str]) -> Mapping[str, bytes]:
        with self._checkpoints.waiting():
            found = await self.disk.now.get_values(run, digests)
        self._trace.note("values", run, told_values(found))
        return found

    async def get_pages(self, run: str, names: frozenset[str]) -> Mapping[str, bytes]:
        with self._checkpoints.waiting():
            found = await self.disk.now.get_pages(run, names)
        self._trace.note("pages", run, told_values(found))
        return found

    async def get_history(self, run: str, after: int, limit: int) -> HistoryPage:
        with self._checkpoints.waiting():
            return await self.disk.now.get_history(run, after, limit)

    async def put_log(self, run: str, task: str, body: bytes, most_bytes: int) -> bool:
        with self._checkpoints.waiting():
            return await self.disk.now.put_log(run, task, body, most_bytes)

    async def get_log(self, run: str, task: str) -> bytes | None:
        with self._checkpoints.waiting():
            return await self.disk.now.get_log(run, task)

    async def logged_tasks(self, run: str) -> frozenset[str]:
        with self._checkpoints.waiting():
            return await self.disk.now.logged_tasks(run)

    async def put_values(self, run: str, values: Mapping[str, bytes]) -> None:
        self._trace.note("put values", run, told_values(values))
        with self._checkpoints.waiting():
            await self.disk.now.put_values(run, values)

    async def forget(self, run: str) -> None:
        self._trace.note("forget", run)
        with self._checkpoints.waiting():
            await self.disk.now.forget(run)

    async def active_runs(self) -> frozenset[str]:
        with self._checkpoints.waiting():
            found = await self.disk.now.active_runs()
        self._trace.note("active", *sorted(found))
        return found

    async def stored_runs(self) -> frozenset[str]:
        with self._checkpoints.waiting():
            found = await self.disk.now.stored_runs()
        self._trace.note("stored", *sorted(found))
        return found

    async def claim_epoch(self, above: int) -> int:
        with self._checkpoints.waiting():
            epoch = await self.disk.now.claim_epoch(above)
        self._trace.note("epoch", epoch)
        return epoch

    async def incarnation(self) -> str:
        """Return an id that is random: the trace knows nothing of it."""
        with self._checkpoints.waiting():
            return await self.disk.now.incarnation()

    async def close(self) -> None:
        await self.disk.close()

    # what the store itself may suffer

    async def copy(self) -> None:
        """Keep a copy, as a backup would."""
        self._trace.note("copy")
        with self._checkpoints.waiting():
            await self.disk.copy()

    async def empty(self) -> None:
        """Forget everything (FLUSHALL)."""
        self._trace.note("empty")
        with self._checkpoints.waiting():
            await self.disk.empty()

    async def roll_back(self, random: Random) -> None:
        """Go back to a copy."""
        number = random.randrange(self.disk.copies)
        self._trace.note("roll back", number)
        with self._checkpoints.waiting():
            await self.disk.roll_back(number)

    def has_copies(self) -> bool:
        """Tell whether there is anything to go back to."""
        return bool(self.disk.copies)
