"""Inputs from the command line, laid over those of a run.

In: `--inputs FILE|-`, `--set KEY=VALUE`, and the inputs of runs. Out: the inputs to run with. Raises CommandError.
Keys of the file replace those of the run; each `--set` then sets one place, however deep.
Never here: whether the inputs fit the reactor's schema.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from reactor_operator.api.document import document_problems
from reactor_operator.api.paths import Keys, parse_path, render_path
from reactor_operator.api.problems import render_found
from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.options import InputOptions
from reactor_operator.cli.standard_input import SHOWN, read_standard_input
from reactor_operator.cli.yaml_source import parse_documents, parse_scalar

Inputs = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenInputs:
    """What the command line gives, read once: standard input has it only once, and several runs may want it."""

    file: Mapping[str, object] = field(default_factory=dict)
    settings: Sequence[str] = ()

    def over(self, inputs: Mapping[str, object]) -> Inputs:
        """Return `inputs` with the file's keys and then the single values over them; `inputs` stays as it is."""
        merged = copy.deepcopy({**inputs, **self.file})
        for setting in self.settings:
            _set(merged, setting)
        problems = document_problems(merged, "inputs")
        if problems:
            raise CommandError("\n".join(f"error: {problem}" for problem in problems))
        return merged


def read_given(options: InputOptions) -> GivenInputs:
    """Read what the command line gives, and check each `--set` by itself."""
    for setting in options.values:
        parse_setting(setting)
    return GivenInputs(file=_read_file(options.file) if options.file is not None else {}, settings=options.values)


def _read_file(file: str) -> Mapping[str, object]:
    try:
        text = read_standard_input() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--inputs {file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    documents = parse_documents(text, SHOWN if file == "-" else file)
    if not documents:
        return {}
    value = documents[0].value
    if len(documents) > 1 or not isinstance(value, dict):
        found = f"{len(documents)} documents" if len(documents) > 1 else type(value).__name__
        raise CommandError(f"--inputs {file}: found {found}, expected one YAML or JSON object of inputs")
    return value


def parse_setting(setting: str) -> tuple[Keys, object]:
    """Return path and value of `a.b[0]=1`: the value is JSON if it parses, else the text. Raises CommandError."""
    path, equals, text = setting.partition("=")
    keys = _parse_keys(path)
    if not equals or not keys or isinstance(keys[0], int):
        raise CommandError(f"--set {setting}: expected KEY=VALUE, such as orderId=o-7 or items[0].quantity=2")
    try:
        return keys, json_of(text)
    except ValueError:
        return keys, text


def json_of(text: str) -> object:
    """Return the JSON that somebody typed. Raises ValueError, also where it is nested too deeply, or has NaN."""
    try:
        return json.loads(text, parse_int=parse_scalar, parse_float=parse_scalar, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _parse_keys(path: str) -> Keys:
    """Return the keys of a path, none where it is no path."""
    try:
        return parse_path(path)
    except ValueError:
        return ()


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _set(inputs: Inputs, setting: str) -> None:
    keys, value = parse_setting(setting)
    here: object = inputs
    for index, key in enumerate(keys):
        last = index == len(keys) - 1
        if isinstance(here, dict) and isinstance(key, str):
            if last:
                here[key] = value
            else:
                here = here.setdefault(key, [] if isinstance(keys[index + 1], int) else {})
        elif isinstance(here, list) and isinstance(key, int) and key <= len(here):
            if key == len(here):
                here.append(value if last else [] if isinstance(keys[index + 1], int) else {})
            elif last:
                here[key] = value
            if not last:
                here = here[key]
        else:
            raise CommandError(f"--set {setting}: {_wrong_turn(here, keys[:index])}")


def _wrong_turn(here: object, keys: Keys) -> str:
    """Say what stands at `keys`, where the rest of a path does not lead on."""
    where = render_path(keys)
    if isinstance(here, list):
        return f"found a list of {len(here)} at `{where}`, expected an index up to {len(here)} (which appends)"
    if isinstance(here, dict):
        return f"found an object at `{where}`, expected a key"
    return f"found {render_found(here)} at `{where}`, expected an object or a list there"
