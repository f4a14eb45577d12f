"""A launcher for orders that ask for none."""

import pytest

from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.engine.identity import Task
from reactor_operator.ports import Launched, Launcher, NotYet, Refused, RunRef, TaskOrder


class Nobody:
    """Launches nothing."""

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        raise AssertionError("nothing is to be started")

    async def retire(self, run: RunRef, spec: ReactorSpec, step: Step, task: Task, *, stop: bool, failed: bool) -> bool:
        raise AssertionError("nothing is to be retired")


@pytest.fixture
def nobody() -> Launcher:
    return Nobody()
