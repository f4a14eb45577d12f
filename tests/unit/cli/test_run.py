"""`reactor run` executes manifests here: what it prints, what it keeps, and how it exits."""

import contextlib
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from reactor_operator.cli.run import exit_code_of
from reactor_operator.cli.yaml_source import parse_documents
from tests.unit.cli.conftest import EXAMPLES, REACTOR, RUN, Answer, Reactor, Write
from tests.unit.cli.runs import run

COUNTED = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: counted}
spec:
  steps:
  - name: count
    arguments: {file: {input: file}}
    run:
      python:
        source: |
          def main(file):
              with open(file, "a") as out:
                  out.write("x")
              return "counted"
"""


def documents(answer: Answer) -> dict[str, Any]:
    """Return the runs of a `-o json`, by name."""
    found = json.loads(answer.out)
    items = found["items"] if found["kind"] == "List" else [found]
    return {item["metadata"]["name"]: item for item in items}


def steps_of(run: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["phase"] for step in run["status"]["steps"]}


def test_hello_says_hello(reactor: Reactor) -> None:
    answer = reactor("run", EXAMPLES / "01-hello")
    assert answer.code == 0
    head, step, end = answer.out.splitlines()
    assert head == "hello  (hello)"
    assert step.split()[:2] == ["greet", "Succeeded"]
    assert end.startswith("hello  Succeeded in ")
    assert end.endswith('result "Hello, world!"')


def test_orders_ship_or_are_undone_newest_first(reactor: Reactor) -> None:
    answer = reactor("run", "-o", "json", EXAMPLES / "02-order-processing")
    assert answer.code == 1
    runs = documents(answer)
    shipped, declined, down = (runs[f"order-{name}"] for name in ("shipped", "declined", "courier-down"))
    assert shipped["status"]["phase"] == "Succeeded"
    assert shipped["status"]["result"] == {"order": "o-1001", "tracking": "track-o-1001", "paid": 5000}
    assert steps_of(shipped) == dict.fromkeys(("reserve", "charge", "ship", "receipt"), "Succeeded")
    assert declined["status"]["phase"] == "Failed"
    assert declined["status"]["failure"]["step"] == "charge"
    assert "declined: insufficient funds" in declined["status"]["failure"]["message"]
    assert declined["status"]["rollback"] == {"state": "Complete", "undone": ["charge", "reserve"], "failures": []}
    assert down["status"]["failure"]["attempts"] == 2
    assert down["status"]["rollback"]["undone"] == ["ship", "charge", "reserve"]
    assert (down["status"]["failure"]["file"], down["status"]["failure"]["line"]) == ("shop/courier.py", 8)
    assert down["status"]["failure"]["detail"]["function"] == "ship"
    (ship,) = (step for step in down["status"]["steps"] if step["name"] == "ship")
    assert (ship["failure"]["exception"], ship["failure"]["line"]) == ("ConnectionError", 8)
    assert steps_of(down) == {"reserve": "Undone", "charge": "Undone", "ship": "Compensated", "receipt": "Pending"}


def test_the_undo_is_visible_in_the_output(reactor: Reactor) -> None:
    answer = reactor("run", "-v", "--run", "order-courier-down", EXAMPLES / "02-order-processing")
    lines, _, _ = answer.out.partition("\norder-courier-down  Failed")
    told = [line.split()[:2] for line in lines.splitlines() if line.startswith("  ") and "|" not in line]
    assert told == [
        ["reserve", "Succeeded"],
        ["charge", "Succeeded"],
        ["ship", "Retrying"],
        ["ship", "Failed"],
        ["ship", "Compensated"],
        ["charge", "Undone"],
        ["reserve", "Undone"],
    ]
    printed = [line for line in answer.out.splitlines() if line.startswith("  | ") and "(undo)" in line]
    assert "refunded 27.00" in printed[0]
    assert "put 6 × cup of o-1003 back on the shelf" in printed[1]
    assert "ConnectionError: the courier's office in Stormhaven does not answer" in answer.out
    assert "Traceback (most recent call last):" in answer.out


def test_users_are_registered_or_taken_back(reactor: Reactor) -> None:
    runs = documents(reactor("run", "-o", "json", EXAMPLES / "03-user-registration"))
    assert runs["ada-registered"]["status"]["result"]["welcome"] == "sent"
    bouncy = runs["bouncy-registered"]
    assert bouncy["status"]["phase"] == "Succeeded"
    assert bouncy["status"]["result"]["welcome"] == "not sent"
    assert (steps_of(bouncy)["newsletter"], steps_of(bouncy)["welcome"]) == ("Skipped", "Ignored")
    assert runs["zoe-refused"]["status"]["rollback"]["undone"] == ["directory", "mailbox", "account"]


def test_payments_are_captured_reconciled_refused_or_held(reactor: Reactor) -> None:
    runs = documents(reactor("run", "-o", "json", EXAMPLES / "04-payment"))
    phases = {name.removeprefix("payment-"): run["status"]["phase"] for name, run in runs.items()}
    assert phases == {"captured": "Succeeded", "reconciled": "Succeeded", "refused": "Failed", "held": "Halted"}
    assert steps_of(runs["payment-reconciled"])["capture"] == "Succeeded"
    assert runs["payment-reconciled"]["status"]["result"]["amount"] == 1250
    assert runs["payment-refused"]["status"]["rollback"]["undone"] == ["capture", "authorize"]
    assert runs["payment-held"]["status"]["rollback"]["undone"] == []


def test_one_run_is_one_document_and_nothing_else_on_stdout(reactor: Reactor) -> None:
    answer = reactor("run", "-v", "-o", "json", "--run", "order-shipped", EXAMPLES / "02-order-processing")
    found = json.loads(answer.out)
    assert (answer.code, found["kind"], found["apiVersion"]) == (0, "ReactorRun", "reactor.run/v1alpha1")
    assert found["spec"]["inputs"]["orderId"] == "o-1001"
    assert "reserved 1 × teapot" in answer.err
    answer = reactor("run", "-o", "yaml", EXAMPLES / "01-hello")
    (document,) = parse_documents(answer.out, "out")
    assert isinstance(document.value, dict)
    assert document.value["status"]["phase"] == "Succeeded"


def test_inputs_and_settings_lie_over_those_of_the_run(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR, "run.yaml": RUN})
    inputs = write({"in/inputs.json": '{"who": "Bob"}'}) / "in/inputs.json"
    result = 'result "Hello {}"'
    assert result.format("Ada") in reactor("run", folder).out
    assert result.format("Bob") in reactor("run", folder, "--inputs", inputs).out
    assert result.format("Eve") in reactor("run", folder, "--inputs", inputs, "--set", "who=Eve").out


def test_standard_input_is_read_once_and_lies_over_every_run(
    reactor: Reactor, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({"reactor.yaml": REACTOR, "ada.yaml": RUN, "bob.yaml": RUN.replace("greet-ada", "greet-bob")})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"who: all")))
    answer = reactor("run", folder, "--inputs", "-")
    assert answer.out.count('result "Hello all"') == 2


def test_a_setting_that_does_not_fit_one_run_starts_none(reactor: Reactor, write: Write) -> None:
    other = RUN.replace("greet-ada", "greet-other").replace("{who: Ada}", "{who: [Ada]}")
    folder = write({"reactor.yaml": REACTOR, "ada.yaml": RUN.replace("{who: Ada}", "{}"), "other.yaml": other})
    answer = reactor("run", folder, "--set", "who.name=Bob")
    assert (answer.code, answer.out) == (2, "")
    assert "found a list of 1 at `who`" in answer.err


def test_without_a_run_one_is_made_and_defaults_are_applied(reactor: Reactor, write: Write) -> None:
    file = write({"reactor.yaml": REACTOR, "run.yaml": RUN}) / "reactor.yaml"
    answer = reactor("run", file)
    assert answer.out.splitlines()[-1].startswith("greet-run  Succeeded")
    assert answer.out.splitlines()[-1].endswith('result "Hello world"')
    assert reactor("run", file, "--run", "mine").out.startswith("mine  (greet)")


def test_a_run_alone_finds_its_reactor_beside_it(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR, "run.yaml": RUN})
    assert 'result "Hello Ada"' in reactor("run", folder / "run.yaml").out


def test_bad_inputs_fail_the_run_and_start_nothing(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR, "run.yaml": RUN})
    answer = reactor("run", folder, "-o", "json", "--set", "who=[1]", "--set", "extra=1")
    assert answer.code == 1
    status = json.loads(answer.out)["status"]
    assert (status["phase"], status["failure"]["kind"]) == ("Failed", "InvalidInputs")
    assert "spec.inputs.who" in status["failure"]["message"]
    assert "spec.inputs.extra" in status["failure"]["message"]
    assert {step["phase"] for step in status["steps"]} == {"Pending"}


def test_unsound_manifests_run_nothing_and_tell_every_problem(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR + "    undoo: {}\n    waitFor: [nobody]\n", "run.yaml": RUN})
    answer = reactor("run", folder)
    assert (answer.code, answer.out) == (2, "")
    assert "undoo" in answer.err
    assert f"{folder}/reactor.yaml:13: " in answer.err


def test_one_unsound_reactor_does_not_stop_the_run_of_another(reactor: Reactor, write: Write) -> None:
    broken = REACTOR.replace("greet", "broken") + "    undoo: {}\n"
    folder = write({"reactor.yaml": REACTOR, "run.yaml": RUN, "broken.yaml": broken})
    assert reactor("run", folder).code == 0


def test_a_name_that_no_run_can_have_is_refused(reactor: Reactor) -> None:
    answer = reactor("run", EXAMPLES / "01-hello" / "reactor.yaml", "--run", "a b")
    assert answer.code == 2
    assert answer.err.startswith("--run: found 'a b', expected a DNS name")


def test_a_step_that_may_have_acted_and_cannot_be_reversed_says_so_in_its_line(reactor: Reactor, write: Write) -> None:
    step = "  - name: two\n    waitFor: [hello]\n    run: {python: {source: 'def main(): return {1, 2}'}}\n"
    answer = reactor("run", write({"reactor.yaml": REACTOR + step}))
    (line,) = (line for line in answer.out.splitlines() if line.startswith("  two    RollbackFailed"))
    assert "may have acted" in line


def test_an_unknown_run_names_the_nearest(reactor: Reactor) -> None:
    answer = reactor("run", EXAMPLES / "02-order-processing", "--run", "order-shiped")
    assert answer.code == 2
    assert answer.err.endswith("no ReactorRun 'order-shiped', did you mean 'order-shipped'?")


def test_a_secret_beside_the_manifest_is_an_argument_and_never_shown(reactor: Reactor, write: Write) -> None:
    step = (
        "  - name: login\n    arguments: {token: {secretKeyRef: {name: bank, key: token}}}\n"
        "    run: {python: {source: 'def main(token): return len(token)'}}\n"
    )
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: bank}\ndata: {token: czNjcjN0}\n"
    folder = write({"reactor.yaml": REACTOR + step, "secret.yaml": secret})
    answer = reactor("run", folder / "reactor.yaml", "-o", "json")
    assert json.loads(answer.out)["status"]["result"] == 6
    assert "s3cr3t" not in answer.out


TOKEN = (
    "  - name: login\n    arguments: {token: {secretKeyRef: {name: bank, key: token}}}\n"
    "    run: {python: {source: 'def main(token): return token'}}\n"
)


def test_a_secret_is_that_of_the_runs_namespace(reactor: Reactor, write: Write) -> None:
    def secret(namespace: str) -> str:
        metadata = f"{{name: bank, namespace: {namespace}}}"
        return f"apiVersion: v1\nkind: Secret\nmetadata: {metadata}\nstringData: {{token: of-{namespace}}}\n"

    written = (REACTOR + TOKEN).replace("name: greet}", "name: greet, namespace: live}")
    folder = write({"reactor.yaml": written, "1.yaml": secret("live"), "2.yaml": secret("test")})
    assert documents(reactor("run", folder, "-o", "json"))["greet-run"]["status"]["result"] == "of-live"


def test_of_secrets_in_several_namespaces_none_is_taken_where_no_namespace_is_known(
    reactor: Reactor, write: Write
) -> None:
    def secret(namespace: str) -> str:
        metadata = f"{{name: bank, namespace: {namespace}}}"
        return f"apiVersion: v1\nkind: Secret\nmetadata: {metadata}\nstringData: {{token: t}}\n"

    folder = write({"reactor.yaml": REACTOR + TOKEN, "1.yaml": secret("live")})
    assert reactor("run", folder).code == 0
    write({"2.yaml": secret("test")})
    answer = reactor("run", folder)
    assert answer.code == 1
    assert "key 'token' of Secret 'bank' is not among the manifests" in answer.out


def test_bytes_of_a_secret_that_are_no_text_fail_the_step_that_reads_them(reactor: Reactor, write: Write) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: bank}\ndata: {token: /u3+7Q==}\n"
    answer = reactor("run", write({"reactor.yaml": REACTOR + TOKEN, "secret.yaml": secret}))
    assert answer.code == 1
    assert "key 'token' of Secret 'bank' is no UTF-8 text, which no variable can hold" in answer.out


@pytest.mark.parametrize(("kind", "form"), [("Secret", "secretRef"), ("ConfigMap", "configMapRef")])
def test_what_env_from_names_is_found_beside_a_single_file(
    reactor: Reactor, write: Write, kind: str, form: str
) -> None:
    step = (
        f"  - name: login\n    envFrom: [{{{form}: {{name: bank}}}}]\n"
        "    run: {python: {source: 'import os\n\n        def main(): return os.environ[\"TOKEN\"]'}}\n"
    )
    part = "stringData" if kind == "Secret" else "data"
    beside = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: bank}}\n{part}: {{TOKEN: t-1}}\n"
    folder = write({"reactor.yaml": REACTOR + step, "beside.yaml": beside})
    answer = reactor("run", folder / "reactor.yaml", "-o", "json")
    assert json.loads(answer.out)["status"]["result"] == "t-1"


def test_a_handler_that_is_not_there_fails_its_step_by_name(reactor: Reactor, write: Write) -> None:
    step = "  - name: two\n    waitFor: [hello]\n    run: {python: {handler: 'gone:f'}}\n"
    answer = reactor("run", write({"reactor.yaml": REACTOR + step}))
    assert answer.code == 1
    (line,) = (line for line in answer.out.splitlines() if line.startswith("  two"))
    assert line.split()[:2] == ["two", "Failed"]
    assert "CannotStart" in line
    assert "gone" in line


def test_text_from_inputs_reaches_a_step_as_it_is(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR})
    for text in ("$(SECRET) $$(X) ; rm -rf {{x}} 'é\N{GRINNING FACE}", "--flag", "[bold]x[/bold]"):
        answer = reactor("run", folder, "--set", f"who={text}")
        assert answer.out.splitlines()[-1].endswith(f'result "Hello {text}"')


def test_with_a_state_file_a_finished_run_is_shown_and_not_repeated(
    reactor: Reactor, write: Write, tmp_path: Path
) -> None:
    folder, effects = write({"reactor.yaml": COUNTED}), tmp_path / "effects"
    arguments = ("run", folder, "--state", tmp_path / "run.db", "--set", f"file={effects}")
    assert reactor(*arguments).code == 0
    again = reactor(*arguments)
    assert again.code == 0
    assert "it ended before: shown, not run again" in again.out
    assert 'RESULT  "counted"' in again.out
    assert effects.read_text() == "x"
    shown = reactor(*arguments, "-o", "json")
    assert json.loads(shown.out)["status"]["phase"] == "Succeeded"
    assert effects.read_text() == "x"
    assert reactor(*arguments, "--run", "another").code == 0
    assert effects.read_text() == "xx", "another name is another run"


def test_a_run_of_a_state_file_is_shown_with_the_inputs_it_started_with(
    reactor: Reactor, write: Write, tmp_path: Path
) -> None:
    arguments = ("run", write({"reactor.yaml": REACTOR}), "--state", tmp_path / "run.db", "-o", "json")
    reactor(*arguments, "--set", "who=Ada")
    shown = json.loads(reactor(*arguments, "--set", "who=Bob").out)
    assert (shown["spec"]["inputs"], shown["status"]["result"]) == ({"who": "Ada"}, "Hello Ada")


def test_a_run_of_a_state_file_belongs_to_its_reactor(reactor: Reactor, write: Write, tmp_path: Path) -> None:
    state = ("--state", tmp_path / "run.db", "--run", "mine")
    assert reactor("run", write({"a/reactor.yaml": REACTOR}) / "a", *state).code == 0
    other = write({"b/reactor.yaml": REACTOR.replace("name: greet", "name: other")}) / "b"
    answer = reactor("run", other, *state)
    assert (answer.code, answer.out) == (2, "")
    assert "run 'mine' is there already, as a run of Reactor 'greet', found Reactor 'other'" in answer.err


def test_damaged_records_of_a_state_file_are_refused(reactor: Reactor, write: Write, tmp_path: Path) -> None:
    arguments = ("run", write({"reactor.yaml": REACTOR}), "--state", tmp_path / "run.db")
    assert reactor(*arguments).code == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "run.db")) as db, db:
        db.execute("UPDATE records SET body = '{' WHERE name = 'header'")
    answer = reactor(*arguments)
    assert answer.code == 2
    assert answer.err.startswith("--state: the records of run 'greet-run' cannot be read (")


def test_a_failed_run_in_a_state_file_exits_as_it_did(reactor: Reactor, tmp_path: Path) -> None:
    arguments = ("run", EXAMPLES / "02-order-processing", "--run", "order-declined", "--state", tmp_path / "run.db")
    assert [reactor(*arguments).code, reactor(*arguments).code] == [1, 1]


def test_each_run_without_a_state_file_is_a_new_transaction(reactor: Reactor, write: Write) -> None:
    source = "def main(context): return context.idempotency_key"
    folder = write(
        {
            "reactor.yaml": COUNTED.partition("  steps:")[0]
            + f"  steps: [{{name: a, run: {{python: {{source: '{source}'}}}}}}]\n"
        }
    )
    keys = {json.loads(reactor("run", folder, "-o", "json").out)["status"]["result"] for _ in range(2)}
    assert len(keys) == 2


@pytest.mark.parametrize("name", ["junk.db", "missing/run.db"])
def test_a_state_file_that_cannot_be_one_is_refused(reactor: Reactor, tmp_path: Path, name: str) -> None:
    (tmp_path / "junk.db").write_text("no database at all, and long enough to be looked at by anyone who cares " * 20)
    answer = reactor("run", EXAMPLES / "01-hello", "--state", tmp_path / name)
    assert answer.code == 2
    assert answer.err.startswith("--state: ")
    assert str(tmp_path / name) in answer.err


@pytest.mark.parametrize(
    ("phases", "code"),
    [
        (["Succeeded", "Halted"], 0),
        (["Succeeded", "Failed", "Paused"], 1),
        (["Cancelled"], 1),
        (["Succeeded", "Paused"], 3),
        (["Suspended"], 3),
    ],
)
def test_the_exit_code_of_several_runs(phases: list[str], code: int) -> None:
    assert exit_code_of([run(phase) for phase in phases]) == code
