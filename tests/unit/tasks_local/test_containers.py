"""Container tasks on a laptop, with a stand-in for the engine's client."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.api.sensitivity import Sensitive
from reactor_operator.engine.events import TaskFailed, TaskHalted, TaskSkipped, TaskStarted, TaskSucceeded
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import pod_name
from reactor_operator.ports import NotYet
from reactor_operator.tasks.laptop.engine import ANSWER_SECONDS, find_engine
from tests.unit.tasks_local.laptop import RUN, laptop, order_for, spec_of, task_of

pytestmark = pytest.mark.heavy


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of containers, with `docker` first on the path."""
    folders = tmp_path / "bin", tmp_path / "state"
    for folder in folders:
        folder.mkdir()
    client = folders[0] / "docker"
    client.write_text(f"#!{sys.executable}\n" + (Path(__file__).parent / "docker_double.py").read_text())
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folders[0]}:{os.environ['PATH']}")
    monkeypatch.setenv("DOUBLE_STATE", str(folders[1]))
    return folders[1]


def shell(script: str, exit_codes: Any = None, step: Any = None, **container: Any) -> ReactorSpec:
    """A step that runs `script` in a shell."""
    run: dict[str, Any] = {
        "container": {"image": "shop:1", "command": ["/bin/sh", "-c"], "args": [script], **container}
    }
    if exit_codes is not None:
        run["exitCodes"] = exit_codes
    return spec_of({"run": run, **(step or {})})


def containers(state: Path) -> list[str]:
    return [file.stem for file in state.glob("*.json")]


async def test_a_result_is_the_json_of_the_termination_message_and_the_container_is_removed(state: Path) -> None:
    async with laptop(state) as found:
        outcome = await found.run(order_for(shell("""printf '{"id": 7}' > $REACTOR_RESULT_PATH""")))
        assert isinstance(outcome, TaskSucceeded)
        assert found.value(outcome) == {"id": 7}
        assert found.events(task_of())[0] == TaskStarted(task=task_of(), at=1_700_000_000_000)
        await found.wait_until(lambda: not containers(state), "the container to be removed")


async def test_variables_arrive_as_literal_bytes_and_arguments_of_the_author_are_expanded(state: Path) -> None:
    script = """python3 - "$1" <<'PY'
import json, os, sys
json.dump([os.environ["AMOUNT"], os.environ["REACTOR_ARGUMENTS"], os.environ["REACTOR_ACTION"],
           os.environ["REACTOR_SECRET_TOKEN"], os.environ["PATH_TO"], sys.argv[1]],
          open(os.environ["REACTOR_RESULT_PATH"], "w"))
PY"""
    spec = shell(
        script.replace("$", "$$"),
        step={"arguments": {"token": {"secretKeyRef": {"name": "shop", "key": "token"}}}},
        args=[script.replace("$", "$$"), "name", "$(REACTOR_RUN) $(NONE)"],
        env=[{"name": "AMOUNT", "argument": "amount"}, {"name": "PATH_TO", "value": "$(AMOUNT)/x"}],
    )
    config = {("Secret", "shop", "token"): "s3cret $(X)\n2nd line"}
    async with laptop(state, config=config) as found:
        arguments = {"amount": "$(REACTOR_RUN); rm -rf --x {{y}} $$"}
        outcome = await found.run(order_for(spec, arguments=arguments))
        assert found.value(outcome) == [
            arguments["amount"], json.dumps(arguments, separators=(",", ":")), "run", "s3cret $(X)\n2nd line",
            f"{arguments['amount']}/x", "order-1 $(NONE)",
        ]  # fmt: skip
        assert "s3cret" not in (state / "log").read_text()


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        ("echo declined >&2; exit 1", FailureKind.EXIT_CODE, "exited with code 1: declined"),
        ("echo log; echo last words > $REACTOR_RESULT_PATH; exit 2", FailureKind.EXIT_CODE, "code 2: last words"),
        ("exit 3", FailureKind.FATAL, "exited with code 3"),
        ("kill -9 $$$$", FailureKind.EXIT_CODE, "exited with code 137 (SIGKILL: killed"),
        ("head -c 5000 /dev/zero | tr '\\\\0' x > $REACTOR_RESULT_PATH", FailureKind.INVALID_RESULT, "output.path"),
    ],
)
async def test_a_failure_says_the_code_and_the_last_words(
    state: Path, script: str, kind: FailureKind, message: str
) -> None:
    async with laptop(state) as found:
        outcome = await found.run(order_for(shell(script, {"fatal": [3]})))
        assert isinstance(outcome, TaskFailed)
        assert outcome.failure.kind is kind
        assert message in outcome.failure.message


