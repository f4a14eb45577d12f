"""Steps that run at every end, and a failure that explains itself, on a real cluster."""

import pytest

from tests.cluster.cluster import Namespace, phases_of, python_step, reactor, run_of, steps_of

UNDO = {"python": {"source": "def main(**_): pass"}}
DECLINES = "def main(card):\n    if card == 'bad':\n        raise ValueError('declined')\n    return card\n"
TELL = python_step(
    "tell",
    "def main(**given): return given",
    arguments={"phase": {"expr": "run.phase"}, "why": {"expr": "run.failure == null ? '' : run.failure.message"}},
)


@pytest.mark.parametrize(
    ("card", "phase", "why"), [("good", "Succeeded", ""), ("bad", "Failed", "ValueError: declined")]
)
def test_finally_steps_run_after_a_success_and_after_a_rollback(
    namespace: Namespace, card: str, phase: str, why: str
) -> None:
    charge = python_step("charge", DECLINES, waitFor=["reserve"], arguments={"card": {"input": "card"}})
    clean = python_step("clean", "def main(): raise OSError('no space')", waitFor=["tell"])
    namespace.apply(
        reactor("ends", [python_step("reserve", undo=UNDO), charge], **{"finally": [TELL, clean]}),
        run_of("ends", "ends-1", inputs={"card": card}),
    )
    status = namespace.wait_finished("ends-1")
    assert status["phase"] == phase
    assert steps_of(status)["tell"]["result"] == {"phase": phase, "why": why}
    assert phases_of(status)["clean"] == "Failed"
    assert phases_of(status)["reserve"] == ("Succeeded" if card == "good" else "Undone")


def test_the_status_of_a_failed_run_shows_the_line_that_failed(namespace: Namespace) -> None:
    step = python_step("charge", DECLINES, arguments={"card": {"value": "bad"}})
    namespace.apply(reactor("explained", [step]), run_of("explained", "explained-1"))
    failure = namespace.wait_finished("explained-1")["failure"]
    assert (failure["kind"], failure["message"], failure["line"]) == ("Error", "ValueError: declined", 3)
    assert any(line.startswith(">") and "declined" in line for line in failure["detail"]["source"].split("\n"))
