"""Statuses of a run as the operator renders them, in the order in which a watcher would see them."""

from collections.abc import Mapping

from reactor_operator.cli.run_view import RunView


def run(phase: str, *steps: Mapping[str, object], name: str = "order-1", **status: object) -> RunView:
    return RunView(
        {
            "metadata": {"name": name, "namespace": "shop", "creationTimestamp": "2025-01-01T10:00:00Z"},
            "spec": {"reactorRef": {"name": "checkout"}},
            "status": {"phase": phase, "steps": list(steps), **status},
        }
    )


def step(name: str, phase: str, **fields: object) -> Mapping[str, object]:
    return {"name": name, "phase": phase, **fields}


DECLINED = {"kind": "Error", "message": "card declined"}
ROLLED_BACK = [
    run("Running", step("reserve", "Running", attempts=1), step("charge", "Pending")),
    run("Running", step("reserve", "Succeeded", completion=1, attempts=1), step("charge", "Running", attempts=1)),
    run(
        "Running",
        step("reserve", "Succeeded", completion=1, attempts=1),
        step("charge", "Retrying", attempts=1, failure={"kind": "Timeout", "message": "no answer within 30s"}),
    ),
    run(
        "RollingBack",
        step("reserve", "Succeeded", completion=1, attempts=1),
        step("charge", "Compensating", attempts=2, failure=DECLINED),
    ),
    run(
        "RollingBack",
        step("reserve", "Undoing", completion=1, attempts=1),
        step("charge", "Compensated", attempts=2, failure=DECLINED),
        rollback={"state": "InProgress", "undone": ["charge"]},
    ),
    run(
        "Failed",
        step("reserve", "Undone", completion=1, attempts=1),
        step("charge", "Compensated", attempts=2, failure=DECLINED),
        rollback={"state": "Complete", "undone": ["charge", "reserve"]},
        failure={"step": "charge", "kind": "Error", "message": "card declined", "attempts": 2},
        startedAt="2025-01-01T10:00:00Z",
        finishedAt="2025-01-01T10:00:02Z",
        duration="1s300ms",
        message="step charge: Error: card declined",
        progress="0/2",
    ),
]
