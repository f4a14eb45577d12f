"""The environment of a task in a pool: the variables that its pod would have.

In: the document of its step and the task, as the gateway told them (docs/protocol.md). Out: variables by name. Never
here: what the pool's own pod has; these come on top of it.
"""

import re
from json import JSONEncoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_EXPANSION = re.compile(r"\$\$|\$\(([^)]+)\)")
_written = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class NoSuchArgument(Exception):
    """A variable is to have an argument that there is not, or that no variable can hold; the message names both."""


class NotDeclared(Exception):
    """A task asks for a key of a Secret or ConfigMap that its pool does not declare; the message says what to do."""


def task_variables(step: "Mapping[str, Any]", run: str, given: "Mapping[str, Any]") -> dict[str, str]:
    """Return the variables of a task of the run with the uid `run`. Raises NoSuchArgument."""
    key: str = given["task"]
    path, action, _, attempt, _ = key.rsplit(".", 4)
    variables: dict[str, str] = {
        **step["variables"],
        "REACTOR_RUN": step["run"],
        "REACTOR_STEP": path,
        "REACTOR_TASK": f"{run}/{key}",
        "REACTOR_ACTION": action,
        "REACTOR_ATTEMPT": attempt,
        "REACTOR_IDEMPOTENCY_KEY": given["idempotencyKey"],
        "REACTOR_UNCERTAIN": "1" if given.get("uncertain") else "0",
    }
    if action != "run":
        variables["REACTOR_FORWARD_KEY"] = given["forwardKey"]
    if "traceparent" in given:
        variables["TRACEPARENT"] = given["traceparent"]
    if "env" in step:
        _add_authors(step["env"], given.get("arguments") or {}, variables)
    return variables


def referenced(step: "Mapping[str, Any]", environ: "Mapping[str, str]") -> dict[str, str]:
    """Return the variables with keys of Secrets and ConfigMaps that the pool's pod has. Raises NotDeclared."""
    found = {}
    for reference in step.get("references", ()):
        text = environ.get(reference["variable"])
        if text is None:
            raise NotDeclared(reference["refused"])
        found[reference["name"]] = text
    return found


def _add_authors(written: "list[Mapping[str, str]]", arguments: "Mapping[str, Any]", variables: dict[str, str]) -> None:
    """Add what the author of the reactor wrote in `env`, in its order; ours cannot be replaced."""
    ours = frozenset(variables)
    for entry in written:
        name = entry["name"]
        if "argument" in entry:
            text = _text_of(arguments, entry["argument"], name)
        else:
            text = expand(entry["value"], variables)
        if name not in ours:
            variables[name] = text


def expand(text: str, variables: "Mapping[str, str]") -> str:
    """Replace `$(NAME)` by a variable that is known, and `$$` by `$`, as kubelet does; all else stays."""
    if "$" not in text:
        return text

    def replace(match: "re.Match[str]") -> str:
        name = match.group(1)
        return "$" if name is None else variables.get(name, match.group(0))

    return _EXPANSION.sub(replace, text)


def _text_of(arguments: "Mapping[str, Any]", argument: str, name: str) -> str:
    if argument not in arguments:
        raise NoSuchArgument(f"env {name!r} passes argument {argument!r}, which the step does not have")
    value = arguments[argument]
    text = value if isinstance(value, str) else _written(value)
    if "\0" in text:
        raise NoSuchArgument(f"env {name!r}: argument {argument!r} has a NUL character, which no variable can hold")
    return text
