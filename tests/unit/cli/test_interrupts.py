"""Interrupts on a laptop: the run stops there, the command sends the payload and carries it on."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answer, Reactor, Write

ASK = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: ask}
spec:
  steps:
  - name: approve
    interrupt:
      MORE
      payloadSchema: {type: object, required: [ok], properties: {ok: {type: boolean}}}
      maxAttempts: 2
  - name: done
    transform: {expr: "results.approve.ok"}
"""
YES, NO = '{"ok": true}', '{"ok": 1}'


class Laptop:
    """A folder with a reactor that asks, and a state file."""

    def __init__(self, reactor: Reactor, write: Write, folder: Path) -> None:
        self.reactor, self.write, self.folder = reactor, write, folder
        self.kept = ("--state", str(folder / "run.db"))

    def run(self, more: str = "timeout: 3h", *words: str) -> Answer:
        self.write({"reactor.yaml": ASK.replace("MORE", more)})
        return self.reactor("run", self.folder, *words)

    def resume(self, payload: str, *words: str, step: str = "approve") -> Answer:
        said = ("--step", step, "--payload", payload, *words)
        return self.reactor("resume", "ask-run", *said, *self.kept, "--manifests", self.folder)


@pytest.fixture
def laptop(reactor: Reactor, write: Write, tmp_path: Path) -> Laptop:
    return Laptop(reactor, write, tmp_path)


def test_a_run_that_waits_ends_with_3_and_says_how_it_goes_on(laptop: Laptop) -> None:
    answer = laptop.run("timeout: 3h", *laptop.kept)
    assert answer.code == 3
    assert "Paused · waiting for a signal: approve" in answer.out
    state, folder = laptop.kept[1], laptop.folder
    to_go_on = f"to go on: reactor resume ask-run --step approve --payload JSON --state {state} --manifests {folder}"
    assert to_go_on in answer.out


def test_without_a_state_file_it_says_what_is_missing(laptop: Laptop) -> None:
    answer = laptop.run()
    assert answer.code == 3
    assert "with --state FILE the run could go on later" in answer.out


def test_an_accepted_payload_carries_the_run_on(laptop: Laptop) -> None:
    laptop.run("timeout: 3h", *laptop.kept)
    answer = laptop.resume(YES)
    assert answer.code == 0
    assert "Succeeded" in answer.out
    assert "result true" in answer.out


def test_a_payload_may_be_in_a_file(laptop: Laptop, tmp_path: Path) -> None:
    laptop.run("timeout: 3h", *laptop.kept)
    (tmp_path / "decision.json").write_text(YES)
    assert laptop.resume(f"@{tmp_path / 'decision.json'}").code == 0


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ("@no-such-file", "--payload @no-such-file: cannot be read"),
        ("{", "--payload: expected JSON"),
        ("NaN", "--payload: expected JSON, found 'NaN': NaN is no JSON"),
        ("[" * 5_000 + "]" * 5_000, "it is nested too deeply"),
        ('{"ok": true, "more": ' + "[" * 300 + "]" * 300 + "}", "nested"),
        (f'"{"x" * 2_000_000}"', "--payload: found 2000002 bytes, expected at most 65536"),
        (NO, 'payload.ok: 1 is not of type "boolean"'),
    ],
)
def test_a_bad_payload_is_refused_with_why(laptop: Laptop, payload: str, told: str) -> None:
    laptop.run("timeout: 3h", *laptop.kept)
    answer = laptop.resume(payload)
    assert answer.code == 2
    assert told in answer.err
    assert laptop.resume(YES).code == 0


def test_the_last_bad_payload_fails_the_step_and_the_command(laptop: Laptop) -> None:
    laptop.run("timeout: 3h", *laptop.kept)
    assert laptop.resume(NO).code == 2
    assert laptop.resume(NO).code == 2
    assert laptop.run("timeout: 3h", *laptop.kept).code == 1


def test_a_payload_that_is_too_large_is_refused_before_anything_is_asked(laptop: Laptop, tmp_path: Path) -> None:
    laptop.run("timeout: 3h", *laptop.kept)
    (tmp_path / "large.json").write_text('"' + "x" * 65_535 + '"')
    answer = laptop.resume(f"@{tmp_path / 'large.json'}")
    assert answer.code == 2
    assert "large.json: found 65537 bytes, expected at most 65536" in answer.err
    assert "asked" not in answer.out


def test_a_dry_run_changes_nothing(laptop: Laptop) -> None:
    laptop.run("timeout: 3h", *laptop.kept)
    valid = laptop.resume(YES, "--dry-run")
    assert valid.code == 3
    assert "dry run, nothing was changed: it would be accepted" in valid.out
    assert laptop.resume(NO, "--dry-run").code == 2
    assert laptop.resume(NO).code == 2
    assert laptop.resume(YES).code == 0


def test_another_step_or_a_second_payload_is_refused(laptop: Laptop) -> None:
    laptop.run("timeout: 3h", *laptop.kept)
    assert "the run has no step approv" in laptop.resume(YES, step="approv").err
    assert laptop.resume(YES).code == 0
    assert "the run has ended: Succeeded" in laptop.resume(YES).err


def test_a_timer_that_ends_the_wait_soon_is_waited_for(laptop: Laptop) -> None:
    more = "timeout: 300ms\n      strategy: active\n      onTimeout: {action: Continue, value: {ok: false}}"
    answer = laptop.run(more, "-o", "json")
    assert answer.code == 0
    assert json.loads(answer.out)["status"]["result"] is False
