"""Rule 12: a task is launched at least once, and again only if its outcome was never recorded."""

import re

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.identity import Action, Task, idempotency_key, parse_task_key, pod_name
from reactor_operator.engine.state import RunPhase
from tests.unit.engine.driver import MINUTE, Run, attempts, step

RUN, COMPENSATE, UNDO = Action.RUN, Action.COMPENSATE, Action.UNDO


def test_every_task_of_a_run_is_ordered_once() -> None:
    plan = attempts(3)
    run = Run(step("a", run=plan, undo=plan), step("b", ["a"], run=plan, compensate=plan)).start()
    run.is_lost("a").fails("a").wakes().succeeds("a").fails("b").wakes().is_lost("b").fails("b").wakes().fails("b")
    run.fails("b").wakes().is_lost("b").succeeds("b").is_lost("a").succeeds("a")
    assert run.phase is RunPhase.FAILED
    assert len(run.launches) == len(set(run.launches)) == 12


def test_after_a_recorded_outcome_the_task_is_never_launched_again() -> None:
    run = Run(step("a"), step("b")).start().begins("a")
    task = run.open["a"]
    run.succeeds("a")
    for _ in range(3):
        run.feed(_lost(task)).later(MINUTE)
    assert run.launches == ["a.run.1.1.1", "b.run.1.1.1"]


def _lost(task: Task) -> ev.Event:
    return ev.TaskLost(task=task, message="its pod was deleted")


def test_the_key_is_the_same_over_attempts_and_launches() -> None:
    run = Run(step("a", run=attempts(2))).start().is_lost("a").fails("a").wakes()
    keys = {idempotency_key("run-1", o.task.path, o.task.action, o.task.round) for o in run.orders}
    assert len(run.orders) == 3
    assert len(keys) == 1


def test_the_key_is_another_for_another_run_step_action_and_round() -> None:
    keys = [
        idempotency_key("run-1", "a", RUN, 1),
        idempotency_key("run-2", "a", RUN, 1),
        idempotency_key("run-1", "b", RUN, 1),
        idempotency_key("run-1", "rows[7]/a", RUN, 1),
        idempotency_key("run-1", "a", UNDO, 1),
        idempotency_key("run-1", "a", COMPENSATE, 1),
        idempotency_key("run-1", "a", RUN, 2),
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_of_a_task_is_the_one_that_services_have_seen_before() -> None:
    assert idempotency_key("uid", "ship", RUN, 1) == "246123ea7a3b6ee98a29987c55afd017"


@pytest.mark.parametrize("task", [Task("ship", RUN, 1, 2, 3), Task("rows[7]/book-courier", UNDO, 12, 1, 1)])
def test_a_task_is_read_back_from_its_key(task: Task) -> None:
    assert parse_task_key(task.key) == task


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a",
        "a.run.1.1",
        "a.walk.1.1.1",
        "a.run.1.1.x",
        "a.run.1.1.1\n",
        ".run.1.1.1",
        "a.run.1.1.-1",
        "a.b.run.1.1.1",
    ],
)
def test_what_names_no_task_is_none(key: str) -> None:
    assert parse_task_key(key) is None


@pytest.mark.parametrize("run_name", ["r", "r" * 253, "Run_With.Odd~Names", "é" * 40, "-" * 60])
@pytest.mark.parametrize("path", ["s", "s" * 63, "rows[12]/" + "s" * 63, "--"])
@pytest.mark.parametrize("action", list(Action))
def test_a_pod_name_is_a_dns_label_and_the_same_every_time(run_name: str, path: str, action: Action) -> None:
    name = pod_name(run_name, "uid", Task(path, action, 1, 1, 1))
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)
    assert name == pod_name(run_name, "uid", Task(path, action, 1, 1, 1))


@pytest.mark.parametrize(
    ("run_name", "path", "readable"),
    [
        ("order-1", "ship", "order-1-ship"),
        ("order-1", "ship/by-road/book", "order-1-book"),
        ("r" * 30, "s" * 30, "r" * 24 + "-" + "s" * 20),
        ("--Order.1", "rows[7]", "order-1-rows-7"),
        ("-", "--", "task"),
    ],
)
def test_a_pod_name_begins_with_the_run_and_the_last_word_of_the_path(run_name: str, path: str, readable: str) -> None:
    name, _, unique = pod_name(run_name, "uid", Task(path, RUN, 1, 1, 1)).rpartition("-")
    assert name == readable
    assert re.fullmatch("[0-9a-f]{12}", unique)


def test_a_key_is_made_of_any_text_that_json_can_say() -> None:
    assert re.fullmatch("[0-9a-f]{32}", idempotency_key("order \ud800", "ship", RUN, 1))


def test_every_task_has_a_pod_name_of_its_own() -> None:
    tasks = [Task(p, a, r, n, m) for p in "ab" for a in Action for r in (1, 2) for n in (1, 2) for m in (1, 2)]
    names = {pod_name("run", uid, task) for uid in ("uid-1", "uid-2") for task in tasks}
    assert len(names) == 2 * len(tasks)


def test_runs_whose_names_share_their_first_characters_have_pods_of_their_own() -> None:
    task = Task("a", RUN, 1, 1, 1)
    assert pod_name("x" * 63 + "1", "uid-1", task) != pod_name("x" * 63 + "2", "uid-2", task)


def test_a_reversal_is_told_from_its_step_by_a_letter() -> None:
    assert pod_name("order-1", "uid", Task("ship", RUN, 1, 1, 1)).startswith("order-1-ship-")
    assert pod_name("order-1", "uid", Task("ship", UNDO, 1, 1, 1)).startswith("order-1-ship-u-")
