"""Which request makes sense in which phase, as a page for people, rendered from the engine's table.

In: `engine.signals.TABLE`. Out: Markdown. Never here: a rule.

`python -m reactor_operator.api.phases FILE` writes it.
"""

import sys
from pathlib import Path

from reactor_operator.engine.signals import GO_ON, TABLE
from reactor_operator.engine.state import RunPhase

_MEANINGS = {
    RunPhase.PENDING: "waits for its Reactor",
    RunPhase.RUNNING: "goes forward",
    RunPhase.PAUSED: "waits for a signal, and nothing else can run",
    RunPhase.SUSPENDED: "holds still, because `spec.suspend` is true or somebody asked for it",
    RunPhase.ROLLING_BACK: "is being reversed, newest first",
    RunPhase.RECOVERING: "state was lost; nothing starts",
    RunPhase.SUCCEEDED: "ended well",
    RunPhase.FAILED: "failed; what it did is reversed, or listed in `status.rollback.failures`",
    RunPhase.CANCELLED: "was stopped, everything is kept",
    RunPhase.HALTED: "ended on purpose, everything is kept",
    RunPhase.UNDONE: "was taken back on request",
}
_HEAD = """# Phases and requests

Rendered from the table of the engine by `make crds`. Do not edit.

What may be asked of a run in each phase: by annotation (`reactor.run/undo`), by `status.requests`, or with
`reactor cancel`, `undo`, `retry`, `skip`, `resume` and `suspend` (see [signals](signals.md)); go on is `suspend` with
`false`, or `reactor suspend --off`. Each request is answered in `status.signals`, accepted or with the reason below.
Where it says accepted, something else may still speak against it, which is told there too. `spec.suspend` may be
changed at any time.

"""
_ASKED = ("cancel", "undo", "retry", "skip", "resume", "suspend", GO_ON)


def render_phases() -> str:
    """Return the page."""
    notes: dict[str, int] = {}
    rows = []
    for phase in RunPhase:
        cells = []
        for action in _ASKED:
            refused = TABLE[phase][action].replace("{phase}", "PHASE")
            cells.append(f"refused ({notes.setdefault(refused, len(notes) + 1)})" if refused else "accepted")
        rows.append(f"| {phase} | {_MEANINGS[phase]} | {' | '.join(cells)} |")
    reasons = [f"{number}. {reason}" for reason, number in notes.items()]
    columns = f"| phase | the run | {' | '.join(_ASKED)} |\n{'|---' * (len(_ASKED) + 2)}|\n"
    return _HEAD + columns + "\n".join(rows) + "\n\n" + "\n".join(reasons) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_phases(), encoding="utf-8")
