"""What tests of the command line share: folders of manifests, and the command called in this process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.main import app

_COMMAND = typer.main.get_command(app)
EXAMPLES = Path(__file__).parents[3] / "examples"

Write = Callable[[Mapping[str, str]], Path]

REACTOR = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: greet}
spec:
  inputsSchema:
    type: object
    properties: {who: {type: string, default: world}}
    additionalProperties: false
  steps:
  - name: hello
    arguments: {who: {input: who}}
    run: {python: {source: "def main(who): return 'Hello ' + who"}}
"""

RUN = """\
apiVersion: reactor.run/v1alpha1
kind: ReactorRun
metadata: {name: greet-ada}
spec:
  reactorRef: {name: greet}
  inputs: {who: Ada}
"""


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


Reactor = Callable[..., Answer]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files into a folder of this test and return it."""

    def write_files(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write_files


@pytest.fixture
def reactor(capsys: pytest.CaptureFixture[str]) -> Reactor:
    """Call `reactor ARGUMENTS…` in this process, as `main` does."""

    def call(*arguments: object) -> Answer:
        try:
            _COMMAND([str(argument) for argument in arguments], prog_name="reactor")
            code: object = 0
        except SystemExit as ended:
            code = ended.code
        except CommandError as error:
            captured = capsys.readouterr()
            return Answer(error.exit_code, captured.out, captured.err + str(error))
        captured = capsys.readouterr()
        assert isinstance(code, int)
        return Answer(code, captured.out, captured.err)

    return call
