"""Any sequence of calls: each store answers as a model that keeps the whole history and looks everything up in it."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import (
    Appended,
    Closed,
    Commit,
    CommitRefused,
    CorrelationTaken,
    Entry,
    Held,
    InboxAhead,
    OldEpoch,
    OpenTask,
    Snapshot,
    StaleRevision,
    Store,
)
from reactor_operator.store.redis import RedisStore
from reactor_operator.store.sqlite import SqliteStore
from tests.contract.redis_server import RedisServer

RUN = "run"
TASKS = ("a.run.1.1.1", "a.run.1.2.1", "b.undo.1.1.1")
NAMES = st.sampled_from(("header", "a", "b"))
DIGESTS = st.sampled_from(("d1", "d2", "d"))
BODIES = st.binary(max_size=4)
OTHER = "other"
CORRELATIONS = ("order", "order\x00", "\ud800")
PATHS = st.sampled_from(("approve.1", "approve.2", "rows[7]/confirm.1"))
TAKEN_AND_LET_GO = st.dictionaries(st.sampled_from(CORRELATIONS), st.none() | PATHS)
PASSED_ON = st.just(frozenset[str]()) | st.frozensets(st.sampled_from(CORRELATIONS))
HISTORY_KEPT = 5
KEPT_MS = st.sampled_from((0, 3_600_000))
TASK_SETS = st.frozensets(st.sampled_from(TASKS))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    task = draw(st.sampled_from(("", *TASKS)))
    return Entry(
        run=RUN,
        task=task,
        final=bool(task) and draw(st.booleans()),
        binding=draw(st.sampled_from(("", "", "me", "you"))) if task else "",
        digest=draw(DIGESTS),
        body=draw(BODIES),
        values=draw(st.dictionaries(DIGESTS, st.just(b"value"))),
    )


ENTRIES = entries()


@dataclass
class Model:
    """One run: what was committed, and every entry ever recorded with its position."""

    epoch: int = 0
    commits: list[Commit] = field(default_factory=list)
    entries: list[tuple[int, Entry]] = field(default_factory=list)
    values: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, bytes] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)
    """Open tasks, with the position after which they were opened."""

    def said_for(self, task: str) -> Iterator[tuple[int, Entry]]:
        since = self.opened.get(task, 0)
        return ((position, entry) for position, entry in self.entries if entry.task == task and position > since)

    def task(self, task: str) -> OpenTask | None:
        if task not in self.opened:
            return None
        said = [entry for _, entry in self.said_for(task)]
        return OpenTask(
            record=next(commit.opens[task] for commit in reversed(self.commits) if task in commit.opens),
            binding=next((entry.binding for entry in said if entry.binding), ""),
            outcome=next((entry.digest for entry in said if entry.final), ""),
        )

    def refusal(self, commit: Commit) -> type[CommitRefused] | None:
        if commit.epoch < self.epoch:
            return OldEpoch
        if commit.revision != len(self.commits):
            return StaleRevision
        newest = (position for task in commit.closes & self.opened.keys() for position, _ in self.said_for(task))
        return InboxAhead if max(newest, default=0) > max(commit.inbox_position, self.consumed()) else None

    def consumed(self) -> int:
        """Return the position up to which entries are consumed."""
        positions = zip(self.commits, self.known, strict=True)
        return max((min(commit.inbox_position, known) for commit, known in positions), default=0)

    def apply(self, commit: Commit) -> None:
        self.commits.append(commit)
        self.epoch = commit.epoch
        kept = {digest: body for digest, body in self.values.items() if digest not in commit.dropped}
        self.values = {**kept, **commit.values}
        pages = {**self.pages, **commit.pages}
        self.pages = {name: page for name, page in pages.items() if page is not None}
        for task in commit.opens:
            self.opened.setdefault(task, len(self.entries))
        for task in commit.closes if commit.active else TASKS:
            self.opened.pop(task, None)

    def append(self, entry: Entry) -> Appended:
        if not self.commits:
            return Appended.UNKNOWN
        if entry.task and entry.task not in self.opened:
            return Appended.CLOSED
        found = self.task(entry.task) or OpenTask(record=b"")
        if entry.binding and found.binding not in {"", entry.binding}:
            return Appended.CONFLICT
        if any(said.digest == entry.digest for _, said in self.said_for(entry.task)):
            return Appended.REPEATED
        if found.outcome:
            return Appended.CONFLICT
        self.entries.append((len(self.entries) + 1, entry))
        self.values |= entry.values
        return Appended.RECORDED

    def snapshot(self) -> Snapshot | None:
        if not self.commits:
            return None
        records: dict[str, bytes | None] = {}
        actions: dict[str, bytes] = {}
        for commit in self.commits:
            records |= commit.records
            actions = {id_: body for id_, body in actions.items() if id_ not in commit.acknowledged}
            actions |= commit.actions
        consumed = self.consumed()
        return Snapshot(
            revision=len(self.commits),
            inbox=tuple((position, entry.body) for position, entry in self.entries if position > consumed),
            records={name: record for name, record in records.items() if record is not None},
            actions=actions,
        )

    known: list[int] = field(default_factory=list)
    """How many entries there were at each commit."""


@dataclass
class Names:
    """Two runs: each commit of theirs, in order, and each time that one was forgotten (None)."""

    said: list[tuple[str, Commit | None]] = field(default_factory=list)

    def find(self, name: str) -> tuple[type[Held | Closed], str, str] | None:
        """Return what is known of a name, whoever it is of."""
        found: tuple[type[Held | Closed], str, str] | None = None
        for run, commit in self.said:
            is_ours = found is not None and found[:2] == (Held, run)
            if commit is None:
                found = None if is_ours else found
            elif (path := commit.correlations.get(name)) is not None:
                found = (Held, run, path)
            elif name in commit.correlations and found is not None and is_ours:
                found = (Closed, run, found[2]) if commit.closed_kept_ms else None
        return found

    def taken(self, commit: Commit) -> tuple[str, ...]:
        """Return those that the commit would take and may not."""
        return tuple(
            name
            for name, path in commit.correlations.items()
            if path is not None
            and (found := self.find(name)) is not None
            and found[0] is Held
            and found != (Held, commit.run, path)
            and not (found[1] == commit.run and name in commit.passed_on)
        )


class StoreMachine(RuleBasedStateMachine):
    """Calls a store and the model alike."""

    open_store: Callable[[], Store]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()

    @initialize()
    def begin(self) -> None:
        self.model = Model()
        self.names = Names()
        self.others = 0
        self.store = type(self).open_store()

    @rule(
        behind=st.sampled_from((0, 0, 0, 0, 1, -1)),
        older=st.sampled_from((0, 0, 0, 0, 1, -1)),
        read=st.integers(0, 3),
        records=st.dictionaries(NAMES, st.none() | BODIES),
        values=st.dictionaries(DIGESTS, st.just(b"value")),
        dropped=st.frozensets(DIGESTS),
        pages=st.dictionaries(NAMES, st.none() | BODIES),
        opens=st.dictionaries(st.sampled_from(TASKS), BODIES),
        closes=TASK_SETS,
        actions=st.dictionaries(NAMES, BODIES),
        acknowledged=st.frozensets(NAMES),
        active=st.sampled_from((True, True, True, False)),
        correlations=TAKEN_AND_LET_GO,
        passed_on=PASSED_ON,
        kept_ms=KEPT_MS,
        history=st.lists(BODIES, max_size=3).map(tuple),
    )
    def commit(
        self,
        behind: int,
        older: int,
        read: int,
        records: Mapping[str, bytes | None],
        values: Mapping[str, bytes],
        dropped: frozenset[str],
        pages: Mapping[str, bytes | None],
        opens: Mapping[str, bytes],
        closes: frozenset[str],
        actions: Mapping[str, bytes],
        acknowledged: frozenset[str],
        active: bool,
        correlations: Mapping[str, str | None],
        passed_on: frozenset[str],
        kept_ms: int,
        history: tuple[bytes, ...],
    ) -> None:
        commit = Commit(
            run=RUN,
            revision=max(0, len(self.model.commits) - behind),
            epoch=max(0, self.model.epoch - older),
            inbox_position=max(0, len(self.model.entries) - read),
            records=records,
            values=values,
            dropped=dropped,
            pages=pages,
            opens=opens,
            closes=closes,
            actions=actions,
            acknowledged=acknowledged,
            active=active,
            correlations=correlations,
            passed_on=passed_on,
            closed_kept_ms=kept_ms,
            history=history,
            history_kept=HISTORY_KEPT,
        )
        refusal = self.model.refusal(commit)
        if refusal is not None:
            with pytest.raises(refusal):
                self.runner.run(self.store.commit(commit))
            return
        if self.is_refused_for_names(commit):
            return
        self.model.known.append(len(self.model.entries))
        self.model.apply(commit)
        assert self.runner.run(self.store.commit(commit)) == len(self.model.commits)

    def is_refused_for_names(self, commit: Commit) -> bool:
        """Tell it, where the store refuses it as the model does; what is not refused is noted."""
        taken = self.names.taken(commit)
        if not taken:
            self.names.said.append((commit.run, commit))
            return False
        with pytest.raises(CorrelationTaken) as problem:
            self.runner.run(self.store.commit(commit))
        assert problem.value.names == taken
        return True

    @rule(correlations=TAKEN_AND_LET_GO, passed_on=PASSED_ON, kept_ms=KEPT_MS)
    def another_run_commits(
        self, correlations: Mapping[str, str | None], passed_on: frozenset[str], kept_ms: int
    ) -> None:
        commit = Commit(
            run=OTHER,
            revision=self.others,
            epoch=self.model.epoch,
            correlations=correlations,
            passed_on=passed_on,
            closed_kept_ms=kept_ms,
            active=False,
        )
        if not self.is_refused_for_names(commit):
            self.others = self.runner.run(self.store.commit(commit))

    @rule()
    def forget_another_run(self) -> None:
        self.runner.run(self.store.forget(OTHER))
        self.names.said.append((OTHER, None))
        self.others = 0

    @rule(entry=ENTRIES)
    def append(self, entry: Entry) -> None:
        assert self.runner.run(self.store.append(entry)) is self.model.append(entry)

    @rule(entries=st.lists(ENTRIES, max_size=6))
    def append_all(self, entries: Sequence[Entry]) -> None:
        """Many at once are what they are one by one."""
        assert self.runner.run(self.store.append_all(entries)) == [self.model.append(entry) for entry in entries]

    @rule(values=st.dictionaries(DIGESTS, st.just(b"value")))
    def put_values(self, values: Mapping[str, bytes]) -> None:
        self.runner.run(self.store.put_values(RUN, values))
        self.model.values |= values

    @rule(above=st.integers(0, 3))
    def claim_epoch(self, above: int) -> None:
        self.model.epoch = self.runner.run(self.store.claim_epoch(above))

    @rule()
    def forget(self) -> None:
        self.runner.run(self.store.forget(RUN))
        self.names.said.append((RUN, None))
        self.model = Model(epoch=self.model.epoch)

    @invariant()
    def everything_is_the_same(self) -> None:
        expected = self.model.snapshot()
        found = self.runner.run(self.store.load(RUN))
        assert found == expected
        if found is not None and expected is not None:
            assert list(found.actions or ()) == list(expected.actions or ())
        for task in TASKS:
            assert self.runner.run(self.store.open_task(RUN, task)) == self.model.task(task)
        assert self.runner.run(self.store.get_values(RUN, frozenset({"d1", "d2", "d"}))) == self.model.values
        told = [entry for commit in self.model.commits for entry in commit.history]
        page = self.runner.run(self.store.get_history(RUN, 0, 100))
        assert page.last == len(told)
        assert page.entries == tuple(enumerate(told, 1))[-HISTORY_KEPT:]
        names = frozenset({"header", "a", "b"})
        assert self.runner.run(self.store.get_pages(RUN, names)) == self.model.pages
        is_active = expected is not None and (
            self.model.commits[-1].active or bool(expected.actions) or bool(expected.inbox)
        )
        assert self.runner.run(self.store.active_runs()) == (frozenset({RUN}) if is_active else frozenset())

    @invariant()
    def every_name_is_known_as_the_history_says(self) -> None:
        for name in CORRELATIONS:
            found = self.runner.run(self.store.find_correlation(name))
            assert (found and (type(found), found.run, found.path)) == self.names.find(name)

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()


@pytest.mark.parametrize(("kind", "examples"), [("memory", 150), ("sqlite", 25), ("redis", 25)])
def test_a_store_answers_as_its_whole_history_says(
    kind: str, examples: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    counter = itertools.count()

    def open_store() -> Store:
        if kind == "memory":
            return MemoryStore()
        if kind == "sqlite":
            return SqliteStore(tmp_path / f"{next(counter)}.db")
        server: RedisServer = request.getfixturevalue("redis_server")
        return RedisStore(server.url, f"model-{next(counter)}")

    machine = type(f"{kind}Machine", (StoreMachine,), {"open_store": staticmethod(open_store)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
