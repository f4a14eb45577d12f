"""A CloudEvent: the attributes that the specification asks for, the same bytes each time, and no values."""

import json

from reactor_operator.engine.facts import FactKind
from reactor_operator.engine.failures import FailureKind
from reactor_operator.notifications.run_event import event_of, render_cloud_event
from reactor_operator.ports import About, RunRef
from tests.unit.notifications.receiver import ABOUT, fact


def test_the_event_is_a_cloud_event_of_the_reactor_about_the_run() -> None:
    failed = fact(7, FactKind.STEP_FAILED, step="ship/book", failure=FailureKind.ERROR, message="no courier")
    body = render_cloud_event(event_of(ABOUT, failed))
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "uid-1.7",
        "source": "/apis/reactor.run/v1alpha1/namespaces/shop/reactors/checkout",
        "type": "run.reactor.step.failed",
        "subject": "order-1",
        "time": "2026-11-22T12:00:00.123Z",
        "datacontenttype": "application/json",
        "data": {
            "namespace": "shop",
            "run": "order-1",
            "runUid": "uid-1",
            "reactor": "checkout",
            "phase": "Running",
            "sequence": 7,
            "step": "ship/book",
            "failure": {"kind": "Error", "message": "no courier"},
        },
    }
    assert body == render_cloud_event(event_of(ABOUT, failed))


def test_what_does_not_apply_is_left_out() -> None:
    data = json.loads(render_cloud_event(event_of(ABOUT, fact())))["data"]
    assert set(data) == {"namespace", "run", "runUid", "reactor", "phase", "sequence"}
    said = json.loads(render_cloud_event(event_of(ABOUT, fact(2, FactKind.RUN_CANCELLED, message="enough"))))["data"]
    assert said["message"] == "enough"


def test_the_largest_event_is_small() -> None:
    about = About(run=RunRef("n" * 63, "r" * 253, "u" * 36), reactor="x" * 253)
    worst = fact(10**9, FactKind.STEP_FAILED, step="s" * 1_024, failure=FailureKind.ERROR, message='"' * 1_024)
    assert len(render_cloud_event(event_of(about, worst))) < 8 * 1_024
