"""Whether a run may start: its Reactor and its inputs are judged, and both are pinned.

In: a ReactorRun, and live reads of what it names. Out: `Opened`, `CannotOpen` or `OpenLater`.
Never here: a commit, a status, a task.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import orjson

from reactor_operator.api.blueprint import CannotLayOut, blueprint_of
from reactor_operator.api.check import CheckedReactor, check_spec
from reactor_operator.api.digest import digest_spec
from reactor_operator.api.inputs import apply_inputs
from reactor_operator.api.problems import Problem
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.api.run import RunSpec, check_run_spec
from reactor_operator.api.sensitivity import NOTHING, mentions_sensitive
from reactor_operator.api.taint import sensitive_problems, sensitivity_of
from reactor_operator.encryption import NO_KEYS, Keyring
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.plan import ROOT
from reactor_operator.engine.values import reference_to
from reactor_operator.ports import Definitions, ReactorObject, RunObject
from reactor_operator.reconciling.composing import (
    Composed,
    NotSound,
    NotThere,
    load_composed,
    load_shared_schema,
)
from reactor_operator.reconciling.definition import Definition, sharing, without_steps
from reactor_operator.reconciling.key_inputs import kept_digest, same_digests
from reactor_operator.reconciling.told import told_reactor, told_wait

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The run may start: what is pinned, its reactor, the bytes of its inputs, whether it is to hold still first.

    `same_inputs` are the digests that other runs with its business key may have of these inputs.
    """

    definition: Definition
    reactor: ReactorSpec
    inputs: bytes
    same_inputs: frozenset[str] = frozenset()
    suspended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotOpen:
    """The run can never start."""

    definition: Definition
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLater:
    """The run is to wait: look again at `until` (int ms), and tell people `message`, where there is one.

    Something that it names is not there yet, for which it has waited since `since`; or (`queued`) too many runs of its
    reactor are active.
    """

    definition: Definition
    until: int
    since: int
    message: str
    queued: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wait:
    """How long the run has waited for what it names, and how long it may."""

    now: int
    since: int
    longest_ms: int


async def judge(
    run: RunObject, definitions: Definitions, now: int, start_deadline_ms: int, keys: Keyring = NO_KEYS
) -> Opened | CannotOpen | OpenLater:
    """Judge a run that was never started. Raises Unavailable."""
    checked = check_run_spec(run.spec)
    base = Definition(run=run.ref, created_at=run.created_at, generation=run.generation, reactor_name=told_reactor(run))
    if checked.spec is None:
        return _cannot(base, FailureKind.INVALID_INPUTS, "ReactorRun", checked.problems)
    name = checked.spec.reactor_ref.name
    wait = _Wait(now=now, since=told_wait(run, now), longest_ms=start_deadline_ms)
    reactor = await definitions.get_reactor(run.ref.namespace, name)
    if reactor is None:
        message = f"spec.reactorRef.name: found no Reactor {name!r} in namespace {run.ref.namespace!r}; apply it first"
        return _late_or_later(base, FailureKind.REACTOR_NOT_FOUND, message, wait)
    judged = _check(reactor.spec)
    pinned = _pin(base, checked.spec, reactor, judged.spec)
    if judged.spec is None:
        return _cannot(pinned, FailureKind.INVALID_REACTOR, f"Reactor {name!r}", judged.problems)
    shared = await load_shared_schema(judged.spec, definitions, run.ref.namespace)
    composed = await load_composed(judged.spec, definitions, run.ref.namespace, _check)
    for found in (shared, composed):
        if isinstance(found, NotThere):
            return _late_or_later(without_steps(pinned), found.kind, found.message, wait)
        if isinstance(found, NotSound):
            return _cannot(without_steps(pinned), FailureKind.INVALID_REACTOR, found.what, found.problems)
    assert isinstance(composed, Composed)
    assert not isinstance(shared, NotThere | NotSound)
    try:
        blueprint = blueprint_of(judged.spec, composed.sound)
    except CannotLayOut as problem:
        return _cannot(without_steps(pinned), FailureKind.INVALID_REACTOR, f"Reactor {name!r}", problem.problems)
    pinned = sharing(replace(pinned, shared_schema=shared, composed=composed.specs, composed_schemas=composed.schemas))
    declared = mentions_sensitive(reactor.spec, shared, composed.specs, composed.schemas)
    sensitive = sensitivity_of(blueprint, {ROOT: shared, **composed.schemas}) if declared else NOTHING
    if shown := tuple(sensitive_problems(blueprint, sensitive)):
        return _cannot(pinned, FailureKind.INVALID_REACTOR, f"Reactor {name!r}", shown)
    if sensitive is not NOTHING and not keys.every:
        message = "has sensitive values, and this installation has no key for them (see docs/sensitive.md)"
        return _cannot(pinned, FailureKind.INVALID_REACTOR, f"Reactor {name!r}", (Problem("spec", message, "NoKey"),))
    schema = judged.spec.inputs_schema if shared is None else shared
    inputs, problems = apply_inputs(schema, checked.spec.inputs)
    if problems:
        return _cannot(pinned, FailureKind.INVALID_INPUTS, "ReactorRun", problems)
    key = checked.spec.idempotency_key
    document = orjson.dumps(inputs)
    hides = bool(sensitive.inputs_of(ROOT))
    if hides:
        document = keys.encrypt(run.ref.uid, "inputs", document)
    definition = replace(
        pinned,
        inputs=reference_to(document),
        key=key,
        key_inputs=kept_digest(inputs, keys, sensitive=hides) if key is not None else "",
    )
    return Opened(
        definition=definition,
        reactor=judged.spec,
        inputs=document,
        same_inputs=same_digests(inputs, keys) if key is not None else frozenset(),
        suspended=checked.spec.suspend is True,
    )


def _check(spec: Mapping[str, object]) -> CheckedReactor:
    try:
        document = orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return check_spec(spec)  # too deep to be written, which the check says in the user's words
    return _checked(document)


@lru_cache(maxsize=256)
def _checked(document: bytes) -> CheckedReactor:
    return check_spec(orjson.loads(document))


def _pin(base: Definition, spec: RunSpec, reactor: ReactorObject, sound: ReactorSpec | None) -> Definition:
    default_ttl = sound.ttl_after_finished if sound else None
    return replace(
        base,
        reactor_name=reactor.name,
        reactor_uid=reactor.uid,
        reactor_generation=reactor.generation,
        digest=digest_spec(reactor.spec) if sound else "",
        spec=reactor.spec if sound else None,
        ttl=spec.ttl_after_finished or default_ttl,
    )


def _late_or_later(definition: Definition, kind: FailureKind, message: str, wait: _Wait) -> CannotOpen | OpenLater:
    until = wait.since + wait.longest_ms
    if wait.now < until:
        return OpenLater(definition=definition, until=until, since=wait.since, message=message)
    return CannotOpen(definition=definition, failure=Failure(kind=kind, message=render_message(message)))


def _cannot(definition: Definition, kind: FailureKind, what: str, problems: tuple[Problem, ...]) -> CannotOpen:
    shown = "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:_SHOWN])
    more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
    message = render_message(f"{what}: {shown}{more}")
    return CannotOpen(definition=definition, failure=Failure(kind=kind, message=message))
