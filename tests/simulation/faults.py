"""What goes wrong, when it is its turn: each fault is tried as often as the seed says, where it can hurt.

In: a world and how often each fault may be tried. Out: a world in which it has happened. Never here: what must hold.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from reactor_operator.engine import events as ev
from reactor_operator.engine.identity import Action, Task
from reactor_operator.reconciling.told import told_end, told_sequence
from tests.simulation.coverage import Fault
from tests.simulation.operators import Operator
from tests.simulation.pods import Pod, PodPhase

if TYPE_CHECKING:
    from tests.simulation.world import World

PAUSE_MS = 30_000
_ASKING = (Fault.CANCEL, Fault.REQUEST)
_AFTER_ASKING = (Fault.CRASH, Fault.CRASH, Fault.TAKEOVER, Fault.STORE_EMPTIED, Fault.STORE_ROLLED_BACK)
"""What follows where somebody has asked: it hurts while a request is taken up, which is a moment."""


class Faults:
    """The faults that are left to one world."""

    def __init__(self, world: "World", left: dict[Fault, int]) -> None:
        self._world = world
        self._left = left
        self._random = world.random
        self._soon: tuple[Fault, int] | None = None
        self._do: dict[Fault, Callable[[], Awaitable[bool]]] = {
            Fault.CRASH: self._crash,
            Fault.TAKEOVER: self._take_over,
            Fault.PAUSE: self._pause,
            Fault.CUT_FROM_API: self._cut_from_api,
            Fault.CUT_FROM_STORE: self._cut_from_store,
            Fault.CREATE_REFUSED: self._refuse_create,
            Fault.STATUS_OVERWRITTEN: self._overwrite_status,
            Fault.RUN_ANNOTATIONS: self._overwrite_annotations,
            Fault.POD_LABELS: lambda: self._corrupt_pod(Fault.POD_LABELS),
            Fault.POD_OWNER: lambda: self._corrupt_pod(Fault.POD_OWNER),
            Fault.POD_SEAL: lambda: self._corrupt_pod(Fault.POD_SEAL),
            Fault.LATE_CREATE: self._land_late_create,
            Fault.ENTRY_REPEATED: self._send_again,
            Fault.STALE_WAITING: self._tell_stale_reason,
            Fault.KILL: self._kill,
            Fault.VANISH: self._vanish,
            Fault.CUT_OFF: self._cut_off,
            Fault.FOREIGN_POD: self._add_foreign_pod,
            Fault.CANCEL: self._cancel,
            Fault.REQUEST: self._request,
            Fault.DELETE_RUN: self._delete_run,
            Fault.STORE_EMPTIED: self._empty_store,
            Fault.STORE_ROLLED_BACK: self._roll_store_back,
        }

    async def strike(self) -> bool:
        """Let one of the faults that are left happen; False where none can now."""
        if self._left.get(Fault.STORE_ROLLED_BACK) and self._random.random() < 0.3:
            await self._world.shared.copy()
        left = [fault for fault, times in self._left.items() if times]
        return bool(left) and await self._strike_with(self._random.choice(left))

    async def strike_soon(self) -> bool:
        """Let the fault happen that was to follow a request, when its turn has come."""
        if self._soon is None:
            return False
        fault, turns = self._soon
        self._soon = (fault, turns - 1) if turns else None
        return not turns and bool(self._left.get(fault)) and await self._strike_with(fault)

    async def _strike_with(self, fault: Fault) -> bool:
        self._world.trace.note("fault", fault)
        struck = await self._do[fault]()
        self._left[fault] -= struck
        if struck and fault in _ASKING:
            self.follow()
        return struck

    def follow(self) -> None:
        """Let something go wrong soon, for somebody has asked for something."""
        self._soon = (self._random.choice(_AFTER_ASKING), self._random.randrange(30))

    async def stop(self) -> None:
        """Nothing more goes wrong: nodes answer again, people remove the pods that they made unbelievable."""
        self._left.clear()
        self._soon = None
        world = self._world
        world.checkpoints.held.clear()
        world.cluster.heal()
        world.cluster.remove_corrupted()
        world.cluster.under_way.clear()
        world.cluster.refuses_creates = False
        for operator in world.operators:
            operator.connection.cut_off_until = operator.store.away_until = 0
        if not any(operator.alive and operator.connection.in_charge for operator in world.operators):
            await world.start_operator()

    def _pods(self) -> list[Pod]:
        """Return the pods of which something may still run."""
        return [pod for pod in self._world.cluster.pods.values() if not pod.is_ended() and not pod.foreign]

    def _runs(self) -> list[str]:
        """Return the runs that have not ended yet."""
        return [uid for uid, run in self._world.cluster.runs.items() if not told_end(run)]

    def _leader(self) -> Operator:
        return self._world.operators[-1]

    async def _crash(self) -> bool:
        """Everything that is under way stops where it is, and another operator starts."""
        world = self._world
        world.coverage.note(Fault.CRASH)
        for paused in world.checkpoints.paused:
            world.coverage.crashed[paused.place.value] += 1
        for operator in world.operators:
            await operator.stop()
        world.checkpoints.held.clear()
        await world.start_operator()
        return True

    async def _take_over(self) -> bool:
        """Another operator starts while this one goes on."""
        self._world.coverage.note(Fault.TAKEOVER)
        await self._world.start_operator()
        return True

    async def _pause(self) -> bool:
        """The leader stops for 30 s, in which its lease goes to another; then it goes on where it was."""
        world, paused = self._world, self._leader()
        world.coverage.note(Fault.PAUSE)
        world.checkpoints.held.add(paused.name)
        world.cluster.pass_to(world.cluster.now_ms + PAUSE_MS)
        paused.connection.fenced = True
        await world.start_operator()
        return True

    async def _cut_from_api(self) -> bool:
        """The leader reaches the store, and not the API server: its lease may go to another meanwhile."""
        world, leader = self._world, self._leader()
        world.coverage.note(Fault.CUT_FROM_API)
        leader.connection.cut_off_until = world.cluster.now_ms + PAUSE_MS
        if self._random.random() < 0.5:
            leader.connection.fenced = True
            await world.start_operator()
        return True

    async def _cut_from_store(self) -> bool:
        """The leader reaches the API server, and not the store; it stays the leader."""
        world = self._world
        world.coverage.note(Fault.CUT_FROM_STORE)
        self._leader().store.away_until = world.cluster.now_ms + PAUSE_MS
        return True

    async def _refuse_create(self) -> bool:
        self._world.cluster.refuses_creates = True
        return True

    async def _overwrite_status(self) -> bool:
        """A status is emptied, brought back as it once was, made nonsense of, or ahead of the store."""
        cluster = self._world.cluster
        told = [uid for uid in self._runs() if told_sequence(cluster.runs[uid]) > 0]
        if not told or self._world.ledger.lost:
            return False
        uid = self._random.choice(told)
        status = cluster.runs[uid].status
        nonsense = {"phase": 7, "store": "x", "conditions": "y", "steps": [None], "signals": {}, "requests": 3}
        ahead = {**status, "store": {"incarnation": "x", "sequence": told_sequence(cluster.runs[uid]) + 1_000}}
        old = cluster.told_first.get(uid, {})
        cluster.overwrite_status(uid, self._random.choice([{}, dict(old), nonsense, ahead]))
        return True

    async def _overwrite_annotations(self) -> bool:
        """What is asked of a run is removed or changed, or the count of what was answered is."""
        cluster = self._world.cluster
        runs = list(cluster.runs)
        if not runs:
            return False
        uid = self._random.choice([uid for uid in runs if cluster.runs[uid].annotations] or runs)
        there = dict(cluster.runs[uid].annotations)
        changed = dict.fromkeys(there, '{"step": "s1"}')
        cluster.overwrite_annotations(
            uid, self._random.choice([{}, changed, {**there, "reactor.run/answered.undo": "x"}])
        )
        return True

    async def _corrupt_pod(self, fault: Fault) -> bool:
        pods = self._pods()
        if pods:
            self._world.cluster.corrupt_pod(self._random.choice(pods), fault)
        return bool(pods)

    async def _land_late_create(self) -> bool:
        cluster = self._world.cluster
        if not cluster.under_way:
            return False
        cluster.land_late_create()
        return True

    async def _send_again(self) -> bool:
        if not self._world.cluster.sent:
            return False
        await self._world.cluster.send_again()
        return True

    async def _tell_stale_reason(self) -> bool:
        pods = self._pods()
        if pods:
            await self._world.cluster.tell_stale_reason(self._random.choice(pods))
        return bool(pods)

    async def _kill(self) -> bool:
        pods = self._pods()
        if pods:
            self._world.cluster.kill(self._random.choice(pods))
        return bool(pods)

    async def _vanish(self) -> bool:
        pods = self._pods()
        if pods:
            self._world.cluster.vanish(self._random.choice(pods))
        return bool(pods)

    async def _cut_off(self) -> bool:
        pods = [pod for pod in self._pods() if pod.phase is not PodPhase.PENDING and pod.cut_off_at is None]
        if pods:
            self._world.cluster.cut_off(self._random.choice(pods), asleep=self._random.random() < 0.5)
        return bool(pods)

    async def _add_foreign_pod(self) -> bool:
        runs = self._runs()
        if not runs:
            return False
        uid = self._random.choice(runs)
        ref = self._world.cluster.runs[uid].ref
        path = f"s{self._random.randrange(3)}"
        task = Task(path, self._random.choice(list(Action)), 1, self._random.randint(1, 2), self._random.randint(1, 2))
        self._world.cluster.add_foreign_pod(ref, task)
        return True

    async def _cancel(self) -> bool:
        runs = self._runs()
        if runs:
            self._world.coverage.note(Fault.CANCEL)
            self._world.people.ask(self._random.choice(runs), ev.CancelRequested(id="", reason="changed my mind"), "c1")
        return bool(runs)

    async def _request(self) -> bool:
        """People ask for something, and for something else, in whatever phase the run is, also when it is over."""
        runs = list(self._world.cluster.runs)
        if not runs:
            return False
        self._world.coverage.note(Fault.REQUEST)
        uid, name = self._random.choice(runs), f"q{self._random.randrange(10**6)}"
        generation = self._random.randint(2, 9)
        holds: ev.Signal | ev.SpecChanged = ev.SpecChanged(suspended=True, generation=generation)
        if generation % 2 == 0:
            holds = ev.SuspendRequested(id="", suspended=generation < 8)
        requests: list[ev.Signal | ev.SpecChanged] = [
            ev.UndoRequested(id=""),
            ev.RetryRequested(id="", undone=tuple(f"s{number}" for number in range(2))),
            ev.SkipRequested(id="", step=f"s{self._random.randrange(3)}"),
            ev.RequestUnreadable(id="", action="skip", reason=""),
            holds,
        ]
        for number, request in enumerate(self._random.sample(requests, 2)):
            if isinstance(request, ev.SpecChanged):
                await self._world.change_spec(uid, request, f"{name} {type(request).__name__}")
            else:
                self._world.people.ask(uid, request, f"{name}-{number}")  # an id is nobody else's
        return True

    async def _delete_run(self) -> bool:
        runs = [uid for uid in self._runs() if self._world.cluster.runs[uid].ref.name != "run-unsound"]
        if runs:
            self._world.cluster.delete_run(self._world.cluster.runs[self._random.choice(runs)].ref)
        return bool(runs)

    async def _empty_store(self) -> bool:
        """FLUSHALL: every run that was told of anything must notice; of the others nothing was ever told."""
        world = self._world
        world.coverage.note(Fault.STORE_EMPTIED)
        await world.shared.empty()
        await self._lose()
        return True

    async def _roll_store_back(self) -> bool:
        world = self._world
        if not world.shared.has_copies():
            return False
        world.coverage.note(Fault.STORE_ROLLED_BACK)
        await world.shared.roll_back(self._random)
        await self._lose()
        return True

    async def _lose(self) -> None:
        """Say which runs lost state, and for which of them a live read can tell."""
        world = self._world
        for uid, run in world.cluster.runs.items():
            stored = await world.shared.load(uid)
            revision = stored.revision if stored is not None else 0
            world.ledger.lose(uid, detectable=told_sequence(run) > revision)
        for uid in world.cluster.deleted:
            world.ledger.lose(uid, detectable=False)
        for operator in world.operators:
            if operator.connection.in_charge:
                operator.notice_another_store(world.cluster.runs)
            else:
                await operator.stop()
