"""The reactors that a reactor composes: read live once, when a run starts, judged, and pinned with it.

In: a sound `ReactorSpec`, and live reads. Out: `Composed`, or why it cannot be told now or ever.
Never here: what is inside what (see `api.blueprint`), a commit.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reactor_operator.api.blueprint import composed_names
from reactor_operator.api.check import CheckedReactor
from reactor_operator.api.problems import Problem
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.api.shared_schema import parse_shared_schema
from reactor_operator.engine.failures import FailureKind
from reactor_operator.ports import Definitions

MAX_COMPOSED = 200
"""How many different reactors one run may be made of."""


@dataclass(frozen=True, slots=True)
class Composed:
    """By name: the specs as they are pinned, the same as models, and schemas of inputs that ConfigMaps hold."""

    specs: dict[str, Mapping[str, object]] = field(default_factory=dict)
    sound: dict[str, ReactorSpec] = field(default_factory=dict)
    schemas: dict[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotThere:
    """Something is not there yet, and may still come; `kind` is what it is called if it does not."""

    kind: FailureKind
    message: str


@dataclass(frozen=True, slots=True)
class NotSound:
    """Something is there and wrong."""

    what: str
    problems: tuple[Problem, ...]


Check = Callable[[Mapping[str, object]], CheckedReactor]


async def load_composed(
    spec: ReactorSpec, definitions: Definitions, namespace: str, check: Check
) -> Composed | NotThere | NotSound:
    """Read every reactor that `spec` composes, and those that they compose. Raises Unavailable."""
    composed = Composed()
    waiting = list(composed_names(spec))
    while waiting:
        name = waiting.pop(0)
        if name in composed.specs:
            continue
        if len(composed.specs) == MAX_COMPOSED:
            message = f"found more than {MAX_COMPOSED} Reactors in one run, expected fewer"
            return NotSound("Reactor", (Problem("spec.steps", message, "TooMany"),))
        found = await definitions.get_reactor(namespace, name)
        if found is None:
            message = f"compose.reactorRef.name: found no Reactor {name!r} in namespace {namespace!r}; apply it first"
            return NotThere(FailureKind.REACTOR_NOT_FOUND, message)
        judged = check(found.spec)
        if judged.spec is None:
            return NotSound(f"Reactor {name!r}", judged.problems)
        schema = await load_shared_schema(judged.spec, definitions, namespace)
        if isinstance(schema, NotThere | NotSound):
            return schema
        if schema is not None:
            composed.schemas[name] = schema
        composed.specs[name], composed.sound[name] = found.spec, judged.spec
        waiting += composed_names(judged.spec)
    return composed


async def load_shared_schema(
    spec: ReactorSpec, definitions: Definitions, namespace: str
) -> Mapping[str, object] | NotThere | NotSound | None:
    """Return the schema that `inputsSchemaFrom` names, None where nothing is named. Raises Unavailable."""
    if spec.inputs_schema_from is None:
        return None
    key_ref = spec.inputs_schema_from.config_map_key_ref
    text = await definitions.get_config(namespace, key_ref.name, key_ref.key)
    if text is None:
        message = f"spec.inputsSchemaFrom: found no key {key_ref.key!r} in a ConfigMap {key_ref.name!r}"
        return NotThere(FailureKind.INVALID_REACTOR, message)
    schema, wrong = await asyncio.to_thread(parse_shared_schema, text)
    return schema if schema is not None else NotSound(f"ConfigMap {key_ref.name!r}", wrong)
