"""Random reactors as people write them, and scripts for them.

In: Hypothesis. Out: a `Scenario`, which reads as a manifest and a table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.property.reference import Reference
from tests.property.siblings import Siblings
from tests.property.words import NEVER, NOT_KEPT, SUSPEND, End, Interruption, Moves, Script
from tests.property.written import Node, lay_out

HANDLER = "shop:work"
RUN_ENDINGS = ("ok", "Error", "Timeout", "Error", "Fatal", "InvalidResult", "CannotStart", "skip", "halt")
WHEN_ENDINGS = ("true", "false", "Expression")
VALUE_ENDINGS = ("ok", "Expression")
CLEANUP_ENDINGS = ("ok", "Error", "Fatal", "Timeout")
FINAL_ENDINGS = {"run": RUN_ENDINGS, "when": WHEN_ENDINGS, "transform": VALUE_ENDINGS}


@dataclass(frozen=True)
class Scenario:
    """A reactor and how its tasks end."""

    spec: Mapping[str, Any]
    script: Script
    signals: tuple[str, ...] = ()
    interruption: Interruption = NEVER
    moves: Moves | None = None

    def __repr__(self) -> str:
        number, signal = self.interruption
        asked = f"while launch {number} is in flight: {signal}\n" if signal else ""
        if self.moves is not None:
            asked += f"of what is in flight moves number {', '.join(map(str, self.moves.picks)) or 0} and so on\n"
            asked += "".join(f"instead of move {number}: {signal}\n" for number, signal in self.moves.asked.items())
        return f"\n{self.manifest()}\n{self.table()}\n{asked}then asked for: {', '.join(self.signals) or 'nothing'}"

    def told(self) -> End:
        """What the model says of it. A run that was suspended ends as it would have without."""
        if self.moves is None:
            interruption = NEVER if self.interruption[1] == SUSPEND else self.interruption
            return Reference(self.spec, self.script, interruption).end(*self.signals)
        return Siblings(self.spec, self.script, self.moves).end(*self.signals)

    def manifest(self) -> str:
        """Render the reactor."""
        document = {
            "apiVersion": "reactor.run/v1alpha1",
            "kind": "Reactor",
            "metadata": {"name": "scenario"},
            "spec": self.spec,
        }
        return yaml.dump(document, sort_keys=False, Dumper=_WithoutAnchors)

    def table(self) -> str:
        """Render the script: what is not listed succeeds."""
        rows = [("STEP", "ACTION", "ENDS")]
        rows += [(path, action, ", then ".join(endings)) for (path, action), endings in sorted(self.script.items())]
        wide = max(len(path) for path, _, _ in rows)
        return "\n".join(f"{path:{wide}}  {action:10}  {ends}" for path, action, ends in rows)


class _WithoutAnchors(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def python() -> dict[str, Any]:
    """One action."""
    return {"python": {"handler": HANDLER}}


def retries(attempts: int) -> dict[str, Any]:
    """A policy whose delays are all the same, so that those who wait are due together."""
    return {"maxAttempts": attempts, "backoff": "fixed", "baseDelay": "1s", "jitterPercent": 0}


@st.composite
def policies(draw: st.DrawFn, *, optional: bool = True) -> dict[str, Any]:
    """Draw what a task says of its failures."""
    said: dict[str, Any] = {}
    if draw(st.integers(0, 3)):
        said["retries"] = retries(draw(st.integers(1, 3)))
    for action in ("compensate", "undo"):
        if draw(st.integers(0, 3)):
            said[action] = {**python(), "retries": retries(draw(st.integers(1, 2)))}
    if optional and draw(st.integers(0, 4)) == 4:
        said["onError"] = {"action": "Continue", "value": None}
    return said


@st.composite
def flat_steps(draw: st.DrawFn, names: Iterator[str], most: int = 5) -> list[dict[str, Any]]:
    """Draw tasks and values that wait for any of those drawn before, in any order."""
    steps: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, most))):
        before = [step["name"] for step in steps]
        step: dict[str, Any] = {"name": next(names)}
        needs = draw(st.lists(st.sampled_from(before), unique=True, max_size=2)) if before else []
        if needs:
            step["waitFor"] = needs
        if draw(st.integers(0, 4)) == 4:
            step["when"] = "inputs.go"
        if draw(st.integers(0, 5)) == 5:
            step["transform"] = {"value": 1}
        else:
            step |= {"run": python(), **draw(policies())}
        steps.append(step)
    return draw(st.permutations(steps))


@st.composite
def flat_scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a reactor without steps inside steps."""
    names = (f"s{number}" for number in range(100))
    return draw(scripted({"parallelism": 1, "steps": draw(flat_steps(names))}))


@st.composite
def scripted(draw: st.DrawFn, spec: Mapping[str, Any]) -> Scenario:
    """Draw a script for a reactor."""
    script: dict[tuple[str, str], list[str]] = {}
    finals = [(path, action, FINAL_ENDINGS[action]) for path, action, _ in asked(lay_out(spec.get("finally", ())))]
    for path, action, endings in [*asked(lay_out(spec["steps"])), *finals]:
        drawn = draw(st.lists(st.sampled_from(endings), max_size=3))
        if drawn:
            script[path, action] = drawn
    return Scenario(spec, script)


