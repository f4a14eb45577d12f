"""Python tasks on a laptop: real workers, real handlers."""

import os
from pathlib import Path

import pytest

from reactor_operator.engine.events import (
    TaskContinued,
    TaskFailed,
    TaskHalted,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
)
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action
from reactor_operator.ports import Launched, NotYet
from reactor_operator.store.port import Entry, StoreUnavailable
from tests.pages_of_results import enumerated, write_results
from tests.unit.tasks_local.laptop import RUN, laptop, lives, order_for, python_spec, spec_of, task_of

SECRET = {"secretKeyRef": {"name": "shop", "key": "p"}}


async def test_a_handler_beside_the_manifest_runs_and_tells_its_start_and_its_outcome(tmp_path: Path) -> None:
    (tmp_path / "shop.inventory.py").write_text("def reserve(items, count=2):\n    return {'reserved': items * count}")
    spec = spec_of({"run": {"python": {"handler": "shop.inventory:reserve"}}})
    async with laptop(tmp_path) as found:
        outcome = await found.run(order_for(spec, arguments={"items": ["ä"]}))
        assert isinstance(outcome, TaskSucceeded)
        assert found.value(outcome) == {"reserved": ["ä", "ä"]}
        assert found.events(task_of())[0] == TaskStarted(task=task_of(), at=1_700_000_000_000)


async def test_packages_in_folders_are_modules_too(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "inventory.py").write_text("def reserve():\n    return 1")
    spec = spec_of({"run": {"python": {"handler": "shop.inventory:reserve"}}})
    async with laptop(tmp_path) as found:
        assert found.value(await found.run(order_for(spec))) == 1


async def test_every_outcome_of_a_handler_is_an_entry_as_the_gateway_makes_it(tmp_path: Path) -> None:
    source = "import reactor\ndef main(kind):\n    raise getattr(reactor, kind)('x')"
    spec = python_spec(source, compensate={"python": {"source": source}})
    async with laptop(tmp_path) as found:
        outcomes = []
        for attempt, kind in enumerate(["Skipped", "Halt", "Failure"], 1):
            outcomes.append(await found.run(order_for(spec, task_of(attempt=attempt), {"kind": kind})))
        outcomes.append(await found.run(order_for(spec, task_of(Action.COMPENSATE), {"kind": "Continue"})))
        assert [type(outcome) for outcome in outcomes] == [TaskSkipped, TaskHalted, TaskFailed, TaskContinued]
        failed = outcomes[2]
        assert isinstance(failed, TaskFailed)
        assert (failed.failure.kind, failed.failure.message) == (FailureKind.ERROR, "x")
        assert "traceback" in found.detail(failed.failure)


async def test_a_task_has_the_variables_of_its_pod_and_leaves_none_behind(tmp_path: Path) -> None:
    source = """
import json, os
def main(password, text):
    names = ["REACTOR_RUN", "REACTOR_STEP", "REACTOR_TASK", "REACTOR_ACTION", "REACTOR_ATTEMPT", "REACTOR_UNCERTAIN",
             "REACTOR_IDEMPOTENCY_KEY", "PLAIN", "LITERAL", "MODE", "ALL_a"]
    os.environ["LEFT"] = "behind"
    os.chdir("/")
    return [password, *[os.environ[name] for name in names], json.loads(os.environ["REACTOR_ARGUMENTS"])]"""
    step = {
        "arguments": {
            "password": {"secretKeyRef": {"name": "shop", "key": "password"}},
        },
        "env": [
            {"name": "PLAIN", "value": "$(REACTOR_RUN) $$(X) $(NONE)"},
            {"name": "LITERAL", "argument": "text"},
            {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
        ],
        "envFrom": [{"prefix": "ALL_", "configMapRef": {"name": "settings"}}],
    }
    config = {
        ("Secret", "shop", "password"): "$(REACTOR_RUN) 007",
        ("ConfigMap", "settings", "mode"): "test",
        ("ConfigMap", "settings", "a"): "1",
    }
    spec = python_spec(source, **step)
    look = "import os\ndef main(**_):\n    return [os.environ.get('LEFT'), os.environ.get('PLAIN'), os.getcwd()]"
    async with laptop(tmp_path, config=config) as found:
        outcome = await found.run(order_for(spec, task_of(attempt=2), {"text": "$(REACTOR_RUN)"}))
        assert found.value(outcome) == [
            "$(REACTOR_RUN) 007", "order-1", "store", f"uid-1/{task_of(attempt=2).key}", "run", "2", "0", "key-1",
            "order-1 $(X) $(NONE)", "$(REACTOR_RUN)", "test", "1", {"text": "$(REACTOR_RUN)"},
        ]  # fmt: skip
        after = await found.run(order_for(python_spec(look), task_of(attempt=3)))
        assert found.value(after) == [None, None, os.getcwd()]


@pytest.mark.parametrize(
    ("step", "missing"),
    [
        ({"arguments": {"p": {"secretKeyRef": {"name": "shop", "key": "p"}}}}, "key 'p' of Secret 'shop'"),
        ({"arguments": {"p": {"configMapKeyRef": {"name": "shop", "key": "p"}}}}, "key 'p' of ConfigMap 'shop'"),
        ({"envFrom": [{"secretRef": {"name": "shop"}}]}, "Secret 'shop' of envFrom"),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]}, "env A: fieldRef has no meaning"),
    ],
)
async def test_what_is_not_among_the_manifests_is_refused_by_name(tmp_path: Path, step: object, missing: str) -> None:
    assert isinstance(step, dict)
    async with laptop(tmp_path) as found:
        order = order_for(python_spec("def main(p): pass", **step))
        refused = await found.refusal(order)
        assert "step 'store'" in refused.message
        assert missing in refused.message


