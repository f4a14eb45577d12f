"""What a worker of a pool must know of a step: the same for all tasks of one of its actions, so it is told once.

In: the reactor, a step, one of its actions. Out: the document that the open tasks refer to (`OpenRecord.pool`), which
the gateway tells workers, and reads the name of the transaction from. Never here: what a single task has.

    {"run": name, "transaction": …, "traced": true, "variables": {name: text}, "timeoutMs": …,
     "env": [{"name", "value" or "argument"}], "references": [{"name", "variable", "refused"}]}

A reference is a variable of a task (`name`) whose text is in one of the worker (`variable`): of a Secret or ConfigMap.
Where the worker has none the task cannot start, and `refused` says why.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.effective import effective, referenced_arguments
from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.api.sensitivity import HARMLESS, Sensitive
from reactor_operator.engine.failures import FailureKind
from reactor_operator.pools.references import references_of
from reactor_operator.ports import RunRef
from reactor_operator.tasks.manifest_env import Unlaunchable, action_variables

_EXPANSION = re.compile(r"\$\(([^)]+)\)")


def pool_step(
    run: RunRef,
    transaction: str,
    spec: ReactorSpec,
    step: Step,
    action: ActionSpec,
    *,
    timeout_ms: int | None = None,
    sensitive: Sensitive = HARMLESS,
    chunk: bool = False,
    traced: bool = False,
) -> bytes:
    """Return the document for one action of a step, the same bytes each time. Raises Unlaunchable.

    `transaction` is what idempotency keys are made of (`identity.idempotency_key`), `timeout_ms` that of the action.
    `chunk`: the worker is a pod of the step's own, which has the author's variables that are the same for all tasks.
    `traced`: each task is told its place in the trace of the run.
    """
    document: dict[str, Any] = {
        "run": run.name,
        "transaction": transaction,
        "variables": action_variables(step, action, step.name),
    }
    if traced:
        document["traced"] = True
    references = references_of(step, action, effective(spec, step, action).env)
    if references:
        pool = pool_of(run.namespace, spec, step, action) or ""
        document["references"] = [
            {"name": one.name, "variable": one.variable, "refused": one.refusal(pool)} for one in references
        ]
    env = _authors(spec, step, action, sensitive, chunk=chunk)
    if env:
        document["env"] = env
    if timeout_ms is not None:
        document["timeoutMs"] = timeout_ms
    return orjson.dumps(document)


def pool_of(namespace: str, spec: ReactorSpec, step: Step, action: ActionSpec) -> str | None:
    """Return the pool (`NAMESPACE/NAME`) that does an action of a step; None where no pool does."""
    name = effective(spec, step, action).pool if action.by_agent else None
    return None if name is None else f"{namespace}/{name}"


def _authors(
    spec: ReactorSpec, step: Step, action: ActionSpec, sensitive: Sensitive, *, chunk: bool
) -> list[dict[str, str]]:
    """Return what the author wrote in `env`. Raises Unlaunchable for what only a pod of its own could have."""
    found: list[dict[str, str]] = []
    references = referenced_arguments(step)
    for variable in effective(spec, step, action).env:
        where = f"step {step.name!r}: env {variable.name!r}"
        if chunk and variable.argument is None:
            if _is_of_task(variable.value or "", found):
                found.append({"name": variable.name, "value": variable.value or ""})
        elif variable.value_from is not None:
            raise _unlaunchable(
                f"{where} has valueFrom, which a pool cannot give it; write it into the pod of the pool"
            )
        elif variable.argument is None:
            found.append({"name": variable.name, "value": variable.value or ""})
        elif variable.argument in references:
            continue  # told as a reference
        elif variable.argument in sensitive.arguments:
            raise _unlaunchable(f"{where} passes argument {variable.argument!r}, which is sensitive")
        else:
            found.append({"name": variable.name, "argument": variable.argument})
    return found


def _is_of_task(text: str, told: Iterable[Mapping[str, str]]) -> bool:
    """Return whether a text refers to a variable that differs from task to task, so that the pod has only a part."""
    names = set(_EXPANSION.findall(text))
    return any(name.startswith("REACTOR_") for name in names) or any(one["name"] in names for one in told)


def _unlaunchable(message: str) -> Unlaunchable:
    return Unlaunchable(FailureKind.INVALID_ARGUMENTS, message)