def asked(nodes: list[Node]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield what a script may say: of whom, of what, and which words."""
    for node in nodes:
        if "when" in node.written:
            yield node.path, "when", WHEN_ENDINGS
        if node.kind == "run":
            yield node.path, "run", RUN_ENDINGS
        if node.kind == "transform":
            yield node.path, "transform", VALUE_ENDINGS
        if node.kind == "switch":
            yield node.path, "switch", tuple(body.path.split("[")[-1][:-1] for body in node.inside)
        if "compensate" in node.written and node.kind != "switch":
            yield node.path, "compensate", (*CLEANUP_ENDINGS, "continue")
        if "undo" in node.written and node.kind == "run":
            yield node.path, "undo", CLEANUP_ENDINGS
        yield from asked(node.inside)


@st.composite
def nested_steps(draw: st.DrawFn, names: Iterator[str], deep: int) -> list[dict[str, Any]]:
    """Draw steps with steps inside, each waiting for the one before, so that nothing is free."""
    if deep == 0 or draw(st.integers(0, 3)) == 3:
        return draw(flat_steps(names, 3))
    steps: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        step: dict[str, Any] = {"name": next(names)}
        if steps:
            step["waitFor"] = [steps[-1]["name"]]
        if draw(st.integers(0, 4)) == 4:
            step["when"] = "inputs.go"
        step |= draw(st.sampled_from([tasks(), composes(names, deep - 1), switches(names, deep - 1)]).flatmap(_itself))
        steps.append(step)
    return steps


def _itself(strategy: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return strategy


def tasks() -> st.SearchStrategy[dict[str, Any]]:
    """Draw what a task says."""
    return policies().map(lambda said: {"run": python(), **said})


@st.composite
def composes(draw: st.DrawFn, names: Iterator[str], deep: int) -> dict[str, Any]:
    """Draw steps that are one, and whether what fails inside stays inside."""
    said = draw(policies())
    said.pop("undo", None)
    return {"compose": {"steps": draw(nested_steps(names, deep))}, **said}


@st.composite
def switches(draw: st.DrawFn, names: Iterator[str], deep: int) -> dict[str, Any]:
    """Draw bodies of which one is chosen; policies, which are those of the body, only where each is a task."""
    inner = draw(st.booleans())

    def body() -> dict[str, Any]:
        if inner and draw(st.booleans()):
            return {"steps": draw(nested_steps(names, deep))}
        return {"transform": {"value": 1}} if inner else {"run": python()}

    cases = [{"when": "inputs.go", **body()} for _ in range(draw(st.integers(1, 2)))]
    return {"switch": {"cases": cases, "default": body()}, **({} if inner else draw(policies()))}


@st.composite
def nested_scenarios(draw: st.DrawFn, *, asks: int = 0) -> Scenario:
    """Draw a reactor with composes and switches, and what people ask for at its end, at most `asks` times."""
    names = (f"s{number}" for number in range(100))
    scenario = draw(scripted({"parallelism": 1, "steps": draw(nested_steps(names, 2))}))
    return draw(with_requests(scenario, asks))


@st.composite
def with_requests(draw: st.DrawFn, scenario: Scenario, asks: int) -> Scenario:
    """Draw what people ask for once the run has ended, at most `asks` times: often what makes sense by then."""
    for _ in range(draw(st.integers(min(asks, 1), asks))):
        steps = scenario.told().steps
        fallen = [path for path, phase in steps.items() if phase in NOT_KEPT] or list(steps)
        skips = st.sampled_from(fallen) | st.sampled_from(list(steps))
        signal = draw(st.sampled_from(["undo", "retry"]) | skips.map("skip {}".format))
        scenario = replace(scenario, signals=(*scenario.signals, signal))
    return scenario


@st.composite
def finally_scenarios(draw: st.DrawFn, *, asks: int = 0) -> Scenario:
    """Draw a reactor with steps at every end, and what people ask for then, at most `asks` times."""
    names = (f"s{number}" for number in range(100))
    steps = draw(flat_steps(names, 3))
    finals = draw(flat_steps(names, 3))
    for step in finals:
        for field in ("compensate", "undo", "onError"):
            step.pop(field, None)
    scenario = draw(scripted({"parallelism": 1, "steps": steps, "finally": finals}))
    return draw(with_requests(scenario, asks))


@st.composite
def interrupted_scenarios(draw: st.DrawFn, *requests: str) -> Scenario:
    """Draw any of them, and what a person asks for while one of its tasks is in flight."""
    scenario = draw(st.one_of(flat_scenarios(), nested_scenarios(), finally_scenarios()))
    interruption = (draw(st.integers(1, 12)), draw(st.sampled_from(requests)))
    return draw(with_requests(replace(scenario, interruption=interruption), 2))


@st.composite
def sibling_scenarios(draw: st.DrawFn, *, asks: int = 0, meanwhile: tuple[str, ...] = ()) -> Scenario:
    """Draw a reactor of which several tasks are in flight at once, and what people ask for `meanwhile`."""
    names = (f"s{number}" for number in range(100))
    spec: dict[str, Any] = {
        "parallelism": draw(st.integers(2, 4)),
        "onFailure": draw(st.sampled_from(["drain", "terminate"])),
        "steps": draw(flat_steps(names)),
    }
    if draw(st.integers(0, 3)) == 3:
        spec["finally"] = [
            {key: said for key, said in step.items() if key not in {"compensate", "undo", "onError"}}
            for step in draw(flat_steps(names, 2))
        ]
    asked = draw(st.dictionaries(st.integers(1, 20), st.sampled_from(meanwhile), max_size=3)) if meanwhile else {}
    moves = Moves(tuple(draw(st.lists(st.integers(0, 4), max_size=30))), dict(sorted(asked.items())))
    return draw(with_requests(replace(draw(scripted(spec)), moves=moves), asks))
