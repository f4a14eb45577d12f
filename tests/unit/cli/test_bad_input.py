"""What is wrong is refused before anything starts, or fails its run clearly: what was done is undone, others go on."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.unit.cli.conftest import Answer, Reactor, Write
from tests.unit.runtime.service import Service, serving

RUN = """\
---
apiVersion: reactor.run/v1alpha1
kind: ReactorRun
metadata: {name: NAME-1}
spec: {reactorRef: {name: NAME}}
"""


def manifest(name: str, steps: str, *, runs: bool = True) -> str:
    head = f"apiVersion: reactor.run/v1alpha1\nkind: Reactor\nmetadata: {{name: {name}}}\nspec:\n  steps:\n"
    return head + steps + (RUN.replace("NAME", name) if runs else "")


GOOD = manifest("good", "  - name: only\n    transform: {value: fine}\n")
FIRST = """\
  - name: first
    run: {python: {source: "def main(): return 1"}}
    undo: {python: {source: "def main(result): pass"}}
"""
TENS = "[1,2,3,4,5,6,7,8,9,10]"
RUNAWAY = "true" + "".join(f" && {TENS}.all(v{n}, true" for n in range(9)) + ")" * 9
OTHER = {
    "missing": {},
    "cycle": {"other.yaml": manifest("other", "  - name: b\n    compose: {reactorRef: {name: bad}}\n", runs=False)},
    "unsound": {"other.yaml": manifest("other", "  - name: b\n    trnsform: {value: 1}\n", runs=False)},
}


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service()) as found:
        yield found


def finished(answer: Answer) -> dict[str, dict[str, Any]]:
    """Return the statuses of all runs of a folder, by name."""
    return {run["metadata"]["name"]: run["status"] for run in json.loads(answer.out)["items"]}


@pytest.mark.parametrize(
    ("composed", "told"),
    [
        (OTHER["missing"], "spec.steps[1].compose.reactorRef.name: found no Reactor 'other'; apply it first"),
        (OTHER["cycle"], "reactors compose each other without an end: other -> bad -> other; put a switch or a when"),
        (OTHER["unsound"], "other.yaml:7: spec.steps[0].trnsform: unknown field 'trnsform': did you mean transform?"),
    ],
)
def test_what_a_reactor_composes_is_judged_before_anything_starts(
    reactor: Reactor, write: Write, composed: Mapping[str, str], told: str
) -> None:
    bad = manifest("bad", FIRST + "  - name: a\n    compose: {reactorRef: {name: other}}\n")
    folder = write({"bad.yaml": bad, "good.yaml": GOOD, **composed})
    answer = reactor("run", folder)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert reactor("run", folder, "--run", "good-1").code == 0


def test_all_that_is_wrong_with_a_composed_reactor_is_told_once_where_it_stands(reactor: Reactor, write: Write) -> None:
    bad = manifest("bad", "  - name: a\n    compose: {reactorRef: {name: other}}\n")
    other = OTHER["unsound"]["other.yaml"].replace("{value: 1}", "{value: 1}\n    waitFor: [nobody]")
    folder = write({"bad.yaml": bad, "other.yaml": other})
    for command in ("run", "lint"):
        answer = reactor(command, folder)
        lines = [line for line in (answer.out + answer.err).splitlines() if "yaml:" in line]
        assert len(lines) == len(set(lines)) == 4
        assert "bad.yaml:5: spec.steps: Reactor 'other', which it composes, is not sound" in lines[0]
        assert all("other.yaml:" in line for line in lines[1:])


@pytest.mark.parametrize(
    ("step", "kind", "told"),
    [
        (
            "    switch: {cases: [{when: results.first.nowhere == 1, transform: {value: 1}}]}\n",
            "Expression",
            "step a: switch.cases[0].when: ",
        ),
        (
            f"    switch: {{cases: [{{when: '{RUNAWAY}', transform: {{value: 1}}}}]}}\n",
            "Expression",
            "switch.cases[0].when: took more than 1s of CPU time and was stopped: read less, or loop less",
        ),
        (
            "    run: {http: {method: POST, url: {value: SERVICE/charges},"
            " headers: {Authorization: {secretKeyRef: {name: bank, key: token}}}}}\n",
            "CannotStart",
            "key 'token' of Secret 'bank' is not among the manifests",
        ),
        (
            "    run: {http: {method: GET, url: {value: SERVICE/huge}}}\n"
            "    compensate: {http: {method: DELETE, url: {value: SERVICE/huge}}}\n",
            "Http",
            "the answer has 104857600 bytes, expected at most 1048576 (1 MiB)",
        ),
    ],
)
def test_a_step_that_asks_the_impossible_fails_its_run_alone_and_what_was_done_is_undone(
    reactor: Reactor, write: Write, service: Service, step: str, kind: str, told: str
) -> None:
    service.decides = lambda asked: (200, b"x" * (100 << 20) if asked.method == "GET" else b"")
    bad = manifest("bad", f"{FIRST}  - name: a\n    waitFor: [first]\n{step.replace('SERVICE', service.address)}")
    answer = reactor("run", "-o", "json", write({"bad.yaml": bad, "good.yaml": GOOD}))
    assert answer.code == 1
    runs = finished(answer)
    failed = runs["bad-1"]
    assert (failed["phase"], failed["failure"]["step"], failed["failure"]["kind"]) == ("Failed", "a", kind)
    assert told in failed["failure"]["message"]
    assert failed["rollback"]["state"] == "Complete"
    assert failed["rollback"]["undone"] == (["a", "first"] if kind == "Http" else ["first"])
    assert [asked.method for asked in service.asked] == (["GET", "DELETE"] if kind == "Http" else [])
    assert (runs["good-1"]["phase"], runs["good-1"]["result"]) == ("Succeeded", "fine")
