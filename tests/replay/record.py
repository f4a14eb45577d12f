"""Records the histories anew: `make histories`, or `python -m tests.replay.record [NAME…]` for some of them.

In: the scenarios. Out: `histories/NAME.json` for each. A file that no scenario writes any more is left alone: it is a
history that an earlier version wrote, and today's code has to finish it all the same.
Never here: what happens in a scenario (see `scenarios`, `map_scenarios`, `interrupt_scenarios`).
"""

import re
import sys
from collections.abc import Sequence

from reactor_operator.engine.state import Stage
from tests.replay import interrupt_scenarios, map_scenarios, scenarios
from tests.replay.history import FOLDER, History, parse_history, render_history
from tests.replay.recorded_run import RecordedRun
from tests.unit.engine.driver import START

SCENARIOS = {**scenarios.SCENARIOS, **map_scenarios.SCENARIOS, **interrupt_scenarios.SCENARIOS}
UID = "run-1"
_DIGEST = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}(?=:)")
"""References to values are cut to eight letters, which are enough for people; the engine never looks inside one."""


def record(name: str) -> History:
    """Play a scenario to its end."""
    scenario = SCENARIOS[name]
    run = RecordedRun(scenario.spec, UID)
    scenario.play(run)
    assert run.stage is Stage.OVER, f"scenario {name} does not end: {run.phase}, open: {', '.join(run.open)}"
    history = History(name=name, about=scenario.about, uid=UID, start=START, spec=scenario.spec, steps=run.history)
    return parse_history(name, _DIGEST.sub(r"\1", render_history(history)))


def main(names: Sequence[str]) -> None:
    """Write the histories of these names, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or SCENARIOS:
        (FOLDER / f"{name}.json").write_text(render_history(record(name)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
