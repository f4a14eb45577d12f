"""What the documents in `first/` say: the values that the first version stored, one for each line of a file.

In: nothing. Out: values of the engine and of the shell.
Never here: a change. A field that comes later is at its default in all of them.
"""

from reactor_operator.engine import actions, events
from reactor_operator.engine.failures import Certainty, Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import (
    Ending,
    Goal,
    Header,
    RollbackFailure,
    RollbackState,
    RunFailure,
    RunPhase,
    SignalAnswer,
    Stage,
    StepPhase,
    StepState,
    Timer,
)
from reactor_operator.engine.values import ValueRef
from reactor_operator.gateway.record import OpenRecord
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import Definition


def ref(digit: str) -> ValueRef:
    """Return a reference whose digest is one digit, over and over."""
    return ValueRef(digit * 64, int(digit, 16) + 2)


PLAIN = Task("ship", Action.RUN, 1, 1, 1)
NESTED = Task("route[default]/book-courier", Action.COMPENSATE, 2, 3, 4)
UNDO = Task("rows[7]/store", Action.UNDO, 1, 2, 1)

FAILURE = Failure(
    kind=FailureKind.HTTP,
    message="503 Service Unavailable: é “later”\n\tline two",
    retryable=False,
    exception="shop.errors:CourierAway",
    file="/app/shop/courier.py",
    line=42,
    detail=ref("d"),
    told=Certainty.NEVER_STARTED,
    retry_after_ms=7_000,
)
SMALL_FAILURE = Failure(kind=FailureKind.ERROR, message="")

HEADERS = (
    Header(
        uid="0b1c2d3e-1111-2222-3333-444455556666",
        stage=Stage.FINISHING,
        goal=Goal.ROLL_BACK,
        phase=RunPhase.ROLLING_BACK,
        now=1_700_000_009_000,
        started_at=1_700_000_000_000,
        finished_at=1_700_000_010_000,
        deadline=1_700_003_600_000,
        rollback_deadline=1_700_086_400_000,
        starts=7,
        completions=5,
        announcements=4,
        suspended=True,
        generation=3,
        failing=("ship", "route[0]/pack"),
        containing="delivery",
        contained=RunFailure(step="delivery/book", failure=FAILURE, attempts=2),
        halting=True,
        halt_reason="nothing to ship",
        cancel_reason="enough",
        undo_reason="a mistake",
        failure=RunFailure(step="", failure=SMALL_FAILURE),
        ending=Ending(phase=RunPhase.FAILED, reason="RolledBack", message="ship failed: no courier"),
        result=ref("e"),
        undone=("charge", "reserve"),
        rollback=RollbackState.INCOMPLETE,
        rollback_failures=(RollbackFailure(step="pack", kind=FailureKind.UNCERTAIN, message="may have acted"),),
        signals=(
            SignalAnswer(id="c-1", action="cancel", accepted=True, reason="ok", by="ann", at=1_700_000_008_000),
            SignalAnswer(id="r-1", action="retry", accepted=False),
        ),
    ),
    Header(),
)

STEPS = (
    StepState(
        phase=StepPhase.COMPENSATING,
        round=2,
        attempt=3,
        launch=4,
        losses=1,
        cleanup_attempts=2,
        task=NESTED,
        task_started=True,
        previous=PLAIN,
        run_attempts=5,
        start_order=6,
        completion=7,
        acted=True,
        uncertain=True,
        arguments=ref("1"),
        given=ref("2"),
        request=ref("3"),
        inputs=ref("4"),
        fallback=ref("5"),
        result=ref("6"),
        failure=FAILURE,
        cleanup_failure=SMALL_FAILURE,
        uploaded=ref("7"),
        uploaded_text=True,
        reason="Unschedulable: 0/3 nodes are available",
        due_at=1_700_000_600_000,
        timer=Timer.PENDING,
        pending_until=1_700_000_700_000,
        started_at=1_700_000_001_000,
        finished_at=1_700_000_002_000,
    ),
    StepState(),
)

OUTBOX: tuple[actions.Effect, ...] = (
    actions.StartTask(
        task=NESTED, arguments=ref("1"), result=ref("2"), failure=FAILURE, request=ref("3"), uncertain=True, after=PLAIN
    ),
    actions.StartTask(task=PLAIN),
    actions.RetireTask(task=UNDO, stop=True, failed=True),
    actions.RetireTask(task=PLAIN),
    actions.Announce(ordinal=4, reason="RolledBack", message="ship failed: é", warning=True),
    actions.Announce(ordinal=1, reason="Succeeded", message=""),
)

