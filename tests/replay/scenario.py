"""How a scenario is written: the parts of a reactor, and a story about a run of it.

In: steps and a function that tells the story. Out: a `Scenario`, in a list under the name of the function.
Never here: a story.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.replay.filed import Document
from tests.replay.recorded_run import RecordedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens, in a sentence; the spec of the Reactor; and the story."""

    about: str
    spec: Document
    play: Callable[[RecordedRun], None]


def listed_in(
    scenarios: dict[str, Scenario], about: str, *steps: Document, **spec: object
) -> Callable[[Callable[[RecordedRun], None]], None]:
    """List a story under its name, with the reactor that it is about."""

    def listed(play: Callable[[RecordedRun], None]) -> None:
        name = play.__name__.replace("_", "-")
        scenarios[name] = Scenario(about=about, spec={**spec, "steps": list(steps)}, play=play)

    return listed


def python(handler: str) -> Document:
    """Return an action that is a Python handler."""
    return {"python": {"handler": f"shop:{handler}"}}


def container(command: str) -> Document:
    """Return an action that is a container."""
    return {"container": {"image": "shop:1", "command": [f"/{command}"]}}


def step(name: str, *after: str, **more: object) -> Document:
    """Return a step that runs a handler of its name after others."""
    waits = {"waitFor": list(after)} if after else {}
    body = {} if {"run", "compose", "switch", "transform", "map", "interrupt"} & more.keys() else {"run": python(name)}
    return {"name": name, **waits, **body, **more}


UNDO = {"undo": python("take_back")}
COMPENSATE = {"compensate": python("clean_up")}
