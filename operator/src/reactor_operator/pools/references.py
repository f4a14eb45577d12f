"""Keys of Secrets and ConfigMaps on a pool: in which variables its workers have them, and what a task may not ask for.

In: the spec of a pool, a `TaskOrder`. Out: entries of a container's `env`, a refusal. Never here: the text of a Secret.

Kubelet reads them when a worker's pod starts. Workers learn what is where from two variables of JSON:
`REACTOR_POOL_SECRETS` and `REACTOR_POOL_CONFIG_MAPS`, `{"NAME/KEY": "REACTOR_POOL_SECRET_0"}`. No name is made of a
Secret's: two of them could end up as one variable.
"""

from collections.abc import Sequence

import orjson

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.effective import referenced_arguments
from reactor_operator.api.pool import PoolSpec
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import KeyRef, Source
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.tasks.manifest_env import EnvEntry, literal_entries

SECRETS, SECRET = "REACTOR_POOL_SECRETS", "REACTOR_POOL_SECRET_"
CONFIG_MAPS, CONFIG_MAP = "REACTOR_POOL_CONFIG_MAPS", "REACTOR_POOL_CONFIG_MAP_"


def reference_entries(spec: PoolSpec) -> list[EnvEntry]:
    """Return `env` entries for all that tasks on the pool may ask for, and what is where; none where it is nothing."""
    secrets = _entries(spec.secrets, SECRETS, SECRET, "secretKeyRef")
    return secrets + _entries(spec.config_maps, CONFIG_MAPS, CONFIG_MAP, "configMapKeyRef")


def refuse_on_pool(path: str, step: Step, action: ActionSpec, pool: str, spec: PoolSpec) -> Failure | None:
    """Return why an action can never start on this pool (`NAMESPACE/NAME`); None where nothing is in its way."""
    wanted = _wanted(step, action)
    missing = [(what, source) for what, source in wanted if not _is_declared(source, spec)]
    if not missing:
        return None
    told = "; ".join(_told(what, source, pool) for what, source in missing)
    message = f"step {path!r}: {told}"
    return Failure(kind=FailureKind.CANNOT_START, message=render_message(message))


def _entries(references: Sequence[KeyRef], listing: str, prefix: str, kind: str) -> list[EnvEntry]:
    if not references:
        return []
    named = {
        f"{prefix}{place}": one for place, one in enumerate(sorted(references, key=lambda one: (one.name, one.key)))
    }
    where = {f"{one.name}/{one.key}": variable for variable, one in named.items()}
    return literal_entries({listing: orjson.dumps(where).decode()}) + [
        {"name": variable, "valueFrom": {kind: {"name": one.name, "key": one.key}}} for variable, one in named.items()
    ]


def _wanted(step: Step, action: ActionSpec) -> list[tuple[str, Source]]:
    """Return what of the task is by reference: headers of a request, else arguments; each with its name for people."""
    if action.http is not None:
        return [(f"header {name!r}", source) for name, (_, source) in action.http.references().items()]
    return [(f"argument {name!r}", source) for name, source in referenced_arguments(step).items()]


def _is_declared(source: Source, spec: PoolSpec) -> bool:
    if source.secret_key_ref is not None:
        return source.secret_key_ref in spec.secrets
    return source.config_map_key_ref in spec.config_maps


def _told(what: str, source: Source, pool: str) -> str:
    secret = source.secret_key_ref
    reference, kind, field = (
        (secret, "Secret", "secrets") if secret is not None else (source.config_map_key_ref, "ConfigMap", "configMaps")
    )
    assert reference is not None
    return (
        f"its {what} is key {reference.key!r} of {kind} {reference.name!r}, which ReactorPool {pool} does not declare; "
        f"add {{name: {reference.name}, key: {reference.key}}} to spec.{field} of the pool"
    )
