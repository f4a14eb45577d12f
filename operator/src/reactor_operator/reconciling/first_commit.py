"""The first commit of a run: it begins, has ended before it began, or is stored as one whose state was lost.

In: the key of a run of which nothing is stored. Out: a pass over it, committed; or when to look at it again.
Never here: what becomes of it (`first_look` says), or an order performed.
"""

from dataclasses import replace

from reactor_operator.engine.actions import Evaluation
from reactor_operator.engine.causes import STATE_LOST, Cause, one_line
from reactor_operator.engine.decide import begin, recovering
from reactor_operator.engine.history import run_moved
from reactor_operator.engine.state import RunPhase, RunState, SignalAnswer
from reactor_operator.ports import Definitions, RunObject, RunRef
from reactor_operator.reconciling.committing import Commits
from reactor_operator.reconciling.definition import Definition
from reactor_operator.reconciling.first_look import Begins, Ends, FirstLook, Lost, Waits
from reactor_operator.reconciling.passing import Pass
from reactor_operator.reconciling.records import Decided
from reactor_operator.reconciling.reporting import Reporter
from reactor_operator.reconciling.told import told_answers, told_end, told_reactor, told_sequence, with_answers


class FirstCommit:
    """Stores runs of which nothing is stored."""

    def __init__(self, commits: Commits, first_look: FirstLook, definitions: Definitions, reporter: Reporter) -> None:
        self._commits = commits
        self._first_look = first_look
        self._definitions = definitions
        self._reporter = reporter

    async def make(self, ref: RunRef, *, lost: bool) -> Pass | int | None:
        """Return a pass over the run as stored now; else when to look again (int ms), None where nothing is due.

        Where something once was stored (`lost`, or its status says so) that is gone, and nothing is started.
        """
        run = await self._definitions.get_run(ref)
        if run is None or run.deleting:
            self._commits.places.drop(ref.uid)
            return None
        if told_end(run):
            return None
        now = self._commits.clock.now()
        if lost or told_sequence(run) > 0:
            return await self._lost(run, now)
        found = await self._first_look.look(run, now)
        match found:
            case Begins():
                return await self._begun(found, told_answers(run), now)
            case Ends():
                return await self._ended(found, told_answers(run))
            case Lost():
                return await self._lost(run, now)
            case Waits():
                if found.status is not None:
                    await self._reporter.waits(ref, found.status)
                return found.until

    async def _begun(self, begins: Begins, told: tuple[SignalAnswer, ...], now: int) -> Pass:
        judged, pinned = begins.opened, begins.opened.definition
        assert pinned.inputs is not None
        values = {pinned.inputs.digest: judged.inputs}
        _, plan = self._commits.compile(pinned)
        begun = begin(plan, pinned.run.uid, now, suspended=judged.suspended, generation=pinned.generation)
        passing = self._commits.over_new(pinned, begun)
        passing.documents.add(values)
        decided = await self._commits.fold(passing, begins.asked)
        decided = replace(decided, state=with_answers(decided.state, told))  # after it: an answered suspend counts
        await self._commits.save(passing, replace(decided, values={**values, **decided.values}))
        return passing

    async def _ended(self, ends: Ends, told: tuple[SignalAnswer, ...]) -> Pass:
        """Store a run that has ended before it began. It holds no key, for it did nothing."""
        state = with_answers(ends.decision.state, told)
        passing = self._commits.over_new(replace(ends.definition, key=None, key_inputs=""), state)
        passing.documents.add(ends.values)
        effects = tuple(action for action in ends.decision.actions if not isinstance(action, Evaluation))
        decided = Decided(
            state=state,
            actions=effects,
            values=ends.values,
            facts=ends.decision.facts,
            history=(run_moved(RunPhase.PENDING, state, _why_it_ended(state)),),
        )
        await self._commits.save(passing, decided, share=ends.share)
        return passing

    async def _lost(self, run: RunObject, now: int) -> Pass:
        """Store that the run is recovering, so that a cancel finds it; its pinned definition is gone with the rest."""
        definition = Definition(
            run=run.ref,
            created_at=run.created_at,
            generation=run.generation,
            reactor_name=told_reactor(run),
            lost=True,
        )
        definition = await self._commits.keys.keep(run, definition)
        begun = begin(self._commits.compile(definition)[1], run.ref.uid, now)
        state = replace(begun, header=recovering(begun.header, now))
        passing = self._commits.over_new(definition, state)
        history = (run_moved(RunPhase.PENDING, state, Cause(STATE_LOST)),)
        await self._commits.save(passing, Decided(state=state, history=history))
        return passing


def _why_it_ended(state: RunState) -> Cause:
    """Return why a run ended before it began."""
    header = state.header
    if header.taken is not None:
        return Cause("OutcomeTaken", text=one_line(f"run {header.taken.run}"))
    if header.phase is RunPhase.CANCELLED:
        by = next((one.by for one in header.signals if one.action == "cancel" and one.accepted), "")
        return Cause("CancelRequested", by=one_line(by), text=one_line(header.cancel_reason))
    failure = header.failure.failure if header.failure is not None else None
    return Cause("RunRefused", text=one_line(f"{failure.kind}: {failure.message}") if failure is not None else "")
