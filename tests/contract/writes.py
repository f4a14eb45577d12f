"""What tests write to a store: commits and entries of one run; and how they read what is there."""

from collections.abc import AsyncIterator, Sequence

from reactor_operator.store.port import Commit, Depth, Entry, Lease, Pools, Snapshot, Store, worker_binding

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


def opening(revision: int = 0, **changes: object) -> Commit:
    return first(revision=revision, records={"header": b"h"}, opens={TASK: b"r"}, actions={"a": b"1"}, **changes)


POOL = "shop/fast"
LONG = 60_000


def tasks_named(count: int, name: str = "rows") -> list[str]:
    return [f"{name}[{i}].run.1.1.1" for i in range(count)]


def queueing(*chunks: Sequence[str], pool: str = POOL, **changes: object) -> Commit:
    """A commit that opens tasks and puts them into the queue of a pool."""
    opens = {task: f"record of {task}".encode() for chunk in chunks for task in chunk}
    return first(**{"opens": opens, "queued": {pool: tuple(tuple(chunk) for chunk in chunks)}, **changes})


def reported(lease: Lease, worker: str, pool: str = POOL) -> list[Entry]:
    """What a worker says once it has done all of a lease."""
    return [
        outcome(f"d {leased.task}", run=lease.run, task=leased.task, binding=worker_binding(pool, worker))
        for leased in lease.tasks
    ]


def leased(leases: Sequence[Lease]) -> list[list[str]]:
    """The tasks of each."""
    return [[leased.task for leased in lease.tasks] for lease in leases]


async def depth(pools: Pools) -> tuple[int, int]:
    """How many tasks are queued and leased."""
    found = (await pools.depths()).get(POOL, Depth(queued=0, leased=0, oldest_ms=0))
    return found.queued, found.leased
