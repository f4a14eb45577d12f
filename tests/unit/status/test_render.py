"""The status of a run: what it shows, what it cuts, and that it never outgrows its bounds."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from reactor_operator.api.status import RunStatus
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.plan import Plan, StepPlan
from reactor_operator.engine.state import (
    DeadNotice,
    Goal,
    Header,
    Notices,
    RollbackFailure,
    RollbackState,
    RunFailure,
    RunPhase,
    RunState,
    SignalAnswer,
    Stage,
    StepPhase,
    StepState,
    Suspension,
    Taken,
)
from reactor_operator.engine.values import reference_to
from reactor_operator.ports import RunRef
from reactor_operator.status.render import STATUS_LIMIT, RunFacts, render_pending, render_status, wanted_values

START = 1_795_348_800_000
FACTS = RunFacts(
    run=RunRef("shop", "order-1", "uid"),
    generation=3,
    reactor_name="checkout",
    reactor_uid="r-uid",
    reactor_generation=7,
    digest="d",
    incarnation="i",
    sequence=12,
)


BUSY = StepState(phase=StepPhase.RUNNING, task=Task("a", Action.RUN, 1, 1, 1))


def plan_of(*names: str) -> Plan:
    return Plan(steps={name: StepPlan(path=name, index=index) for index, name in enumerate(names)})


def running(**header: Any) -> Header:
    return Header(started_at=START, now=START + 7_500, **header)


def over(phase: RunPhase, **header: Any) -> Header:
    ended: dict[str, Any] = {"stage": Stage.OVER, "finished_at": START + 12_345, **header}
    return Header(phase=phase, started_at=START, now=START + 12_345, **ended)


def conditions(status: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in status["conditions"]}


def test_a_run_shows_where_it_is_and_what_it_is_pinned_to() -> None:
    state = RunState(
        header=running(),
        steps={
            "a": StepState(
                phase=StepPhase.SUCCEEDED, completion=1, run_attempts=2, started_at=START, finished_at=START
            ),
            "b": StepState(phase=StepPhase.RUNNING, task=Task("b", Action.RUN, 1, 1, 1)),
        },
    )
    status = render_status(FACTS, plan_of("a", "b", "c"), state, {})
    assert status["phase"] == "Running"
    assert status["progress"] == "1/3"
    assert status["message"] == "running b"
    assert status["duration"] == "7s500ms"
    assert status["observedGeneration"] == 3
    assert status["startedAt"] == "2026-11-22T12:00:00Z"
    assert status["reactor"] == {"name": "checkout", "uid": "r-uid", "generation": 7, "digest": "d"}
    assert status["store"] == {"incarnation": "i", "sequence": 12}
    steps: Any = status["steps"]
    assert [(step["name"], step["phase"]) for step in steps] == [("a", "Succeeded"), ("b", "Running"), ("c", "Pending")]
    assert steps[0]["attempts"] == 2
    assert steps[1]["podName"].startswith("order-1-b-")
    assert conditions(status) == {
        "Finished": "False",
        "Complete": "False",
        "Failed": "False",
        "RolledBack": "False",
        "Reconciling": "True",
        "Paused": "False",
        "Stalled": "False",
    }


def test_an_outcome_that_was_taken_says_whose_it_is() -> None:
    failed = RunFailure(step="ship", failure=Failure(kind=FailureKind.ERROR, message="no courier"), attempts=2)
    taken = Taken(run="order-0", uid="uid-0", ended_at=START - 60_000)
    header = over(RunPhase.FAILED, failure=failed, rollback=RollbackState.COMPLETE, undone=("a",), taken=taken)
    status = render_status(FACTS, plan_of(), RunState(header=header), {})
    assert status["takenFrom"] == {"name": "order-0", "uid": "uid-0", "finishedAt": "2026-11-22T11:59:00Z"}
    source = "taken from run order-0 (uid-0) that ended at 2026-11-22T11:59:00Z"
    assert status["message"] == f"{source}: ship: Error: no courier (rolled back: a)"
    assert RunStatus.model_validate(status).taken_from is not None


@pytest.mark.parametrize(
    ("phase", "complete", "failed"),
    [
        (RunPhase.SUCCEEDED, "True", "False"),
        (RunPhase.HALTED, "True", "False"),
        (RunPhase.FAILED, "False", "True"),
        (RunPhase.CANCELLED, "False", "True"),
    ],
)
def test_every_end_is_finished(phase: RunPhase, complete: str, failed: str) -> None:
    found = conditions(render_status(FACTS, plan_of(), RunState(header=over(phase)), {}))
    assert (found["Finished"], found["Complete"], found["Failed"], found["Reconciling"]) == (
        "True",
        complete,
        failed,
        "False",
    )


def test_the_same_state_renders_to_the_same_bytes_whenever() -> None:
    state = RunState(header=over(RunPhase.SUCCEEDED))
    one, other = (orjson.dumps(render_status(FACTS, plan_of("a"), state, {})) for _ in range(2))
    assert one == other
    times = {condition["lastTransitionTime"] for condition in orjson.loads(one)["conditions"]}
    assert times == {"2026-11-22T12:00:12Z"}


def test_a_failed_run_says_why_and_what_was_taken_back() -> None:
    failure = Failure(kind=FailureKind.FATAL, message="card\ndeclined")
    header = over(
        RunPhase.FAILED,
        failure=RunFailure(step="charge", failure=failure, attempts=2),
        rollback=RollbackState.INCOMPLETE,
        undone=("reserve",),
        rollback_failures=(RollbackFailure(step="ship", kind=FailureKind.UNCERTAIN, message="no undo"),),
    )
    status = render_status(FACTS, plan_of(), RunState(header=header), {})
    assert status["message"] == "charge: Fatal: card declined (rollback incomplete: ship)"
    assert status["failure"] == {"step": "charge", "kind": "Fatal", "message": "card\ndeclined", "attempts": 2}
    assert status["rollback"] == {
        "state": "Incomplete",
        "undone": ["reserve"],
        "failures": [{"step": "ship", "kind": "Uncertain", "message": "no undo"}],
    }


def test_a_step_that_waits_says_for_what() -> None:
    state = RunState(header=running(), steps={"a": StepState(phase=StepPhase.RUNNING, reason="ImagePullBackOff: x")})
    status = render_status(FACTS, plan_of("a"), state, {})
    assert status["message"] == "a: ImagePullBackOff: x"
    assert status["waiting"] == "a"


FAILED = Failure(kind=FailureKind.ERROR, message="declined")


@pytest.mark.parametrize(
    ("header", "steps", "message"),
    [
        ({}, {"a": StepState(phase=StepPhase.RETRYING, failure=FAILED)}, "retrying a after Error: declined"),
        (
            {"stage": Stage.HOLDING, "failing": ("a",)},
            {"a": StepState(phase=StepPhase.COMPENSATING, failure=FAILED), "b": StepState(phase=StepPhase.RUNNING)},
            "running b; compensating a after Error: declined",
        ),
        (
            {"phase": RunPhase.ROLLING_BACK, "failure": RunFailure(step="b", failure=FAILED)},
            {"a": StepState(phase=StepPhase.UNDOING, reason="Unschedulable")},
            "rolling back: b: Error: declined; undoing a; a: Unschedulable",
        ),
        (
            {"goal": Goal.CANCEL},
            {"a": StepState(phase=StepPhase.COMPENSATING, task=Task("a", Action.COMPENSATE, 1, 1, 1))},
            "cancelling, waiting for a",
        ),
        (
            {"suspended": True},
            {"a": BUSY},
            "suspended by spec.suspend: set it to false, or call `reactor suspend order-1 --off`, to go on; running a",
        ),
        (
            {"suspended": True, "suspension": Suspension(in_spec=False, by="ann", reason="look first")},
            {},
            "suspended on request (ann: look first): call `reactor suspend order-1 --off` to go on",
        ),
        (
            {"suspended": True, "suspension": Suspension(in_spec=True), "goal": Goal.UNDO},
            {},
            "undoing",
        ),
    ],
)
def test_a_run_says_what_it_does(header: dict[str, Any], steps: dict[str, StepState], message: str) -> None:
    status = render_status(FACTS, plan_of("a", "b"), RunState(header=running(**header), steps=steps), {})
    assert status["message"] == message


def test_a_failed_run_is_stalled_so_that_kstatus_calls_it_failed_and_a_cancelled_one_is_not() -> None:
    for phase, stalled in ((RunPhase.FAILED, "True"), (RunPhase.CANCELLED, "False"), (RunPhase.SUCCEEDED, "False")):
        header = over(phase, failure=RunFailure(step="a", failure=FAILED))
        assert conditions(render_status(FACTS, plan_of(), RunState(header=header), {}))["Stalled"] == stalled


def test_a_run_that_is_being_cancelled_says_what_it_waits_for() -> None:
    state = RunState(header=running(goal=Goal.CANCEL), steps={"a": BUSY})
    assert render_status(FACTS, plan_of("a"), state, {})["message"] == "cancelling, waiting for a"


def test_a_run_that_cannot_go_on_is_stalled() -> None:
    status = render_status(FACTS, plan_of(), RunState(header=running(phase=RunPhase.RECOVERING)), {}, stalled="lost")
    assert (conditions(status)["Stalled"], conditions(status)["Reconciling"]) == ("True", "False")
    assert status["message"] == "lost"


def test_what_became_of_notifications_is_shown_where_there_were_any() -> None:
    assert "notifications" not in render_status(FACTS, plan_of(), RunState(header=running()), {})
    last = DeadNotice(notification="audit", kind="run.failed", sequence=4, message="answered 500", at=START)
    notices = Notices(ordered=7, delivered=3, dead=1, last_failure=last)
    status = render_status(FACTS, plan_of(), RunState(header=running(notices=notices)), {})
    assert status["notifications"] == {
        "pending": 3,
        "delivered": 3,
        "dead": 1,
        "lastFailure": {
            "notification": "audit",
            "event": "run.failed",
            "sequence": 4,
            "message": "answered 500",
            "at": "2026-11-22T12:00:00Z",
        },
    }
    RunStatus.model_validate(status)


def test_answers_to_requests_are_shown() -> None:
    answer = SignalAnswer(id="1", action="cancel", accepted=False, reason="over", by="me", at=START)
    status = render_status(FACTS, plan_of(), RunState(header=running(signals=(answer,))), {})
    assert status["signals"] == [
        {"id": "1", "action": "cancel", "phase": "Rejected", "at": "2026-11-22T12:00:00Z", "reason": "over", "by": "me"}
    ]


def test_a_run_that_waits_for_its_reactor_is_pending_and_says_so() -> None:
    status = render_pending(1, "no Reactor", START)
    assert (status["phase"], status["message"]) == ("Pending", "no Reactor")
    assert conditions(status)["Finished"] == "False"


class TestResults:
    def test_a_small_result_is_shown_and_a_large_one_referred_to(self) -> None:
        small, large = b'{"a":null}', b'"' + b"x" * 20_000 + b'"'
        for document in (small, large):
            ref = reference_to(document)
            state = RunState(header=over(RunPhase.SUCCEEDED, result=ref))
            wanted = wanted_values(plan_of(), state)
            status = render_status(FACTS, plan_of(), state, {ref.digest: document})
            if document is small:
                assert wanted == {ref}
                assert status["result"] == {"a": None}
            else:
                assert wanted == frozenset()
                assert status["resultRef"] == {"digest": ref.digest, "size": ref.size}
                assert "result" not in status

    def test_a_document_that_is_not_at_hand_is_referred_to(self) -> None:
        ref = reference_to(b"1")
        status = render_status(FACTS, plan_of(), RunState(header=over(RunPhase.SUCCEEDED, result=ref)), {})
        assert status["resultRef"] == {"digest": ref.digest, "size": 1}

    def test_a_deep_document_is_referred_to(self) -> None:
        for depth, shown in ((60, True), (300, False)):
            document = b"[" * depth + b"]" * depth
            state = RunState(header=over(RunPhase.SUCCEEDED, result=reference_to(document)))
            status = render_status(FACTS, plan_of(), state, {reference_to(document).digest: document})
            assert ("result" in status) is shown

    def test_no_result_is_no_field(self) -> None:
        status = render_status(FACTS, plan_of(), RunState(header=over(RunPhase.SUCCEEDED)), {})
        assert "result" not in status
        assert "resultRef" not in status


class TestSize:
    """Whatever the run, its status fits, and what is kept is what matters most."""

    def crowded(self, count: int, letter: str = "m") -> tuple[Plan, RunState]:
        names = [f"step-{number:05}" for number in range(count)]
        failure = Failure(kind=FailureKind.ERROR, message=letter * 1024, exception=letter * 1024)
        done = StepState(phase=StepPhase.SUCCEEDED, started_at=START, finished_at=START, completion=1)
        steps = {name: replace(done, finished_at=START + number) for number, name in enumerate(names)}
        for name in names[100:200]:
            steps[name] = StepState(phase=StepPhase.FAILED, failure=failure, finished_at=START)
        for name in names[200:230]:
            steps[name] = StepState(phase=StepPhase.RUNNING)
        listed = tuple(RollbackFailure(step=name, kind=FailureKind.ERROR, message=letter * 1024) for name in names)
        answers = tuple(
            SignalAnswer(id=letter * 256, action="cancel", accepted=False, reason=letter * 1024, by=letter * 256)
            for _ in range(20)
        )
        header = over(
            RunPhase.FAILED,
            rollback=RollbackState.INCOMPLETE,
            rollback_failures=listed,
            undone=tuple(names),
            signals=answers,
            failure=RunFailure(step=names[0], failure=failure),
        )
        return plan_of(*names), RunState(header=header, steps=steps)

    @pytest.mark.parametrize("letter", ["m", '"', "é", "\N{PILE OF POO}"])
    def test_it_never_exceeds_256_kib_and_always_has_room_for_steps(self, letter: str) -> None:
        plan, state = self.crowded(10_000, letter)
        status: Any = render_status(FACTS, plan, state, {})
        assert len(orjson.dumps(status)) <= STATUS_LIMIT
        assert status["steps"]
        assert status["rollback"]["failures"]

    def test_a_step_that_could_not_be_undone_is_kept_before_all_that_went_well(self) -> None:
        plan, state = self.crowded(3_000)
        bad = Failure(kind=FailureKind.ERROR, message="no route")
        left = StepState(phase=StepPhase.ROLLBACK_FAILED, completion=1, cleanup_failure=bad, finished_at=START)
        status: Any = render_status(FACTS, plan, replace(state, steps={**state.steps, "step-00000": left}), {})
        assert status["steps"][0]["rollbackFailure"]["message"] == "no route"

    def test_failed_and_running_steps_are_kept_before_finished_ones(self) -> None:
        plan, state = self.crowded(10_000)
        status: Any = render_status(FACTS, plan, state, {})
        phases = [step["phase"] for step in status["steps"]]
        assert phases.count("Failed") == 100
        assert phases.count("Running") == 30
        assert status["stepsOmitted"] == 10_000 - len(phases)

    def test_of_finished_steps_the_newest_are_kept_in_the_order_of_the_manifest(self) -> None:
        plan, state = self.crowded(3_000)
        status: Any = render_status(FACTS, plan, state, {})
        names = [step["name"] for step in status["steps"]]
        assert names == sorted(names)
        assert names[-1] == "step-02999"

    def test_it_is_what_the_schema_of_the_kind_says(self) -> None:
        plan, state = self.crowded(300)
        for status in (render_status(FACTS, plan, state, {}), render_pending(1, "x" * 5_000, START)):
            RunStatus.model_validate_json(orjson.dumps(status))