@pytest.mark.parametrize("step", [{"env": [{"name": "A", "value": "a\0b"}]}, {"arguments": {"p": SECRET}}])
async def test_text_that_no_variable_can_hold_is_refused_by_name(tmp_path: Path, step: object) -> None:
    assert isinstance(step, dict)
    async with laptop(tmp_path, config={("Secret", "shop", "p"): "a\0b"}) as found:
        order = order_for(python_spec("def main(p=None): pass", **step))
        refused = await found.refusal(order)
        assert "has a NUL character in its text" in refused.message


async def test_an_optional_key_that_is_missing_is_left_out(tmp_path: Path) -> None:
    ref = {"name": "shop", "key": "p", "optional": True}
    step = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": ref}}]}
    async with laptop(tmp_path) as found:
        outcome = await found.run(
            order_for(python_spec("import os\ndef main():\n    return 'A' in os.environ", **step))
        )
        assert found.value(outcome) is False


async def test_undo_and_compensate_get_their_documents(tmp_path: Path) -> None:
    spec = python_spec(
        "def main(): pass",
        undo={"python": {"source": "def main(result, context):\n    return [result, context.uncertain]"}},
        compensate={"python": {"source": "def main(failure):\n    return failure['kind']"}},
    )
    async with laptop(tmp_path) as found:
        undone = await found.run(order_for(spec, task_of(Action.UNDO), result={"id": 1}, uncertain=True))
        assert found.value(undone) == [{"id": 1}, True]
        cleaned = await found.run(order_for(spec, task_of(Action.COMPENSATE), failure={"kind": "Timeout"}))
        assert found.value(cleaned) == "Timeout"


async def test_all_that_a_task_prints_is_handed_over_before_its_outcome_is_recorded(tmp_path: Path) -> None:
    source = """
import os, subprocess, sys
def main():
    print("out")
    print("err", file=sys.stderr)
    subprocess.run(["echo", "child"])
    os.write(1, b"\\xff raw\\r\\n")
    sys.stdout.write("x" * 100000 + "\\nunfinished")"""
    async with laptop(tmp_path) as found:
        await found.run(order_for(python_spec(source)))
        lines = found.lines(task_of().key)
        assert lines[:4] == ["out", "err", "child", "\ufffd raw"]
        assert "".join(lines[4:-1]) == "x" * 100000
        assert lines[-1] == "unfinished"


async def test_a_handler_that_closes_its_files_or_reads_its_input_harms_nobody(tmp_path: Path) -> None:
    closing = "sys.stdout.close(); os.close(2); os.close(0)"
    source = f"import os, sys\ndef main():\n    found = sys.stdin.read()\n    {closing}\n    return found"
    async with laptop(tmp_path) as found:
        assert found.value(await found.run(order_for(python_spec(source)))) == ""
        after = await found.run(order_for(python_spec("def main():\n    print('seen')"), task_of(attempt=2)))
        assert isinstance(after, (TaskSucceeded, TaskFailed))


async def test_a_worker_is_used_again(tmp_path: Path) -> None:
    spec = python_spec("import os\ndef main():\n    return os.getpid()")
    async with laptop(tmp_path) as found:
        pids = {found.value(await found.run(order_for(spec, task_of(attempt=n)))) for n in range(1, 6)}
        assert len(pids) == 1


async def test_a_worker_in_which_a_handler_left_threads_is_not_used_again(tmp_path: Path) -> None:
    thread = "threading.Thread(target=threading.Event().wait).start()"
    source = f"import os, threading\ndef main():\n    {thread}\n    return os.getpid()"
    async with laptop(tmp_path) as found:
        first = found.value(await found.run(order_for(python_spec(source))))
        second = found.value(await found.run(order_for(python_spec(source), task_of(attempt=2))))
        assert first != second
        await found.wait_until(lambda: not lives(first), "the worker with threads still lives")


async def test_children_of_a_handler_end_with_it(tmp_path: Path) -> None:
    source = "import subprocess\ndef main():\n    return subprocess.Popen(['sleep', '600']).pid"
    async with laptop(tmp_path) as found:
        pid = found.value(await found.run(order_for(python_spec(source))))
        await found.wait_until(lambda: not lives(pid), "the child still runs")