async def test_the_last_lines_of_a_long_log_explain_a_failure_and_the_last_one_is_its_message(state: Path) -> None:
    async with laptop(state) as found:
        script = "for n in $(seq 50); do echo importing row $n; done; echo fatal: no database >&2; exit 1"
        outcome = await found.run(order_for(shell(script)))
        assert isinstance(outcome, TaskFailed)
        assert outcome.failure.message == "exited with code 1: fatal: no database"
        rows = [f"importing row {number}" for number in range(42, 51)]
        assert found.detail(outcome.failure) == {"log": "\n".join([*rows, "fatal: no database"])}


async def test_exit_codes_skip_and_halt(state: Path) -> None:
    async with laptop(state) as found:
        codes = {"skip": [4], "halt": [5]}
        skipped = await found.run(order_for(shell("echo '[1]' > $REACTOR_RESULT_PATH; exit 4", codes)))
        assert isinstance(skipped, TaskSkipped)
        assert found.value(skipped) == [1]
        halted = await found.run(order_for(shell("echo enough; exit 5", codes), task_of(attempt=2)))
        assert halted == TaskHalted(task=task_of(attempt=2), reason="enough")


async def test_an_output_file_is_the_result(state: Path) -> None:
    output = {"path": "/out/result.json", "format": "json"}
    async with laptop(state) as found:
        spec = shell("""printf '"%s"' "$(yes x | head -n 9000 | tr -d '\\n')" > $REACTOR_RESULT_PATH""", output=output)
        assert found.value(await found.run(order_for(spec))) == "x" * 9000
        missing = await found.run(order_for(shell("true", output=output), task_of(attempt=2)))
        assert isinstance(missing, TaskFailed)
        assert missing.failure.kind is FailureKind.INVALID_RESULT
        text = shell("echo text > $REACTOR_RESULT_PATH", output=output)
        not_json = await found.run(order_for(text, task_of(attempt=3)))
        assert isinstance(not_json, TaskFailed)
        assert not_json.failure.kind is FailureKind.INVALID_RESULT


async def test_sensitive_arguments_are_files_and_words_of_a_failure_are_not_kept(state: Path) -> None:
    sensitive = Sensitive(arguments=frozenset({"card"}))
    script = 'test -z "$REACTOR_ARGUMENTS" && cp /reactor/arguments.json $REACTOR_RESULT_PATH'
    async with laptop(state) as found:
        given: dict[str, Any] = {"arguments": {"card": "CANARY"}, "sensitive": sensitive}
        assert found.value(await found.run(order_for(shell(script), **given))) == {"card": "CANARY"}
        script = "grep -o CANARY /reactor/arguments.json; exit 3"
        failed = await found.run(order_for(shell(script), task_of(attempt=2), **given))
        assert isinstance(failed, TaskFailed)
        assert failed.failure.kind is FailureKind.EXIT_CODE
        assert "CANARY" not in str(failed)
        assert failed.failure.detail is None


async def test_a_sensitive_output_that_is_none_is_not_repeated(state: Path) -> None:
    spec = shell("echo CANARY > $REACTOR_RESULT_PATH", output={"path": "/out/result.json", "format": "json"})
    async with laptop(state) as found:
        failed = await found.run(order_for(spec, sensitive=Sensitive(result=True)))
        assert isinstance(failed, TaskFailed)
        assert failed.failure.kind is FailureKind.INVALID_RESULT
        assert "CANARY" not in failed.failure.message


async def test_large_arguments_are_files(state: Path) -> None:
    script = 'test -z "$REACTOR_ARGUMENTS" && wc -c < /reactor/arguments.json > $REACTOR_RESULT_PATH'
    async with laptop(state) as found:
        outcome = await found.run(order_for(shell(script), arguments={"text": "x" * 100_000}))
        assert found.value(outcome) == len('{"text":""}') + 100_000


