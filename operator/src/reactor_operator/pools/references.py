"""Keys of Secrets and ConfigMaps on a pool: in which variables its workers have them, and what a task may not ask for.

In: the spec of a pool, a step and one of its actions. Out: entries of a container's `env`, what a worker is told of a
step, a refusal. Never here: the text of a Secret.

Kubelet reads them when a worker's pod starts. The variable is a function of Secret and key, by a hash: names made of a
Secret's own could coincide, and steps of many reactors must not have to agree on any.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reactor_operator.api.actions import ActionSpec, EnvVar
from reactor_operator.api.effective import reference_variable, referenced_arguments
from reactor_operator.api.pool import PoolSpec
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import KeyRef, Source
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.identity import digest_of
from reactor_operator.tasks.manifest_env import EnvEntry

SECRET, CONFIG_MAP = "Secret", "ConfigMap"
_PREFIX = {SECRET: "REACTOR_POOL_SECRET_", CONFIG_MAP: "REACTOR_POOL_CONFIG_"}
_SOURCE = {SECRET: "secretKeyRef", CONFIG_MAP: "configMapKeyRef"}
_FIELD = {SECRET: "secrets", CONFIG_MAP: "configMaps"}
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Reference:
    """What a task needs of a Secret or ConfigMap.

    name:     the variable in which a pod of its own would have it.      what: what it is for, in words.
    variable: the one in which workers have it, where their pool declares it.
    """

    name: str
    what: str
    kind: str
    key: KeyRef

    @property
    def variable(self) -> str:
        """Return the variable of the workers."""
        return pool_variable(self.kind, self.key)

    def refusal(self, pool: str) -> str:
        """Return what is said where the pool (`NAMESPACE/NAME`) does not declare it."""
        return (
            f"its {self.what} is key {self.key.key!r} of {self.kind} {self.key.name!r}, which ReactorPool {pool} does "
            f"not declare; add {{name: {self.key.name}, key: {self.key.key}}} to spec.{_FIELD[self.kind]} of the pool"
        )


def pool_variable(kind: str, key: KeyRef) -> str:
    """Return the variable in which workers have a key of a Secret or ConfigMap."""
    return _PREFIX[kind] + digest_of(kind, key.name, key.key)[:_DIGITS].upper()


def reference_entries(spec: PoolSpec) -> list[EnvEntry]:
    """Return `env` entries for all that tasks on the pool may ask for."""
    return [
        _entry(kind, key) for kind, keys in ((SECRET, spec.secrets), (CONFIG_MAP, spec.config_maps)) for key in keys
    ]


def chunk_entries(step: Step, action: ActionSpec, env: Sequence[EnvVar]) -> list[EnvEntry]:
    """Return `env` entries for all that tasks of an action ask for, in a pod that does no others."""
    found = {one.variable: _entry(one.kind, one.key) for one in references_of(step, action, env)}
    return list(found.values())


def _entry(kind: str, key: KeyRef) -> EnvEntry:
    return {"name": pool_variable(kind, key), "valueFrom": {_SOURCE[kind]: {"name": key.name, "key": key.key}}}


def references_of(step: Step, action: ActionSpec, env: Sequence[EnvVar] = ()) -> list[Reference]:
    """Return what tasks of an action need: headers of a request; else arguments, and variables that pass one on."""
    if action.http is not None:
        headers = action.http.references()
        return [_reference(variable, f"header {name!r}", source) for name, (variable, source) in headers.items()]
    arguments = referenced_arguments(step)
    return [
        *(_reference(reference_variable(name), f"argument {name!r}", source) for name, source in arguments.items()),
        *_passed_on(arguments, env),
    ]


def refuse_on_pool(path: str, step: Step, action: ActionSpec, pool: str, spec: PoolSpec) -> Failure | None:
    """Return why an action can never start on this pool (`NAMESPACE/NAME`); None where nothing is in its way."""
    found = references_of(step, action)
    declared = {SECRET: spec.secrets, CONFIG_MAP: spec.config_maps}
    missing = [reference.refusal(pool) for reference in found if reference.key not in declared[reference.kind]]
    if not missing:
        return None
    message = f"step {path!r}: {'; '.join(missing)}"
    return Failure(kind=FailureKind.CANNOT_START, message=render_message(message))


def _passed_on(arguments: dict[str, Source], env: Sequence[EnvVar]) -> Iterator[Reference]:
    for variable in env:
        source = arguments.get(variable.argument or "")
        if source is not None:
            yield _reference(variable.name, f"argument {variable.argument!r}", source)


def _reference(name: str, what: str, source: Source) -> Reference:
    if source.secret_key_ref is not None:
        return Reference(name, what, SECRET, source.secret_key_ref)
    assert source.config_map_key_ref is not None, what
    return Reference(name, what, CONFIG_MAP, source.config_map_key_ref)
