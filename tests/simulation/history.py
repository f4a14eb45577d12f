"""What must hold of the history of a run in a world at rest (FAULTS: O7): it tells where everything is, once.

In: a world and a run of it. Out: nothing, or an AssertionError that names the run and the path.
Never here: what really happened (`ledger.py`); a history tells what was decided.
"""

from reactor_operator.engine.history import is_told
from reactor_operator.engine.state import ElementPhase, StepPhase
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.codec import decode_transition
from tests.retold import Retold
from tests.simulation.mapped_oracles import outcomes_of
from tests.simulation.world import World

_AT_ONCE = 50
_ENDS = {
    ElementPhase.SUCCEEDED: {StepPhase.SUCCEEDED, StepPhase.IGNORED},
    ElementPhase.SKIPPED: {StepPhase.SKIPPED},
    ElementPhase.UNDONE: {StepPhase.UNDONE, StepPhase.COMPENSATED},
    ElementPhase.FAILED: {StepPhase.FAILED, StepPhase.CANCELLED, StepPhase.COMPENSATED, StepPhase.UNDONE},
    ElementPhase.STOPPED: {StepPhase.FAILED, StepPhase.CANCELLED, StepPhase.COMPENSATED, StepPhase.UNDONE},
}
"""Where the outermost step of an element may be, by the outcome that is kept of it alone."""


async def check_history(world: World, known: KnownRun) -> None:
    """Read the history of a run page by page: each entry goes on from the last one of its path, to where it is now."""
    uid, name, retold, after = known.definition.run.uid, known.definition.run.name, Retold(), 0
    while True:
        page = await world.shared.get_history(uid, after, _AT_ONCE)
        assert page.first == 1, f"O7: the beginning of the history of {name} is gone"
        if not page.entries:
            break
        assert [number for number, _ in page.entries] == list(range(after + 1, after + 1 + len(page.entries)))
        retold.take(decode_transition(body) for _, body in page.entries)
        after = page.entries[-1][0]
    assert after == page.last, f"O7: {name} has entries that cannot be read"
    retold.check(known.state)
    for of, outcomes in (await outcomes_of(world, known)).items():
        for index, outcome in outcomes.items():
            key = f"{of}[{index}]"
            if is_told(key) and outcome.kept is None and key in retold.phases:
                assert retold.phases[key] in _ENDS[outcome.phase], f"O7: {name}: {key} is {outcome.phase}"
