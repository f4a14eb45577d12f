"""A request to a run as it was typed, and its answer in a status.

In: options. Out: `Asked`; the answer, or CommandError where it is a refusal. Never here: how the request is handed in.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.inputs import json_of
from reactor_operator.engine.failures import printable
from reactor_operator.kube.fields import JsonObject, maps_at, text_at

_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: `action` is cancel, undo, retry, skip, resume or suspend, `said` what goes with it."""

    run: str
    action: str
    said: Mapping[str, object]

    @property
    def wanted(self) -> str:
        """The phase in which the run stops where it goes as asked, empty where only the run decides that."""
        return {"cancel": "Cancelled", "undo": "Undone", "suspend": "Suspended"}.get(self.words, "")

    @property
    def words(self) -> str:
        """What is asked for, as it was typed."""
        return "suspend --off" if self.action == "suspend" and self.said.get("suspend") is False else self.action


def find_answer(status: Mapping[str, object], name: str) -> JsonObject | None:
    """Return the answer to a request, None where there is none yet."""
    return next((one for one in maps_at(status, "signals") if text_at(one, "id") == name), None)


def refuse_rejected(answer: JsonObject) -> None:
    """Raise CommandError for an answer that is a refusal."""
    if text_at(answer, "phase") == "Rejected":
        errors = answer.get("errors")
        told = "".join(f"\n  {printable(str(error))}" for error in errors) if isinstance(errors, list) else ""
        raise CommandError(f"{text_at(answer, 'action')} is refused: {text_at(answer, 'reason')}{told}")


def render_dry_run(answer: JsonObject, asked: Asked | None) -> str:
    """Return what came of a dry run that is no refusal; empty where it was none."""
    is_dry = asked is not None and asked.said.get("dryRun") is True and text_at(answer, "phase") == "Accepted"
    return f"dry run, nothing was changed: {text_at(answer, 'reason')}" if is_dry else ""


def parse_json(option: str, text: str | None) -> object:
    """Return the JSON of an option, None where it was not given. Raises CommandError."""
    if text is None:
        return None
    try:
        return json_of(text)
    except ValueError as problem:
        raise CommandError(f"{option}: expected JSON, found {text[:80]!r}: {problem}") from None


def read_payload(text: str) -> str:
    """Return what `--payload` says: the text, or that of the file after `@`, or standard input. Raises CommandError."""
    if text == "-":
        return sys.stdin.read(_LONGEST + 1)
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        raise CommandError(f"--payload {text}: cannot be read: {problem}") from None


def parse_payload(text: str) -> object:
    """Return the JSON that `--payload` says, itself or through a file. Raises CommandError."""
    from reactor_operator.reconciling.signals import VALUE_LIMIT

    given = read_payload(text)
    value = parse_json("--payload", given)
    if (size := len(given.encode("utf-8", "surrogatepass"))) > VALUE_LIMIT:
        told = f" {text}" if text.startswith("@") else ""
        raise CommandError(f"--payload{told}: found {size} bytes, expected at most {VALUE_LIMIT}")
    return value


def parse_assumed(settings: list[str]) -> dict[str, str]:
    """Return what `--assume STEP=standing` says, by step. Raises CommandError."""
    assumed = {}
    for setting in settings:
        step, equals, what = setting.partition("=")
        if not equals or not step or what not in ("standing", "undone"):
            raise CommandError(f"--assume {setting}: expected STEP=standing or STEP=undone")
        assumed[step] = what
    return assumed
