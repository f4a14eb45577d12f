"""How the runs stand that have not ended is counted when the metrics are read."""

from tests.unit.metering.counted import Counted
from tests.unit.reconciling.conftest import REF, RUN

ASK, CONFIRM = {"name": "ask", "interrupt": {}}, {"name": "confirm", "interrupt": {}}
TOLD = {"notifications": [{"name": "audit", "events": ["*"], "http": {"url": "http://127.0.0.1:9/"}}]}


async def test_a_run_is_shown_in_its_phase_until_it_ends() -> None:
    world = await Counted().after(0)
    assert world.says("reactor_runs", phase="Running") == 1
    await world.ask("suspend")
    await world.after(0)
    assert (world.says("reactor_runs", phase="Running"), world.says("reactor_runs", phase="Suspended")) == (None, 1)
    await world.ask("cancel", "2")
    await world.did("a")
    await world.after(0)
    assert world.says("reactor_runs", phase="Suspended") is None


async def test_a_run_whose_state_was_lost_is_shown_as_recovering() -> None:
    world = await Counted().after(0)
    await world.store.forget(REF.uid)
    await world.after(0)
    assert world.says("reactor_runs", phase="Recovering") == 1
    assert world.says("reactor_runs_started_total") == 1


async def test_open_interrupts_are_shown_also_in_elements_and_those_that_closed_are_not() -> None:
    rows = {
        "name": "rows",
        "map": {
            "source": {"value": [1, 2]},
            "steps": [CONFIRM, {"name": "b", "run": RUN, "waitFor": ["confirm"]}],
            "returns": {"result": "confirm"},
        },
    }
    world = Counted([ASK, rows])
    world.source = [1, 2]
    await world.after(0)
    assert world.says("reactor_interrupts_open") == 3
    await world.ask("resume", step="rows[0]/confirm", payload=True)
    await world.after(0)
    assert world.says("reactor_interrupts_open") == 2
    assert world.says("reactor_signals_total", action="resume", answer="accepted") == 1


async def test_events_that_wait_for_notifications_are_shown_also_of_a_run_that_has_ended() -> None:
    world = await Counted([{"name": "a", "run": RUN}], spec=TOLD).after(0)
    assert world.says("reactor_notifications_pending") == 1
    await world.did("a")
    await world.after(0)
    assert world.says("reactor_runs", phase="Running") is None
    assert world.says("reactor_notifications_pending") == 2
