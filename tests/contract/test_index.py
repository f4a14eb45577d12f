"""Every store knows all its runs, so that those whose objects are gone can be swept."""

from collections.abc import Callable
from typing import cast

from reactor_operator.store.port import Commit, RunIndex, Store


async def test_a_run_is_stored_from_its_first_commit_until_it_is_forgotten(open_store: Callable[[], Store]) -> None:
    store = open_store()
    index = cast("RunIndex", store)
    assert await index.stored_runs() == frozenset()
    for number in range(30):
        await store.commit(Commit(run=f"run-{number}", revision=0, epoch=1, active=number % 2 == 0, values={"d": b"1"}))
    assert await index.stored_runs() == {f"run-{number}" for number in range(30)}
    await store.forget("run-0")
    await store.forget("run-1")
    assert await index.stored_runs() == {f"run-{number}" for number in range(2, 30)}
    await store.close()
