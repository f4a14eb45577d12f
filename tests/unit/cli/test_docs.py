"""What the documents say is so: every option is in docs/cli.md, and the reactor of the README runs as it is written."""

import json
import re
from pathlib import Path
from textwrap import indent

import pytest
from typer.main import get_command

from reactor_operator.cli.main import app
from tests.unit.cli.conftest import Reactor, Write

ROOT = Path(__file__).parents[3]
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_of_a_command_is_documented_and_no_other(name: str) -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    (usage,) = re.findall(rf"^reactor {name} [^`]*?(?=^reactor |^```)", text, re.MULTILINE)
    everywhere = {"--help", "--namespace", "--context", "--kubeconfig"}
    options = {option for one in COMMANDS[name].params for option in one.opts if option.startswith("--")}
    assert set(re.findall(r"--[a-z-]+", usage)) == options - everywhere


def blocks(language: str, document: str = "README.md") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)


def test_the_reactor_of_the_readme_is_sound_and_is_rolled_back_as_it_says(reactor: Reactor, write: Write) -> None:
    (manifest,), (module,) = blocks("yaml"), blocks("python")
    folder = write({"reactor.yaml": manifest, "shop.py": module})
    assert reactor("lint", "--strict", folder).code == 0
    settings = ("--set", 'items=["cup"]', "--set", "card=expired")
    answer = reactor("run", folder, "-o", "json", *settings)
    status = json.loads(answer.out)["status"]
    assert (status["phase"], status["failure"]["message"]) == ("Failed", "the card has expired")
    assert status["rollback"]["undone"] == ["charge", "reserve"]
    assert reactor("run", folder, *settings, "--set", "card=good").code == 0


def test_the_steps_of_the_documentation_of_steps_are_sound(reactor: Reactor, write: Write) -> None:
    step, container = blocks("yaml", "docs/steps.md")
    names = [f"- name: {name}\n  transform: {{value: {{total: 1}}}}\n" for name in ("customer", "reserve")]
    last = "- name: last\n  arguments: {amount: {value: 1}}\n  compensate: {container: {image: a}}\n"
    steps = "".join([*names, step, last, indent(container, "  ")])
    head = "apiVersion: reactor.run/v1alpha1\nkind: Reactor\nmetadata: {name: x}\nspec:\n  steps:\n"
    module = "def charge(): ...\ndef void(): ...\ndef refund(): ...\n"
    answer = reactor("lint", "--strict", write({"reactor.yaml": head + indent(steps, "  "), "shop.py": module}))
    assert answer.code == 0, answer.out


@pytest.mark.parametrize("steps", blocks("yaml", "docs/maps.md"))
def test_the_maps_of_the_documentation_are_sound(reactor: Reactor, write: Write, steps: str) -> None:
    load = "- name: load\n  transform: {value: {orders: []}}\n" if "result: load" in steps else ""
    head = "apiVersion: reactor.run/v1alpha1\nkind: Reactor\nmetadata: {name: x}\nspec:\n  steps:\n"
    named = set(re.findall(r"shop\.(\w+):(\w+)", steps))
    modules = {
        f"shop/{module}.py": "".join(f"def {function}(): ...\n" for of, function in sorted(named) if of == module)
        for module, _ in named
    }
    answer = reactor("lint", "--strict", write({"reactor.yaml": head + indent(load + steps, "  "), **modules}))
    assert answer.code == 0, answer.out
