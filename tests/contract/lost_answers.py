"""A store whose writes take effect and whose answers are lost, and a caller that does what the port says then."""

from collections.abc import AsyncIterator, Mapping, Sequence

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
    Store,
    StoreUnavailable,
)


class LostAnswers:
    """Applies each write, then reports a timeout. What changed nothing is answered as ever."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
        return await self._store.load(run, known_revision)

    async def settle(self) -> None:
        await self._store.settle()

    async def commit(self, commit: Commit) -> int:
        revision = await self._store.commit(commit)
        raise StoreUnavailable(f"the answer {revision} was lost")

    async def forget(self, run: str) -> None:
        known = await self._store.load(run) is not None
        await self._store.forget(run)
        if known:
            raise StoreUnavailable("the answer was lost")

    async def active_runs(self) -> frozenset[str]:
        return await self._store.active_runs()

    async def stored_runs(self) -> frozenset[str]:
        return await self._store.stored_runs()

    async def claimed(self, name: str) -> Claimed | None:
        return await self._store.claimed(name)

    async def find_correlation(self, name: str) -> Held | Closed | None:
        return await self._store.find_correlation(name)

    async def append(self, entry: Entry) -> Appended:
        answer = await self._store.append(entry)
        if answer is Appended.RECORDED:
            raise StoreUnavailable(f"the answer {answer} was lost")
        return answer

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        answers = await self._store.append_all(entries)
        if Appended.RECORDED in answers:
            raise StoreUnavailable("the answers were lost")
        return answers

    async def open_task(self, run: str, task: str) -> OpenTask | None:
        return await self._store.open_task(run, task)

    def rings(self) -> AsyncIterator[str]:
        return self._store.rings()

    async def get_values(self, run: str, digests: frozenset[str]) -> Mapping[str, bytes]:
        return await self._store.get_values(run, digests)

    async def get_pages(self, run: str, names: frozenset[str]) -> Mapping[str, bytes]:
        return await self._store.get_pages(run, names)

    async def get_history(self, run: str, after: int, limit: int) -> HistoryPage:
        return await self._store.get_history(run, after, limit)

    async def put_log(self, run: str, task: str, body: bytes, most_bytes: int) -> bool:
        return await self._store.put_log(run, task, body, most_bytes)

    async def get_log(self, run: str, task: str) -> bytes | None:
        return await self._store.get_log(run, task)

    async def logged_tasks(self, run: str) -> frozenset[str]:
        return await self._store.logged_tasks(run)

    async def put_values(self, run: str, values: Mapping[str, bytes]) -> None:
        missing = values.keys() - (await self._store.get_values(run, frozenset(values))).keys()
        await self._store.put_values(run, values)
        if missing:
            raise StoreUnavailable("the answer was lost")

    async def claim_epoch(self, above: int) -> int:
        return await self._store.claim_epoch(above)

    async def incarnation(self) -> str:
        return await self._store.incarnation()

    async def close(self) -> None:
        await self._store.close()


class PatientCaller(LostAnswers):
    """Calls a store as operator and gateway do: where no answer came, it looks or asks once more."""

    async def commit(self, commit: Commit) -> int:
        try:
            return await self._store.commit(commit)
        except StoreUnavailable:
            found = await self._store.load(commit.run, commit.revision + 1)
            assert found is not None
            assert found.revision == commit.revision + 1
            return found.revision

    async def forget(self, run: str) -> None:
        try:
            await self._store.forget(run)
        except StoreUnavailable:
            await self._store.forget(run)

    async def append(self, entry: Entry) -> Appended:
        try:
            return await self._store.append(entry)
        except StoreUnavailable:
            answer = await self._store.append(entry)
            assert answer is Appended.REPEATED
            return Appended.RECORDED

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        """Answer as one whose entries are all new: what is a repetition then was recorded just before."""
        try:
            return await self._store.append_all(entries)
        except StoreUnavailable:
            answers = await self._store.append_all(entries)
            assert Appended.RECORDED not in answers
            return [Appended.RECORDED if answer is Appended.REPEATED else answer for answer in answers]

    async def put_values(self, run: str, values: Mapping[str, bytes]) -> None:
        try:
            await self._store.put_values(run, values)
        except StoreUnavailable:
            await self._store.put_values(run, values)
