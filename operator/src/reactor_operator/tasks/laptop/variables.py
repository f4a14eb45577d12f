"""The environment of a task on the laptop: what the operator would put into its pod, resolved as kubelet resolves it.

In: a `TaskOrder` and the ConfigMaps and Secrets that stand beside the manifest. Out: variables by name.
Never here: processes. What cannot be resolved is `Unlaunchable`, naming the object and the key.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.effective import Effective
from reactor_operator.engine.failures import FailureKind
from reactor_operator.ports import TaskOrder
from reactor_operator.tasks import manifest_env as env
from reactor_operator.tasks.manifest_env import Unlaunchable

Config = Mapping[tuple[str, str, str], str | None]
"""The text of a key: (kind, name, key) with the kind `ConfigMap` or `Secret`; None where it holds other bytes."""

_EXPANSION = re.compile(r"\$\$|\$\(([^)]+)\)")
_KINDS = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
_KINDS_FROM = {"secretRef": "Secret", "configMapRef": "ConfigMap"}


def agent_variables(
    order: TaskOrder, action: ActionSpec, chosen: Effective, modules: Path, config: Config
) -> dict[str, str]:
    """Return the variables of a task that a worker does. Raises Unlaunchable."""
    variables = env.facts_of(order) | {"REACTOR_MODULES": str(modules)} | env.agent_variables(order, action)
    return resolve(order, action, variables, chosen, config)


def container_variables(
    order: TaskOrder, action: ActionSpec, chosen: Effective, result_path: str, config: Config
) -> dict[str, str]:
    """Return the variables of a container. Raises Unlaunchable."""
    variables = env.facts_of(order) | env.inline_documents(order) | {"REACTOR_RESULT_PATH": result_path}
    return resolve(order, action, variables, chosen, config)


def resolve(
    order: TaskOrder, action: ActionSpec, variables: Mapping[str, str], chosen: Effective, config: Config
) -> dict[str, str]:
    """Return our `variables`, what the step refers to, and what the author wrote in env and envFrom, resolved."""
    ours = env.literal_entries(variables) + env.reference_entries(order.step, action)
    taken = {entry["name"] for entry in ours}
    theirs = [entry for entry in env.author_entries(order, chosen.env) if entry["name"] not in taken]
    found: dict[str, str] = {}
    for source in chosen.env_from:
        found |= _all_keys(order, source, config)
    for entry in ours + theirs:
        text = _value_of(order, entry, found, config)
        if text is not None:
            found[str(entry["name"])] = text
    for name, text in found.items():
        if "\0" in text:
            raise _unlaunchable(order, f"variable {name} has a NUL character in its text, which no variable can hold")
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by a variable that is known, and `$$` by `$`, as kubelet does; all else stays."""

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else variables.get(name, match.group(0))

    return _EXPANSION.sub(replace, text)


def _value_of(order: TaskOrder, entry: env.EnvEntry, known: Mapping[str, str], config: Config) -> str | None:
    source = entry.get("valueFrom")
    if not isinstance(source, Mapping):
        return expand(str(entry.get("value", "")), known)
    for form, kind in _KINDS.items():
        ref = source.get(form)
        if isinstance(ref, Mapping):
            return _key(order, (kind, str(ref.get("name")), str(ref.get("key"))), config, ref)
    raise _unlaunchable(order, f"env {entry['name']}: {', '.join(map(str, source))} has no meaning on a laptop")


def _key(order: TaskOrder, key: tuple[str, str, str], config: Config, ref: Mapping[str, object]) -> str | None:
    if key in config:
        return _text(order, key, config)
    if not ref.get("optional"):
        kind, name, entry = key
        raise _unlaunchable(
            order, f"key {entry!r} of {kind} {name!r} is not among the manifests; add a {kind} {name!r} that has it"
        )
    return None


def _text(order: TaskOrder, key: tuple[str, str, str], config: Config) -> str:
    text = config[key]
    if text is None:
        kind, name, entry = key
        raise _unlaunchable(order, f"key {entry!r} of {kind} {name!r} is no UTF-8 text, which no variable can hold")
    return text


def _all_keys(order: TaskOrder, source: Mapping[str, object], config: Config) -> dict[str, str]:
    for form, kind in _KINDS_FROM.items():
        ref = source.get(form)
        if not isinstance(ref, Mapping):
            continue
        name = str(ref.get("name"))
        found = {one[2]: _text(order, one, config) for one in config if one[:2] == (kind, name)}
        if not found and not ref.get("optional"):
            raise _unlaunchable(order, f"{kind} {name!r} of envFrom is not among the manifests; add it")
        prefix = str(source.get("prefix") or "")
        return {prefix + key: text for key, text in found.items()}
    raise _unlaunchable(order, f"envFrom: {', '.join(map(str, source))} has no meaning on a laptop")


def _unlaunchable(order: TaskOrder, message: str) -> Unlaunchable:
    return Unlaunchable(FailureKind.CANNOT_START, f"step {order.task.path!r}: {message}")
