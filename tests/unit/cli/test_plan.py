"""`reactor plan` tells the order of starts and undos, and the pods, without running anything."""

import json

from reactor_operator.cli.yaml_source import parse_documents
from tests.unit.cli.conftest import EXAMPLES, REACTOR, Reactor, Write


def test_the_plan_of_an_order_is_told_forwards_and_backwards(reactor: Reactor) -> None:
    answer = reactor("plan", EXAMPLES / "02-order-processing")
    assert answer.code == 0
    starts, undos = answer.out.split("UNDO ORDER")
    assert [line.split()[:2] for line in starts.splitlines() if line[:1].isdigit() and ". " in line[:4]] == [
        ["1.", "reserve"],
        ["2.", "charge"],
        ["3.", "ship"],
        ["4.", "receipt"],
    ]
    assert [line.split()[:2] for line in undos.splitlines() if line[:1].isdigit()] == [
        ["1.", "ship"],
        ["2.", "charge"],
        ["3.", "reserve"],
    ]
    assert "NOT UNDONE   receipt" in undos


def test_steps_that_may_run_side_by_side_have_one_number(reactor: Reactor) -> None:
    out = reactor("plan", EXAMPLES / "03-user-registration").out
    assert [line.split()[0] for line in out.splitlines() if "after account" in line] == ["2.", "2."]


def test_the_pods_are_printed_as_yaml_and_json_with_no_secret_in_them(reactor: Reactor) -> None:
    answer = reactor("plan", "-o", "yaml", EXAMPLES / "02-order-processing")
    assert answer.code == 0
    pods = [document.value for document in parse_documents(answer.out, "out")]
    assert len(pods) == 10, "4 runs, 3 compensates and 3 undos"
    assert all(isinstance(pod, dict) and pod["kind"] == "Pod" for pod in pods)
    assert "REACTOR_HANDLER" in answer.out
    assert "<token>" in answer.out
    found = json.loads(reactor("plan", "-o", "json", EXAMPLES / "02-order-processing").out)
    assert found["items"] == pods


def test_arguments_are_shown_by_where_they_come_from(reactor: Reactor, write: Write) -> None:
    step = (
        "  - name: pay\n    arguments: {amount: {result: hello, path: total}}\n"
        "    run: {container: {image: 'pay:1', env: [{name: AMOUNT, argument: amount}]}}\n"
    )
    out = reactor("plan", "-o", "json", write({"reactor.yaml": REACTOR + step})).out
    pay = json.loads(out)["items"][1]
    env = {entry["name"]: entry.get("value") for entry in pay["spec"]["containers"][0]["env"]}
    assert env["AMOUNT"] == "<result: hello, path: total>"


def test_a_plan_of_an_unsound_reactor_is_every_problem_on_stderr(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR + "    waitFor: [nobody, hello]\n"})
    answer = reactor("plan", folder)
    assert answer.code == 2
    assert answer.out == ""
    assert [line.split(": ")[1] for line in answer.err.splitlines()] == [
        "spec.steps[0].waitFor[0]",
        "spec.steps[0].waitFor[1]",
    ]
