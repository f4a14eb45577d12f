"""What is shown of a run that a state file has."""

import pytest

from reactor_operator.cli.stored import load_inputs
from reactor_operator.cli.stored_maps import MapRecord, read_outcomes
from reactor_operator.encryption import Key, Keyring
from reactor_operator.engine.plan import NO_STEPS
from reactor_operator.engine.state import ElementOutcome, ElementPhase, MapState, RunState, StepState
from reactor_operator.engine.values import reference_to
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import Definition
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.outcome_pages import encode_outcomes
from reactor_operator.store.port import Commit

KEYS = Keyring((Key(b"1" * 32),))


@pytest.mark.parametrize(("sensitive", "shown"), [(True, "***"), (False, "CANARY")])
async def test_a_run_without_steps_does_not_know_which_inputs_are_sensitive_so_none_of_encrypted_ones_is_shown(
    sensitive: bool, shown: str
) -> None:
    """One that took the outcome of another run has inputs and no steps."""
    document = b'{"card":"CANARY"}'
    if sensitive:
        document = KEYS.encrypt("uid", "inputs", document)
    inputs = reference_to(document)
    store = MemoryStore()
    await store.put_values("uid", {inputs.digest: document})
    run = RunRef("shop", "r", "uid")
    definition = Definition(run=run, created_at=0, generation=1, reactor_name="x", inputs=inputs)
    known = KnownRun(definition=definition, blueprint=None, plan=NO_STEPS, state=RunState())
    assert await load_inputs(store, known, KEYS) == {"card": shown}


async def test_of_a_map_that_goes_on_the_pages_that_are_whole_are_read_and_those_that_are_not_are_at_hand() -> None:
    done = ElementOutcome(phase=ElementPhase.SUCCEEDED)
    whole = encode_outcomes("rows", 0, dict.fromkeys(range(100), done))
    store = MemoryStore()
    await store.commit(
        Commit(run="uid", revision=0, epoch=await store.claim_epoch(0), pages={"outcome/rows/2/0": whole})
    )
    state = RunState(steps={"rows": StepState(round=2, map=MapState(opened=103))}, pages={"rows": {1: {101: done}}})
    pages = [page async for page in read_outcomes(store, MapRecord(uid="uid", path="rows", state=state))]
    assert [sorted(page) for page in pages] == [[*range(100)], [101]]
