"""One seeded simulation: operators that crash and take over, pods that die, answers that get lost, time that jumps.

In: a seed and what may go wrong. Out: the world after all faults have stopped and everything has come to rest.
"""

import asyncio
from dataclasses import dataclass, field
from random import Random

from reactor_operator.engine import events as ev
from reactor_operator.engine.state import ENDED, Stage
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.ports import ReactorObject, RunObject, RunRef, Unavailable
from reactor_operator.reconcile import Reconciler, ReconcileSettings
from reactor_operator.reconciling.records import KnownRun, read_run
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Entry, OldEpoch, StoreUnavailable
from tests.simulation.checkpoints import Checkpoints, settle
from tests.simulation.cluster import FakeCluster, Pod
from tests.simulation.faulty_store import FaultyStore

TURNS_WITH_FAULTS = 400
TURNS_AT_MOST = 30_000
RELIST_MS = 15_000


@dataclass(frozen=True, kw_only=True)
class Mischief:
    """What may go wrong, and how often at the most."""

    crashes: int = 0
    takeovers: int = 0
    kills: int = 0
    fault_rate: float = 0.0
    cancels: bool = False


@dataclass
class Operator:
    """One operator process: its connection, its reconciler, and which runs it knows to be dirty from when on."""

    name: str
    epoch: int
    store: FaultyStore
    reconciler: Reconciler
    due: dict[str, int] = field(default_factory=dict)
    busy: dict[str, asyncio.Task[int | None]] = field(default_factory=dict)
    alive: bool = True


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, reactors: dict[str, dict[str, object]], mischief: Mischief) -> None:
        self.seed = seed
        self.mischief = mischief
        self.random = Random(seed)
        self.checkpoints = Checkpoints(Random(seed ^ 0xC0DE))
        self.store = MemoryStore()
        self.cluster = FakeCluster(self.store, self.checkpoints, seed)
        self.operators: list[Operator] = []
        self.left = {"crash": mischief.crashes, "takeover": mischief.takeovers, "kill": mischief.kills}
        self.next_relist = 0
        self.evaluator = ProcessEvaluator()
        for number, (name, spec) in enumerate(sorted(reactors.items())):
            ref = RunRef("shop", f"run-{name}", f"uid-{number}")
            self.cluster.reactors[name] = ReactorObject(
                namespace="shop", name=name, uid=f"reactor-{number}", generation=1, spec=spec
            )
            self.cluster.runs[ref.uid] = RunObject(
                ref=ref,
                generation=1,
                created_at=self.cluster.now_ms,
                spec={"reactorRef": {"name": name}, "inputs": {}},
                annotations={},
                status={},
            )

    async def run(self) -> None:
        """Run with faults for a while, then without, until everything has ended and is tidied up."""
        await self.start_operator()
        self.set_fault_rate(self.mischief.fault_rate)
        for turn in range(TURNS_AT_MOST):
            if turn == TURNS_WITH_FAULTS:
                self.set_fault_rate(0.0)
                self.left = dict.fromkeys(self.left, 0)
            await settle()
            self.collect()
            quiet = turn >= TURNS_WITH_FAULTS or not any(self.left.values())
            if quiet and turn > TURNS_WITH_FAULTS // 4 and await self.is_at_rest():
                return
            await self.turn()
        stuck = {run.ref.name: run.status.get("phase") for run in self.cluster.runs.values()}
        raise AssertionError(f"not at rest after {TURNS_AT_MOST} turns: {stuck}")

    def set_fault_rate(self, rate: float) -> None:
        """How often calls fail, or succeed and lose their answer."""
        self.cluster.fault_rate = rate
        for operator in self.operators:
            operator.store.fault_rate = rate

    async def start_operator(self) -> None:
        """A new operator takes the next epoch and looks at every run."""
        store = FaultyStore(self.store, self.checkpoints, Random(self.seed ^ len(self.operators)))
        store.fault_rate = self.cluster.fault_rate
        epoch = await self.store.claim_epoch(0)
        reconciler = Reconciler(
            store=store,
            definitions=self.cluster,
            launcher=self.cluster,
            board=self.cluster,
            evaluator=self.evaluator,
            clock=self.cluster,
            epoch=epoch,
            settings=ReconcileSettings(),
        )
        operator = Operator(f"operator-{epoch}", epoch, store, reconciler)
        operator.due = dict.fromkeys(self.cluster.runs, 0)
        self.operators.append(operator)

    async def turn(self) -> None:
        """Let one thing happen."""
        dice = self.random.random()
        if dice < 0.55 and self.checkpoints.resume_one():
            return
        if dice < 0.70 and await self.move_a_pod():
            return
        if dice < 0.85:
            self.reconcile_due()
        elif dice < 0.90:
            await self.watch()
        elif dice < 0.92:
            await self.misbehave()
        elif dice < 0.93 and self.mischief.cancels:
            await self.cancel_a_run()
        elif not self.checkpoints.resume_one():
            await self.let_time_pass()

    def reconcile_due(self) -> None:
        """Every operator begins what is due; at most one reconcile a run in each operator."""
        for operator in self.operators:
            for uid, at in list(operator.due.items()):
                if operator.alive and uid not in operator.busy and at <= self.cluster.now_ms:
                    del operator.due[uid]
                    ref = self.cluster.runs[uid].ref
                    operator.busy[uid] = asyncio.ensure_future(operator.reconciler.reconcile(ref))

    def collect(self) -> None:
        """Take the results of finished reconciles; what failed for want of an answer is done again."""
        for operator in self.operators:
            for uid, task in list(operator.busy.items()):
                if not task.done():
                    continue
                del operator.busy[uid]
                if task.cancelled():
                    continue
                problem = task.exception()
                if problem is None:
                    wake_at = task.result()
                    if wake_at is not None:
                        self.mark(operator, uid, wake_at)
                elif isinstance(problem, OldEpoch):
                    operator.alive = False
                elif isinstance(problem, Unavailable | StoreUnavailable):
                    self.mark(operator, uid, self.cluster.now_ms + 500)
                else:
                    raise problem

    def mark(self, operator: Operator, uid: str, at: int) -> None:
        """The operator is to look at the run at `at`, or earlier if it was going to."""
        operator.due[uid] = min(at, operator.due.get(uid, at))

    async def move_a_pod(self) -> bool:
        """One pod makes its next move."""
        moving = [p for p in self.cluster.pods.values() if p.phase != "Ended"]
        if not moving:
            return False
        await self.cluster.move_pod(self.random.choice(moving))
        return True

    async def watch(self) -> None:
        """Bells and watch events reach whoever is alive; every 15 s everything is looked at again."""
        if self.cluster.now_ms >= self.next_relist:
            self.next_relist = self.cluster.now_ms + RELIST_MS
            self.cluster.rung.update(self.cluster.runs)
        rung, self.cluster.rung = self.cluster.rung, set()
        for uid in sorted(rung):
            await self.cluster.look_at_pods(self.cluster.runs[uid].ref)
            for operator in self.operators:
                self.mark(operator, uid, 0)

    async def misbehave(self) -> None:
        """Crash an operator, let another take over while it still runs, or kill a pod."""
        kind = self.random.choice(["crash", "takeover", "kill"])
        if self.left[kind] == 0:
            return
        self.left[kind] -= 1
        if kind == "kill":
            living = [p for p in self.cluster.pods.values() if p.phase != "Ended"]
            if living:
                self.cluster.kill(self.random.choice(living))
            return
        if kind == "crash":
            for operator in self.operators:
                await self.stop(operator)
        await self.start_operator()

    async def stop(self, operator: Operator) -> None:
        """SIGKILL: nothing more of it runs, wherever it was."""
        operator.alive = False
        for task in operator.busy.values():
            task.cancel()
        await asyncio.gather(*operator.busy.values(), return_exceptions=True)
        operator.busy.clear()

    async def cancel_a_run(self) -> None:
        """Somebody cancels."""
        uid = self.random.choice(sorted(self.cluster.runs))
        event = ev.CancelRequested(id="c1", reason="changed my mind", by="test")
        await self.store.append(Entry(run=uid, digest="c1", body=encode_event(event)))
        self.cluster.rung.add(uid)

    async def let_time_pass(self) -> None:
        """Nothing waits: go to the next time that anybody asked for."""
        times = [at for operator in self.operators if operator.alive for at in operator.due.values()]
        now = self.cluster.now_ms
        self.cluster.now_ms = min(at for at in (*times, self.next_relist, now + 60_000) if at > now)

    async def known(self, uid: str) -> KnownRun | None:
        """A run as stored."""
        snapshot = await self.store.load(uid)
        if snapshot is None or snapshot.records is None or snapshot.actions is None:
            return None
        return read_run(snapshot.records, snapshot.actions, snapshot.revision, pending_timeout_ms=600_000)

    async def is_at_rest(self) -> bool:
        """Tell whether every run has ended, nothing is left to do, and its status says so."""
        if self.checkpoints.paused or any(o.busy for o in self.operators):
            return False
        for uid, run in self.cluster.runs.items():
            known = await self.known(uid)
            if known is None or known.state.header.stage is not Stage.OVER or known.outbox:
                return False
            if run.status.get("phase") not in ENDED:
                return False
        return not any(self.is_leftover(pod) for pod in self.cluster.pods.values())

    def is_leftover(self, pod: Pod) -> bool:
        """Tell whether a pod still does something, and nobody stopped it."""
        return pod.phase != "Ended" and not pod.foreign

    async def close(self) -> None:
        """Stop everything."""
        for operator in self.operators:
            await self.stop(operator)
        await self.evaluator.close()
