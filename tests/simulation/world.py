"""One seeded simulation: operators that crash and take over, pods that die, answers that get lost, time that jumps.

In: a seed, reactors, and what may go wrong. Out: the world after all faults have stopped and everything is at rest.
Never here: what a single fault does (`faults.py`), or what must hold (`oracles.py`, `ledger.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import ENDED, Stage
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.ports import ReactorObject, RunObject, RunRef
from reactor_operator.reconcile import Reconciler, ReconcileSettings
from reactor_operator.reconciling.records import KnownRun, read_run
from reactor_operator.reconciling.told import told_sequence
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry
from tests.simulation.asked import places_in
from tests.simulation.asking import Asking
from tests.simulation.checkpoints import Checkpoints
from tests.simulation.clocks import SKEWS_MS, SkewedClock
from tests.simulation.cluster import FakeCluster
from tests.simulation.connection import Connection
from tests.simulation.counted import Counts
from tests.simulation.coverage import Coverage, Fault, Seen
from tests.simulation.disks import Disk, MemoryDisk
from tests.simulation.faults import Faults
from tests.simulation.faulty_store import FaultyStore
from tests.simulation.ledger import Ledger
from tests.simulation.operators import RELIST_MS, Operator
from tests.simulation.people import People
from tests.simulation.pods import Script
from tests.simulation.resumes import check_waits
from tests.simulation.resuming import Resumers
from tests.simulation.shared_store import SharedStore
from tests.simulation.trace import Trace

TURNS_WITH_FAULTS = 400
TURNS_AT_MOST = 30_000
_ENDED = frozenset(phase.value for phase in ENDED)


@dataclass(frozen=True, kw_only=True)
class Mischief:
    """What may go wrong: how often each fault is tried, how many calls fail, whether pods may be slow to start.

    skewed: the clocks of operators differ.
    """

    faults: Mapping[Fault, int] = field(default_factory=dict)
    fault_rate: float = 0.0
    slow: bool = False
    skewed: bool = False


class World:
    """Everything of one seed."""

    def __init__(
        self,
        seed: int,
        reactors: dict[str, dict[str, object]],
        mischief: Mischief,
        disk: Disk | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.seed = seed
        self.mischief = mischief
        self.random = Random(seed)
        self.trace = trace or Trace()
        self.coverage = Coverage(seeds=1)
        self.checkpoints = Checkpoints(Random(seed ^ 0xC0DE), self.coverage, self.trace)
        self.ledger = Ledger(self.coverage)
        self.shared = SharedStore(disk or MemoryDisk(), self.checkpoints, self.trace)
        self.cluster = FakeCluster(self.shared, self.ledger, Script(seed, slow=mischief.slow), self.trace)
        self.people = People(self.cluster, Random(seed ^ 0xA5CED))
        self._clocks = Random(seed ^ 0xC10C)
        self.resumers = Resumers(self, Random(seed ^ 0x5E5A3E), trusted=not mischief.slow)
        self.faults = Faults(self, dict(mischief.faults))
        self.counts = Counts()
        self.operators: list[Operator] = []
        self.evaluator = ProcessEvaluator()
        self._later: list[tuple[RunRef, str]] = []
        for number, (name, spec) in enumerate(sorted(reactors.items())):
            self._apply(number, name, spec)

    def _apply(self, number: int, name: str, spec: dict[str, object]) -> None:
        """Somebody applies a Reactor and a run of it; of a limited one more runs than may be active at once."""
        self.cluster.reactors[name] = ReactorObject(
            namespace="shop", name=name, uid=f"reactor-{number}", generation=1, spec=spec
        )
        limit = spec.get("maxActiveRuns")
        self._apply_run(RunRef("shop", f"run-{name}", f"uid-{number}"), name)
        if isinstance(limit, int):
            self.ledger.limits[name] = limit
            more = [(RunRef("shop", f"run-{name}-{n}", f"uid-{number}-{n}"), name) for n in range(1, limit + 2)]
            self._later += self.random.sample(more, len(more))

    def _apply_run(self, ref: RunRef, reactor: str) -> None:
        self.ledger.reactor_of[ref.uid] = reactor
        self.cluster.runs[ref.uid] = RunObject(
            ref=ref,
            generation=1,
            created_at=self.cluster.now_ms,
            spec={"reactorRef": {"name": reactor}, "inputs": {}},
            annotations={},
            status={},
        )
        self.cluster.rung.add(ref.uid)

    async def run(self) -> None:
        """Run with faults for a while, then without, until everything has ended and is tidied up."""
        await self.start_operator()
        self.set_fault_rate(self.mischief.fault_rate)
        for turn in range(TURNS_AT_MOST):
            if turn == TURNS_WITH_FAULTS:
                await self.stop_faults()
            await self.checkpoints.settle()
            for operator in self.operators:
                operator.collect(self.cluster.now_ms)
            if turn > TURNS_WITH_FAULTS and not self._is_moving():
                await self._ask_for_ends()
                if await self.is_at_rest():
                    await self._note_ends()
                    return
            await self.turn()
        stuck = {run.ref.name: run.status.get("phase") for run in self.cluster.runs.values()}
        active = sorted(await self.shared.active_runs() - self.ledger.lost)
        raise AssertionError(f"O1: not at rest after {TURNS_AT_MOST} turns: {stuck}, of which the store has {active}")

    async def stop_faults(self) -> None:
        """From here on everything works, and nobody starts another run."""
        while self._later:
            self._apply_run(*self._later.pop())
        self.set_fault_rate(0.0)
        await self.faults.stop()

    def set_fault_rate(self, rate: float) -> None:
        """How often calls fail, or succeed and lose their answer."""
        self.cluster.fault_rate = rate
        for operator in self.operators:
            operator.store.fault_rate = rate

    async def start_operator(self) -> None:
        """A new operator takes the next epoch and looks at every run."""
        for operator in self.operators:
            operator.connection.in_charge = False
        epoch = await self.shared.claim_epoch(self.ledger.epoch)
        self.ledger.epoch = epoch
        name = f"operator-{epoch}"
        store = FaultyStore(name, self.cluster, self.checkpoints)
        connection = Connection(name, self.cluster, self.checkpoints)
        skew_ms = self._clocks.choice(SKEWS_MS) if self.mischief.skewed else 0
        reconciler = Reconciler(
            store=store,
            definitions=connection,
            launcher=connection,
            board=connection,
            evaluator=Asking(name, self.evaluator, self.checkpoints),
            siblings=connection,
            clock=SkewedClock(connection, skew_ms),
            epoch=epoch,
            settings=ReconcileSettings(),
            meter=self.counts.meter,
        )
        operator = Operator(name, epoch, store, connection, reconciler, skew_ms)
        for uid in self.cluster.runs:
            operator.mark(uid)
        self.operators.append(operator)

    async def turn(self) -> None:
        """Let one thing happen; time passes only when nothing else can."""
        dice = self.random.random()
        if await self.faults.strike_soon() or (dice < 0.04 and await self.faults.strike()):
            return
        if self.resumers.act():
            return
        if self._later and dice < 0.10:
            self._apply_run(*self._later.pop())
        if dice < 0.50 and self.checkpoints.resume_one():
            return
        if dice < 0.70 and await self._move_a_pod():
            return
        if dice < 0.85:
            self._deliver()
        if self._begin():
            return
        if not self.checkpoints.resume_one() and not await self._move_a_pod() and not self._deliver():
            self._let_time_pass()

    def _begin(self) -> bool:
        runs = {uid: run.ref for uid, run in self.cluster.runs.items()}
        begun = [operator.begin(runs, self.cluster.now_ms) for operator in self.operators]
        if any(begun):
            self.checkpoints.stir()
        return any(begun)

    async def _move_a_pod(self) -> bool:
        """One pod makes its next move."""
        moving = [pod for pod in self.cluster.pods.values() if pod.can_move(self.cluster.now_ms)]
        if moving:
            await self.cluster.move_pod(self.random.choice(moving))
        return bool(moving)

    def _deliver(self) -> bool:
        """News reach whoever lives; some are lost, doubled or late; every 15 s all is listed again."""
        now = self.cluster.now_ms
        self.cluster.collect_garbage()
        rung, self.cluster.rung = sorted(self.cluster.rung), set()
        delivered = bool(rung)
        for operator in [operator for operator in self.operators if operator.alive]:
            for run in rung:
                self._bring(operator, run)
            for run in operator.take_late(now):
                operator.mark(run)
                delivered = True
            if now >= operator.relist_at:
                operator.relist_at = now + RELIST_MS
                delivered = True
                for run in self.cluster.runs:
                    operator.mark(run)
        return delivered

    def _bring(self, operator: Operator, run: str) -> None:
        if self.cluster.strikes():
            self.coverage.note(Fault.EVENT_LOST)
            return
        if self.cluster.strikes():
            self.coverage.note(Fault.EVENT_DELAYED)
            operator.late.append((self.cluster.now_ms + self.random.randrange(30_000), run))
            return
        if self.cluster.strikes():
            self.coverage.note(Fault.EVENT_REPEATED)
            operator.late.append((self.cluster.now_ms + self.random.randrange(30_000), run))
        operator.mark(run)

    def _let_time_pass(self) -> None:
        """Nothing else can happen: go to the next time that anybody waits for."""
        now = self.cluster.now_ms
        times = [at for operator in self.operators for at in operator.next_time()]
        self.cluster.pass_to(min(at for at in (*times, *self.cluster.next_times(), now + 60_000) if at > now))

    async def cancel(self, run: str, name: str) -> None:
        """Somebody cancels the run."""
        await self._hand_in(run, ev.CancelRequested(id=name, reason="changed my mind", by="test"), name)

    async def change_spec(self, run: str, request: ev.SpecChanged, name: str) -> None:
        """Somebody suspends the run, or lets it go on."""
        await self._hand_in(run, request, name)

    async def _hand_in(self, run: str, event: ev.Event, name: str) -> None:
        await self.shared.append(Entry(run=run, digest=name, body=encode_event(event)))
        self.ledger.ask(run, event)
        self.cluster.rung.add(run)

    async def known(self, uid: str) -> KnownRun | None:
        """A run as stored."""
        snapshot = await self.shared.load(uid)
        if snapshot is None or snapshot.records is None or snapshot.actions is None:
            return None
        return read_run(snapshot.records, snapshot.actions, snapshot.revision, pending_timeout_ms=600_000)

    async def _ask_for_ends(self) -> None:
        """The faults are over: what waits for a person is ended or goes on, and the state of deleted runs is swept."""
        for uid, run in self.cluster.runs.items():
            if run.status.get("phase") == "Recovering":
                self.people.annotate(uid, ev.CancelRequested(id="", reason="changed my mind"), "recovered")
            elif run.status.get("phase") == "Suspended":
                self.people.annotate(uid, ev.SuspendRequested(id="", suspended=False), "")
            if run.status.get("phase") == "Paused":
                await self._check_waits(uid, run)
        self.resumers.resume_all()
        for uid, ref in self.cluster.deleted.items():
            await self.shared.forget(uid)
            for operator in self.operators:
                operator.reconciler.forget(ref)

    async def _check_waits(self, uid: str, run: RunObject) -> None:
        known = await self.known(uid)
        if known is not None and known.revision == told_sequence(run):
            check_waits(run.status, known)

    def _is_moving(self) -> bool:
        now = self.cluster.now_ms
        return bool(
            self.checkpoints.paused
            or self.cluster.rung
            or any(operator.busy for operator in self.operators)
            or any(pod.can_move(now) for pod in self.cluster.pods.values())
        )

    async def is_at_rest(self) -> bool:
        """Tell whether every run has ended, nothing is left to do, and its status says so."""
        for uid, run in self.cluster.runs.items():
            if run.status.get("phase") not in _ENDED:
                return False
            if places_in(run):
                return False
            known = await self.known(uid) if uid not in self.ledger.lost else None
            if known is not None and (known.state.header.stage is not Stage.OVER or known.outbox):
                return False
        if await self.shared.active_runs() - self.ledger.lost:
            return False  # something waits in an inbox of which the news were lost: found when all is listed again
        return all(pod.is_ended() or pod.foreign for pod in self.cluster.pods.values())

    async def _note_ends(self) -> None:
        """Count the ends that only time brings about."""
        for known in [await self.known(uid) for uid in self.cluster.runs]:
            if known is None:
                continue
            header = known.state.header
            kinds = {step.failure.kind for step in known.state.steps.values() if step.failure is not None}
            ends = {
                Seen.TIMED_OUT: FailureKind.TIMEOUT in kinds,
                Seen.NEVER_STARTED: FailureKind.CANNOT_START in kinds,
                Seen.RUN_TIMED_OUT: header.failure is not None
                and header.failure.failure.kind is FailureKind.RUN_TIMEOUT,
                Seen.ROLLBACK_LATE: any(left.kind is FailureKind.TIMEOUT for left in header.rollback_failures),
            }
            for seen, happened in ends.items():
                if happened:
                    self.coverage.note(seen)

    async def close(self) -> None:
        """Stop everything."""
        for operator in self.operators:
            await operator.stop()
        await self.evaluator.close()
        await self.shared.close()
