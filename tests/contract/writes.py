"""What tests write to a store: commits and entries of one run; and how they read what is there."""

from collections.abc import AsyncIterator

from reactor_operator.store.port import Commit, Entry, Snapshot, Store

RUN = "2f1e5a2c-0000-4000-8000-000000000001"
OTHER = "2f1e5a2c-0000-4000-8000-000000000002"
TASK = "ship/book-courier.run.1.1.1"
NEXT_TASK = "ship/book-courier.run.1.2.1"
OUTCOME = Entry(run=RUN, task=TASK, final=True, digest="d1", body=b"done", values={"v": b"{}"})


def first(**changes: object) -> Commit:
    fields: dict[str, object] = {"run": RUN, "revision": 0, "epoch": 1, **changes}
    return Commit(**fields)  # type: ignore[arg-type]


def outcome(digest: str = "d1", **changes: object) -> Entry:
    fields: dict[str, object] = {
        "run": RUN,
        "task": TASK,
        "final": True,
        "digest": digest,
        "body": b"done " + digest.encode(),
    }
    return Entry(**{**fields, **changes})  # type: ignore[arg-type]


def check_in(speaker: str) -> Entry:
    return Entry(run=RUN, task=TASK, binding=speaker, digest=f"check-in {speaker}", body=b"started")


def signal(digest: str = "s1") -> Entry:
    return Entry(run=RUN, digest=digest, body=b"cancel " + digest.encode())


async def loaded(store: Store, run: str = RUN, known_revision: int = 0) -> Snapshot:
    found = await store.load(run, known_revision)
    assert found is not None
    return found


async def next_ring(rings: AsyncIterator[str]) -> str:
    return await anext(rings)


def opening(revision: int = 0) -> Commit:
    return first(revision=revision, records={"header": b"h"}, opens={TASK: b"r"}, actions={"a": b"1"})
