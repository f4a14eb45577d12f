"""Runs whose stored state was lost in part, or is older than what people were told of it: they are stopped.

In: a snapshot of a run that is not known, or changed behind our back. Out: the run as it may go on from, if it may.
Never here: a run of which nothing is stored (`first_commit`).
"""

from collections.abc import Sequence
from dataclasses import replace

from reactor_operator.engine.causes import STATE_LOST, Cause
from reactor_operator.engine.decide import recovering
from reactor_operator.engine.history import run_moved
from reactor_operator.engine.state import Stage
from reactor_operator.ports import Definitions, RunObject, RunRef
from reactor_operator.reconciling.committing import Commits
from reactor_operator.reconciling.inbox import ASKED_BEFORE, NEEDS_WHAT_IS_LOST, events_of, last_of, refused_if_old
from reactor_operator.reconciling.notices import answered
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.reconciling.signals import parse_requests
from reactor_operator.reconciling.standing import Signalled, nothing_signalled
from reactor_operator.reconciling.told import told_end, told_recovering, told_sequence
from reactor_operator.store.port import Snapshot


class Recovery:
    """Compares what is stored of runs with what is known of them besides, and stops those of which some is lost."""

    def __init__(self, commits: Commits, definitions: Definitions, signalled: Signalled = nothing_signalled) -> None:
        self._commits = commits
        self._definitions = definitions
        self._signalled = signalled

    async def read(self, ref: RunRef, snapshot: Snapshot, committed: int) -> KnownRun | None:
        """Read a run that is not known, or changed behind our back; compare it with what people were told of it and
        with the revision that we `committed` ourselves.

        None where nothing is left to do: its object was deleted (its pods go with it, and its state is swept), or tells
        that the run has ended.
        """
        revision = snapshot.revision
        known = self._commits.read(snapshot)
        stage = known.state.header.stage
        if stage is Stage.RECOVERING:
            return known
        run = await self._definitions.get_run(ref)
        if run is None:
            return None
        over = stage is Stage.OVER  # told as recovering, such a run has ended since, by a cancel
        if max(told_sequence(run), committed) <= revision and (over or not told_recovering(run)):
            return known
        if told_end(run):  # nothing is left to do, whatever the older state says
            if over:
                return known
            self._commits.memory.outlived.add(ref.uid)
            return None
        return await self._stop(known, snapshot.inbox, run=run)

    async def recover(self, ref: RunRef) -> None:
        """A document that the run needs is gone from the store: its state is there, and is no use without it."""
        self._commits.memory.known.pop(ref.uid, None)
        snapshot = await self._commits.store.load(ref.uid)
        if snapshot is None or snapshot.records is None or snapshot.actions is None:
            return
        known = await self.read(ref, snapshot, 0)
        if known is not None:
            stands = known.state.header.stage in {Stage.OVER, Stage.RECOVERING}  # so a request needs what is gone
            run = None if stands else await self._definitions.get_run(ref)
            refusal = NEEDS_WHAT_IS_LOST if stands else ASKED_BEFORE
            await self._stop(known, snapshot.inbox, refusal, run)

    async def _stop(
        self,
        known: KnownRun,
        inbox: Sequence[tuple[int, bytes]],
        refusal: str = ASKED_BEFORE,
        run: RunObject | None = None,
    ) -> KnownRun:
        """Start nothing more. Saved before it is told: once the status shows it, nothing else knows of the loss.

        The inbox is as old as the state. A request in it was made, and perhaps done, before the loss: it is no answer
        to it, and must not be taken for one. No more is one that still stands on the object (`run`), or is an object
        itself: only after its answer was told is the first taken away, and the other one answered. An end stands where
        no more than a document is gone; in an older copy it may be one that the run was taken up after.
        """
        standing = [*parse_requests(run), *self._signalled(run.ref)] if run is not None else []
        asked = [*events_of(inbox), *(one.event for one in standing)]
        header = known.state.header
        if header.stage is not Stage.OVER or refusal == ASKED_BEFORE:
            header = replace(recovering(header, self._commits.clock.now()), finished_at=None)
        stopped = self._commits.over(replace(known, state=replace(known.state, header=header)))
        events, sent = answered(known, [refused_if_old(event, refusal) for event in asked])
        decided = await self._commits.fold(stopped, events)
        if header.phase is not known.state.header.phase:
            moved = run_moved(known.state.header.phase, stopped.known.state, Cause(STATE_LOST))
            decided = replace(decided, history=(moved, *decided.history))
        passing = self._commits.over(known)
        passing.acknowledged |= sent
        await self._commits.save(passing, decided, last_of(inbox))
        return passing.known