async def test_a_daemon_that_a_handler_left_behind_ends_with_it(tmp_path: Path) -> None:
    script = "setsid sleep 600 >/dev/null 2>&1 & echo $!"
    source = f"import subprocess\ndef main():\n    return int(subprocess.check_output(['sh', '-c', {script!r}]))"
    async with laptop(tmp_path) as found:
        pid = found.value(await found.run(order_for(python_spec(source))))
        await found.wait_until(lambda: not lives(pid), "the daemon still runs")


async def test_a_working_folder_that_a_handler_deleted_harms_nobody(tmp_path: Path) -> None:
    source = "import os, tempfile\ndef main():\n    os.chdir(tempfile.mkdtemp())\n    os.rmdir(os.getcwd())"
    async with laptop(tmp_path) as found:
        await found.run(order_for(python_spec(source)))
        after = order_for(python_spec("import os\ndef main():\n    return os.getcwd()"), task_of(attempt=2))
        assert found.value(await found.run(after)) == os.getcwd()


async def test_a_worker_starts_in_a_folder_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    async with laptop(tmp_path) as found:
        assert found.value(await found.run(order_for(python_spec("def main(): return 1")))) == 1


async def test_tasks_run_side_by_side_up_to_the_limit(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"while not os.path.exists({str(gate)!r}): time.sleep(0.005)"
    source = f"import os, time\ndef main():\n    print('begun')\n    {wait}"
    async with laptop(tmp_path, at_once=3) as found:
        orders = [order_for(python_spec(source), task_of(attempt=n)) for n in range(1, 5)]
        for order in orders[:3]:
            await found.start(order)
        await found.open(orders[3].task)
        assert isinstance(await found.launcher.start(orders[3]), NotYet)
        await found.wait_until(lambda: len(found.lines()) == 3, "three tasks side by side")
        gate.touch()
        for order in orders[:3]:
            await found.outcome_of(order.task)
        await found.wait_until(lambda: not found.launcher._running, "room for the fourth")
        await found.run(orders[3])


async def test_starting_twice_runs_once(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        order = order_for(python_spec("def main():\n    print('ran')"))
        await found.start(order)
        await found.start(order)
        await found.outcome_of(order.task)
        await found.start(order)
        assert await found.retire(order, stop=False)
        assert found.lines() == ["ran"]


async def test_a_task_that_is_closed_is_not_begun(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        order = order_for(python_spec("def main():\n    print('ran')"))
        await found.open()
        assert await found.launcher.start(order) == Launched()
        await found.wait_until(lambda: not found.launcher._running, "the end of it")
        assert (found.lines(), found.events(order.task)) == ([], [])


async def test_a_handler_leaves_the_variables_of_the_process_as_they_were_to_the_next(tmp_path: Path) -> None:
    look = "import os\ndef main():\n    return {name: os.environ.get(name) for name in ('HOME', 'PATH')}"
    spoil = "import os\ndef main():\n    del os.environ['HOME']\n    os.environ['PATH'] = '/nowhere'"
    async with laptop(tmp_path) as found:
        before = found.value(await found.run(order_for(python_spec(look))))
        assert all(before.values())
        await found.run(order_for(python_spec(spoil), task_of(attempt=2)))
        assert found.value(await found.run(order_for(python_spec(look), task_of(attempt=3)))) == before


async def test_large_arguments_and_results_go_through(tmp_path: Path) -> None:
    spec = python_spec("def main(text):\n    return text")
    async with laptop(tmp_path) as found:
        text = "ä\n" * 1_000_000
        assert found.value(await found.run(order_for(spec, arguments={"text": text}))) == text


async def test_an_outcome_waits_for_a_store_that_is_away(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        order = order_for(python_spec("def main():\n    return 1"))
        await found.open(order.task)
        append, answers = found.store.append, iter([True, False, False, True])

        async def unsteady(entry: Entry) -> object:
            if next(answers, True):
                return await append(entry)
            raise StoreUnavailable("away")

        found.store.append = unsteady  # type: ignore[method-assign,assignment]
        assert found.value(await found.run(order)) == 1


async def test_a_handler_reads_the_results_of_a_map_page_by_page(tmp_path: Path) -> None:
    source = (
        "def main(rows):\n    return [len(rows), [one.index for one in rows.failures], len(list(rows)), rows[2].value]"
    )
    async with laptop(tmp_path) as found:
        await write_results(found.store, RUN.uid, 250)
        found.revision = 1
        outcome = await found.run(order_for(python_spec(source), arguments={"rows": enumerated(250)}))
        assert found.value(outcome) == [250, list(range(9, 250, 10)), 250, "x" * 1000]
        again = order_for(python_spec("def main():\n    return 1"), task_of(attempt=2))
        assert found.value(await found.run(again)) == 1


async def test_results_that_cannot_be_read_fail_the_handler_that_reads_them(tmp_path: Path) -> None:
    source = "def main(rows):\n    return [one.index for one in rows]"
    async with laptop(tmp_path) as found:
        await write_results(found.store, RUN.uid, 10)
        found.revision = 1
        found.store._values[RUN.uid].clear()
        outcome = await found.run(order_for(python_spec(source), arguments={"rows": enumerated(10)}))
        assert isinstance(outcome, TaskFailed)
        assert "the results of rows cannot be read: StoreUnavailable" in outcome.failure.message
