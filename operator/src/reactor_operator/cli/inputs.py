"""Inputs from the command line, laid over those of a run.

In: a run's inputs, `--inputs FILE|-`, `--set KEY=VALUE`. Out: the inputs to run with. Raises CommandError.
Keys of the file replace those of the run; each `--set` then sets one place, however deep.
Never here: whether the inputs fit the reactor's schema.
"""

import copy
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.options import InputOptions
from reactor_operator.cli.places import parse_path
from reactor_operator.cli.yaml_source import parse_documents, plain_float, plain_integer

Inputs = dict[str, object]


def overlay_inputs(inputs: Mapping[str, object], options: InputOptions) -> Inputs:
    """Return `inputs` with the file's keys and then the single values over them; `inputs` stays as it is."""
    merged = copy.deepcopy(dict(inputs))
    if options.file is not None:
        merged.update(_read_inputs(options.file))
    for setting in options.values:
        _set(merged, setting)
    return merged


def _read_inputs(file: str) -> Mapping[str, object]:
    shown = "stdin" if file == "-" else file
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--inputs {file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    documents = parse_documents(text, shown)
    if not documents:
        return {}
    value = documents[0].value
    if len(documents) > 1 or not isinstance(value, dict):
        found = f"{len(documents)} documents" if len(documents) > 1 else type(value).__name__
        raise CommandError(f"--inputs {file}: found {found}, expected one YAML or JSON object of inputs")
    return value


def parse_setting(setting: str) -> tuple[tuple[str | int, ...], object]:
    """Return path and value of `a.b[0]=1`: the value is JSON if it parses, else the text. Raises CommandError."""
    path, equals, text = setting.partition("=")
    parts = parse_path(path)
    if not equals or not parts or isinstance(parts[0], int):
        raise CommandError(f"--set {setting}: expected KEY=VALUE, such as orderId=o-7 or items[0].quantity=2")
    try:
        return parts, json.loads(
            text,
            parse_int=lambda digits: plain_integer(int(digits)),
            parse_float=lambda digits: plain_float(float(digits)),
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        return parts, text


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _set(inputs: Inputs, setting: str) -> None:
    parts, value = parse_setting(setting)
    here: object = inputs
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(here, dict) and isinstance(part, str):
            if last:
                here[part] = value
            else:
                here = here.setdefault(part, [] if isinstance(parts[index + 1], int) else {})
        elif isinstance(here, list) and isinstance(part, int) and part <= len(here):
            if part == len(here):
                here.append(value if last else [] if isinstance(parts[index + 1], int) else {})
            elif last:
                here[part] = value
            if not last:
                here = here[part]
        else:
            raise CommandError(f"--set {setting}: {_wrong_turn(here, part)}")


def _wrong_turn(here: object, part: str | int) -> str:
    if isinstance(here, list):
        return f"found a list of {len(here)} at `{part}`, expected an index up to {len(here)} (which appends)"
    if isinstance(here, dict):
        return f"found an object at `[{part}]`, expected a key"
    return f"found {json.dumps(here)} at `{part}`, expected an object or a list there"