INBOX: tuple[events.Event, ...] = (
    events.StepEvaluated(
        path="route",
        round=2,
        proceed=True,
        arguments=ref("1"),
        inputs=ref("2"),
        result=ref("3"),
        chosen="route[default]",
        fallback=ref("4"),
    ),
    events.StepEvaluated(path="ship", round=1, proceed=False),
    events.StepEvaluationFailed(path="ship", round=1, failure=FAILURE, fallback=ref("1")),
    events.StepEvaluationFailed(path="ship", round=1, failure=SMALL_FAILURE),
    events.ReturnsEvaluated(result=ref("1"), scope="delivery"),
    events.ReturnsEvaluated(result=None),
    events.ReturnsEvaluationFailed(failure=FAILURE, scope="delivery"),
    events.ReturnsEvaluationFailed(failure=SMALL_FAILURE),
    events.RequestEvaluated(task=NESTED, request=ref("1")),
    events.TaskStarted(task=NESTED, at=1_700_000_000_000),
    events.TaskWaiting(task=PLAIN, reason="ImagePullBackOff: shop:2"),
    events.TaskUploaded(task=PLAIN, result=ref("1"), text=True),
    events.TaskUploaded(task=PLAIN, result=ref("1")),
    events.TaskSucceeded(task=UNDO, result=ref("1"), uploaded=True, json_only=True),
    events.TaskSucceeded(task=PLAIN),
    events.TaskSkipped(task=PLAIN, result=ref("1")),
    events.TaskSkipped(task=PLAIN),
    events.TaskHalted(task=PLAIN, reason="nothing to ship"),
    events.TaskHalted(task=PLAIN),
    events.TaskContinued(task=NESTED, result=ref("1")),
    events.TaskContinued(task=NESTED),
    events.TaskFailed(task=PLAIN, failure=FAILURE),
    events.TaskFailed(task=PLAIN, failure=SMALL_FAILURE),
    events.TaskLost(task=PLAIN, message="node gone", may_have_started=False),
    events.TaskLost(task=PLAIN, message=""),
    events.CancelRequested(id="c-1", reason="enough", by="ann"),
    events.CancelRequested(id="c-1"),
    events.UndoRequested(id="u-1", reason="a mistake", by="ann"),
    events.UndoRequested(id="u-1"),
    events.RetryRequested(
        id="r-1",
        reason="it is up again",
        by="ann",
        step="ship",
        arguments=ref("1"),
        standing=("charge", "reserve"),
        undone=("pack",),
    ),
    events.RetryRequested(id="r-1"),
    events.SkipRequested(id="s-1", step="ship", value=ref("1"), reason="done by hand", by="ann"),
    events.SkipRequested(id="s-1", step="ship"),
    events.RequestUnreadable(id="x-1", action="explode", reason="no such action", by="bob"),
    events.RequestUnreadable(id="x-1", action="explode", reason="no such action"),
    events.SpecChanged(suspended=True, generation=2),
    events.TimePassed(),
)

_SPEC = {"steps": [{"name": "ship", "run": {"python": {"handler": "shop:ship"}}}], "timeout": "1h"}

DEFINITIONS = (
    Definition(
        run=RunRef(namespace="shop", name="checkout-o-1", uid="0b1c2d3e-1111-2222-3333-444455556666"),
        created_at=1_700_000_000_000,
        generation=2,
        reactor_name="checkout",
        reactor_uid="9f8e7d6c-1111-2222-3333-444455556666",
        reactor_generation=5,
        digest="c0ffee",
        spec=_SPEC,
        inputs=ref("a"),
        shared_schema={"type": "object", "required": ["order"]},
        composed={"delivery": _SPEC},
        composed_schemas={"delivery": {"type": "object"}},
        ttl="24h",
        lost=True,
    ),
    Definition(run=RunRef(namespace="shop", name="bad", uid="u-2"), created_at=1, generation=1, reactor_name="missing"),
)

OPEN_TASKS = (
    OpenRecord(
        arguments=ref("1"),
        result=ref("2"),
        request=ref("3"),
        failure=b'{"kind":"Error","message":"no courier","retryable":true}',
        uncertain=True,
    ),
    OpenRecord(),
)
