"""Objects printed as YAML or JSON, so that kubectl reads the same objects back.

In: JSON values. Out: text. Never here: which objects.
"""

import json
from collections.abc import Sequence

import yaml

from reactor_operator.cli.options import Output
from reactor_operator.cli.yaml_source import parse_scalar

_Dumper: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _PlainDumper(_Dumper):  # type: ignore[misc]
    """Quotes what kubectl would take for something other than text (`y`, `012`), and writes long text as a block."""


def _text(dumper: "yaml.SafeDumper", text: str) -> "yaml.ScalarNode":
    style = "|" if "\n" in text and text.isprintable() is False and _is_block(text) else None
    if style is None and parse_scalar(text) is not text:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _is_block(text: str) -> bool:
    return all(line.isprintable() and line == line.rstrip() for line in text.split("\n"))


_PlainDumper.add_representer(str, _text)


def render_documents(objects: Sequence[object], output: Output) -> str:
    """Return the objects as YAML documents, or as one JSON document: the object itself, a List of several."""
    if output is Output.YAML:
        texts = [
            yaml.dump(one, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=10_000) for one in objects
        ]
        return "---\n".join(texts)
    return json.dumps(as_list(objects), indent=2, ensure_ascii=False) + "\n"


def as_list(objects: Sequence[object]) -> object:
    """Return one object as itself and several as a List."""
    return objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": list(objects)}
