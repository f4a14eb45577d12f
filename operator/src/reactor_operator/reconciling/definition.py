"""What a run was started with, pinned for its whole life.

In: the Reactor and the ReactorRun at the start. Out: the `Definition` record that is stored with the run.
Never here: a live object; editing a Reactor changes no run that has started.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

import orjson

from reactor_operator.api.blueprint import Blueprint, blueprint_of
from reactor_operator.api.check import check_spec
from reactor_operator.api.planning import plan_of
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.api.taint import sensitivity_of
from reactor_operator.engine.identity import digest_of
from reactor_operator.engine.plan import NO_STEPS, ROOT, Plan
from reactor_operator.engine.values import ValueRef
from reactor_operator.ports import RunRef

RECORD = "definition"
_SHARED = ("spec", "shared_schema", "composed", "composed_schemas")
_OBSERVED = Plan(steps={}, observed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The pinned reactor and inputs. A run that could never start has no `spec`.

    `shared_schema`: what `inputsSchemaFrom` said when the run started.
    `composed`, `composed_schemas`: the specs of the reactors that it composes by name, and what the `inputsSchemaFrom`
    of those said.
    `key`: the business key that the run holds. `key_inputs`: the digest that others' inputs are compared with, empty
    where the inputs were lost.
    `lost`: what was pinned is gone with the rest of the store; only the names are known.
    """

    run: RunRef
    created_at: int
    generation: int
    reactor_name: str
    reactor_uid: str = ""
    reactor_generation: int = 0
    digest: str = ""
    spec: Mapping[str, object] | None = None
    inputs: ValueRef | None = None
    shared_schema: Mapping[str, object] | None = None
    composed: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    composed_schemas: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    ttl: str | None = None
    key: str | None = None
    key_inputs: str = ""
    lost: bool = False


def transaction_of(definition: Definition) -> str:
    """Return what names the business transaction: of a run without a key it is the run itself, by its uid."""
    if definition.key is None:
        return definition.run.uid
    return digest_of("transaction", definition.run.namespace, definition.reactor_name, definition.key)


_FIELDS = frozenset(field.name for field in fields(Definition))


def without_steps(definition: Definition) -> Definition:
    """Return the definition of a run of which no step will ever move: it cannot be laid out, or it never began."""
    return replace(definition, spec=None, composed={}, composed_schemas={}, shared_schema=None)


def encode_definition(definition: Definition) -> bytes:
    """Render the record."""
    return orjson.dumps(definition)


def decode_definition(body: bytes) -> Definition:
    """Return the definition that `encode_definition` rendered; a field that this version does not know is ignored."""
    document = {name: value for name, value in orjson.loads(body).items() if name in _FIELDS}
    document["run"] = RunRef(**document["run"])
    if document.get("inputs") is not None:
        document["inputs"] = ValueRef(**document["inputs"])
    return sharing(Definition(**document))


def sharing(definition: Definition) -> Definition:
    """Return the definition with those very documents that other runs of the reactor have: ten thousand share one."""
    shared = {name: _only(orjson.dumps(found)) for name in _SHARED if (found := getattr(definition, name))}
    return replace(definition, **shared)


@lru_cache(maxsize=256)
def _only(document: bytes) -> Any:
    return orjson.loads(document)


@lru_cache(maxsize=256)
def _compiled(document: bytes, pending_timeout_ms: int, observed: bool, chunks: bool) -> tuple[Blueprint, Plan]:
    pinned = orjson.loads(document)
    specs = {name: _sound(spec) for name, spec in pinned["composed"].items()}
    blueprint = blueprint_of(_sound(pinned["spec"]), specs)
    if b'"sensitive"' in document:
        schemas = {ROOT: pinned.get("sharedSchema"), **pinned.get("composedSchemas", {})}
        blueprint = replace(blueprint, sensitive=sensitivity_of(blueprint, schemas))
    plan = plan_of(blueprint, pending_timeout_ms=pending_timeout_ms, observed=observed, chunks=chunks)
    return blueprint, plan


def _sound(spec: Mapping[str, object]) -> ReactorSpec:
    checked = check_spec(spec)
    if checked.spec is None:
        raise ValueError(f"the pinned definition is not sound any more: {checked.problems[0]}")
    return checked.spec


def compile_definition(
    definition: Definition, *, pending_timeout_ms: int, observed: bool = False, chunks: bool = True
) -> tuple[Blueprint | None, Plan]:
    """Return the blueprint and the plan of a definition; runs of one reactor share them.

    `observed`: facts about the run are wanted, also where its reactor has no notifications. `chunks`: as in `plan_of`.
    """
    if definition.spec is None:
        return None, _OBSERVED if observed else NO_STEPS
    pinned: dict[str, object] = {"spec": definition.spec, "composed": definition.composed}
    if definition.shared_schema is not None or definition.composed_schemas:
        pinned |= {"sharedSchema": definition.shared_schema, "composedSchemas": definition.composed_schemas}
    return _compiled(orjson.dumps(pinned, option=orjson.OPT_SORT_KEYS), pending_timeout_ms, observed, chunks)