async def test_output_is_handed_over_line_by_line(state: Path) -> None:
    async with laptop(state) as found:
        await found.run(order_for(shell("echo one; echo two >&2")))
        assert found.lines() == ["one", "two"]


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"image": "absent"}, "pull access denied"),
        ({"command": ["/none"]}, "exec: "),
    ],
)
async def test_a_container_that_cannot_be_started_cannot_start(state: Path, container: Any, message: str) -> None:
    async with laptop(state) as found:
        outcome = await found.run(order_for(shell("true", **container)))
        assert isinstance(outcome, TaskFailed)
        assert outcome.failure.kind is FailureKind.CANNOT_START
        assert "step 'store'" in outcome.failure.message
        assert message in outcome.failure.message


async def test_without_an_engine_that_answers_a_container_is_refused_and_says_what_is_needed(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(state.parent / "bin"))
    monkeypatch.setenv("DOUBLE_AWAY", "1")
    async with laptop(state) as found:
        order = order_for(shell("true"))
        refused = await found.refusal(order)
        assert "step 'store': a container needs docker or podman" in refused.message
        assert "Cannot connect to the Docker daemon" in refused.message
        assert "podman is not installed" in refused.message
        monkeypatch.delenv("DOUBLE_AWAY")
        monkeypatch.setenv("PATH", f"{state.parent / 'bin'}:{os.environ['PATH']}:/usr/bin:/bin")
        assert isinstance(await found.run(order), TaskSucceeded)


async def test_volumes_are_refused_by_name(state: Path) -> None:
    async with laptop(state) as found:
        order = order_for(shell("true", volumeMounts=[{"name": "data", "mountPath": "/data"}]))
        refused = await found.refusal(order)
        assert "mounts volumes" in refused.message


async def test_stopping_ends_the_container_and_removes_it(state: Path) -> None:
    async with laptop(state) as found:
        order = order_for(shell("echo begun; exec sleep 60"))
        await found.begin(order)
        assert await found.retire(order, stop=True)
        await found.wait_until(lambda: not found.launcher._running, "its end")
        assert containers(state) == []


async def test_closing_removes_containers(state: Path) -> None:
    async with laptop(state) as found:
        await found.begin(order_for(shell("echo begun; exec sleep 60")))
        await found.start(order_for(shell("exec sleep 60"), task_of(attempt=2)))
    assert containers(state) == []


async def test_a_container_left_by_a_process_that_is_no_more_is_replaced_or_removed(state: Path) -> None:
    name = pod_name(RUN.name, RUN.uid, task_of())
    left = {"command": ["true"], "env": {}, "workdir": "/", "state": {}}
    (state / f"{name}.json").write_text(json.dumps(left))
    async with laptop(state) as found:
        order = order_for(shell("echo 1 > $REACTOR_RESULT_PATH"))
        assert found.value(await found.run(order)) == 1
        (state / f"{name}.json").write_text(json.dumps(left))
        await found.launcher.report_lost(RUN, order.step, order.task)
        assert containers(state) == []


async def test_closing_removes_a_container_whose_removal_it_interrupts(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOUBLE_SLOW_RM", "1")
    async with laptop(state) as found:
        assert isinstance(await found.run(order_for(shell("true"))), TaskSucceeded)
        await found.wait_until((state / "removing").exists, "its removal to begin")
        assert len(containers(state)) == 1
    assert containers(state) == []


async def test_an_engine_that_hangs_is_given_up_and_named(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOUBLE_HANGS", "1")
    found = await find_engine(0.1)
    assert isinstance(found, str)
    assert "docker does not answer: `docker info` took more than 0.1 s" in found


async def test_who_drives_a_run_is_not_held_while_the_engine_is_looked_for(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOUBLE_HANGS", "1")
    async with laptop(state) as found:
        order = order_for(shell("true"))
        await found.open(order.task)
        async with asyncio.timeout(ANSWER_SECONDS / 2):
            assert isinstance(await found.launcher.start(order), NotYet)


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("ln -s /etc/hostname $REACTOR_RESULT_PATH", "a symbolic link"),
        ("mkfifo $REACTOR_RESULT_PATH", "a folder, a pipe or a device"),
        ("mkdir $REACTOR_RESULT_PATH", "a folder, a pipe or a device"),
    ],
)
async def test_an_output_that_is_no_plain_file_is_not_read(state: Path, script: str, what: str) -> None:
    async with laptop(state) as found:
        outcome = await found.run(order_for(shell(script, output={"path": "/out/result.txt"})))
        assert isinstance(outcome, TaskFailed)
        assert outcome.failure.kind is FailureKind.INVALID_RESULT
        assert f"/out/result.txt, where output.path expects the result, is {what}" in outcome.failure.message
