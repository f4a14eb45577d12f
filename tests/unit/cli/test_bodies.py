"""Composes, switches and transforms on the laptop: what runs, what is undone, what is refused."""

import json
from typing import Any

import pytest

from tests.unit.cli.conftest import Reactor, Write


def head(name: str) -> str:
    return f"apiVersion: reactor.run/v1alpha1\nkind: Reactor\nmetadata: {{name: {name}}}\nspec:\n"


def script(body: str) -> str:
    source = json.dumps(f"def main(**given):\n    {body}\n")
    return f"{{python: {{source: {source}}}}}"


def ran(answer: Any) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(answer.out)["status"]
    return status


def phases(status: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["phase"] for step in status["steps"]}


RETRIED = (
    head("retried")
    + f"""
  inputsSchema: {{type: object, properties: {{file: {{type: string}}}}}}
  steps:
  - name: ship
    compose:
      steps:
      - name: pack
        arguments: {{file: {{input: file}}}}
        run: {script("open(given['file'], 'a').write('p'); return 'packed'")}
        undo: {script("open(given['file'], 'a').write('u')")}
      - name: book
        waitFor: [pack]
        arguments: {{file: {{input: file}}}}
        run: {script("assert open(given['file']).read() == 'pup', 'courier is down'; return 'booked'")}
      returns: {{expr: "[results.pack, results.book]"}}
    retries: {{maxAttempts: 2, baseDelay: 1ms}}
"""
)


def test_a_compose_with_retries_is_undone_inside_and_attempted_again(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": RETRIED})
    status = ran(reactor("run", "-o", "json", folder, "--set", f"file={folder / 'log'}"))
    assert (status["phase"], status["result"]) == ("Succeeded", ["packed", "booked"])
    assert (folder / "log").read_text() == "pup"
    steps = {step["name"]: step for step in status["steps"]}
    assert (steps["ship"]["attempts"], steps["ship/pack"]["round"]) == (2, 2)
    assert status["rollback"]["state"] == "NotNeeded"


CHILD = (
    head("child")
    + f"""
  inputsSchema:
    type: object
    required: [num]
    additionalProperties: false
    properties: {{num: {{type: integer}}, more: {{type: integer, default: 5}}}}
  steps:
  - name: double
    arguments: {{num: {{input: num}}, more: {{input: more}}}}
    run: {script("return given['num'] * 2 + given['more']")}
"""
)


def parent(inputs: str) -> str:
    return (
        head("parent")
        + f"""
  steps:
  - name: start
    transform: {{value: 3}}
  - name: child
    compose: {{reactorRef: {{name: child}}, inputs: {{{inputs}}}}}
"""
    )


def test_another_reactor_gets_its_inputs_with_the_defaults_of_its_schema(reactor: Reactor, write: Write) -> None:
    folder = write({"parent.yaml": parent("num: {result: start}"), "child.yaml": CHILD})
    status = ran(reactor("run", "-o", "json", folder, "--reactor", "parent"))
    assert (status["phase"], status["result"]) == ("Succeeded", 11)
    assert phases(status) == {"start": "Succeeded", "child": "Succeeded", "child/double": "Succeeded"}


def test_inputs_that_another_reactor_does_not_take_fail_the_step_that_gives_them(
    reactor: Reactor, write: Write
) -> None:
    folder = write({"parent.yaml": parent('num: {value: "x"}, k: {value: 1}'), "child.yaml": CHILD})
    status = ran(reactor("run", "-o", "json", folder, "--reactor", "parent"))
    failure = status["failure"]
    assert (status["phase"], failure["step"], failure["kind"]) == ("Failed", "child", "InvalidArguments")
    assert "Reactor child takes other inputs" in failure["message"]
    assert "inputs.num" in failure["message"]
    assert "unknown field 'k'" in failure["message"]
    assert phases(status)["child/double"] == "Pending"


def test_a_composed_reactor_is_found_beside_the_manifest(reactor: Reactor, write: Write) -> None:
    folder = write({"parent.yaml": parent("num: {value: 1}"), "child.yaml": CHILD})
    assert ran(reactor("run", "-o", "json", folder / "parent.yaml"))["result"] == 7


def test_a_composed_reactor_that_is_nowhere_is_refused_with_file_and_line(reactor: Reactor, write: Write) -> None:
    answer = reactor("run", write({"parent.yaml": parent("num: {value: 1}")}))
    assert answer.code == 2
    assert "parent.yaml:10: spec.steps[1].compose.reactorRef.name: found no Reactor 'child'" in answer.err


def switching(when: str, default: str = "") -> str:
    return (
        head("switching")
        + f"""
  steps:
  - name: route
    arguments: {{weight: {{input: weight}}}}
    switch:
      cases:
      - when: {json.dumps(when)}
        run: {script("return ['by road', given]")}
      {default}
"""
    )


def test_a_switch_gives_the_body_it_chose_its_own_arguments(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": switching("args.weight < 10")})
    status = ran(reactor("run", "-o", "json", folder, "--set", "weight=3"))
    assert status["result"] == ["by road", {"weight": 3}]


@pytest.mark.parametrize(
    ("when", "told"),
    [
        (
            "args.weight < 10",
            "no case of the switch is true and it has no default: args.weight < 10 (args.weight is 12)",
        ),
        ("inputs.nowhere > 1", "switch.cases[0].when: no such key: nowhere"),
        ("args.weight", "switch.cases[0].when: gave a number, expected true or false"),
    ],
)
def test_a_switch_that_chooses_nothing_fails_and_says_what_was_compared(
    reactor: Reactor, write: Write, when: str, told: str
) -> None:
    folder = write({"reactor.yaml": switching(when)})
    status = ran(reactor("run", "-o", "json", folder, "--set", "weight=12"))
    assert (status["failure"]["step"], status["failure"]["kind"]) == ("route", "Expression")
    assert told in status["failure"]["message"]


def test_a_recursion_that_ends_does_and_one_that_does_not_fails_at_the_limit(reactor: Reactor, write: Write) -> None:
    down = (
        head("down")
        + """
  steps:
  - name: next
    switch:
      cases:
      - when: inputs.num > 0
        reactorRef: {name: down}
        inputs: {num: {expr: inputs.num - 1}}
      default: {transform: {value: bottom}}
"""
    )
    folder = write({"reactor.yaml": down})
    assert ran(reactor("run", "-o", "json", folder, "--set", "num=4"))["result"] == "bottom"
    status = ran(reactor("run", "-o", "json", folder, "--set", "num=40"))
    assert status["failure"]["kind"] == "InvalidReactor"
    assert "inside itself more than 10 times" in status["failure"]["message"]


def test_of_several_reactors_the_one_that_no_other_composes_is_meant(reactor: Reactor, write: Write) -> None:
    folder = write({"parent.yaml": parent("num: {value: 1}"), "child.yaml": CHILD})
    assert reactor("plan", folder).out.startswith("parent\n")
    assert ran(reactor("run", "-o", "json", folder))["result"] == 7


def test_the_plan_and_the_graph_show_what_is_inside(reactor: Reactor, write: Write) -> None:
    folder = write({"parent.yaml": parent("num: {value: 1}"), "child.yaml": CHILD})
    plan = reactor("plan", folder, "--reactor", "parent").out
    assert [line.split()[:2] for line in plan.splitlines() if line[:1].isdigit()][1:] == [
        ["1.", "start"],
        ["1.", "child"],
        ["2.", "child/double"],
    ]
    graph = reactor("graph", folder, "--reactor", "parent").out
    assert "<b>child/double</b>" in graph
    assert "Reactor child" in graph
