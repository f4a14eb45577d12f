"""The environment of a task's container: what we inject as literal bytes, and what the author of the reactor wrote.

In: a `TaskOrder` and where the gateway is. Out: entries of a container's `env`, in an order in which `$(VAR)` of the
author can see ours. Never here: the text of a Secret.

Kubelet expands `$(NAME)` in every literal value, and `$$` stands for one `$` there. A `$` before any other character
must be doubled as well: kubelet copies the byte after it as if it were a character of its own and so breaks what is not
ASCII.
"""

from collections.abc import Iterable, Mapping

import orjson

from reactor_operator.api.actions import ActionSpec, EnvVar
from reactor_operator.api.effective import reference_variable, referenced_arguments
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action
from reactor_operator.ports import TaskOrder

INLINE_LIMIT = 64 * 1024
VARIABLE_LIMIT = 120_000
DOCUMENTS = ("arguments", "result", "failure")

EnvEntry = dict[str, object]


class Unlaunchable(Exception):
    """The task cannot be put into a pod as it is; `failure` says why."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(kind=kind, message=message)


def escape_dollars(literal: str) -> str:
    """Return the text of a literal `value` from which kubelet makes `literal` again."""
    return literal.replace("$", "$$")


def fence_of(order: TaskOrder) -> str:
    """Return the one word that names the task in the whole installation: REACTOR_TASK."""
    return f"{order.run.uid}/{order.task.key}"


def documents_of(order: TaskOrder) -> Mapping[str, bytes]:
    """Return the JSON documents that the task may read, by name."""
    found = {"arguments": order.arguments, "result": order.result, "failure": order.failure}
    return {name: document for name, document in found.items() if document is not None}


def facts_of(order: TaskOrder) -> dict[str, str]:
    """Return the variables that say which task this is; every task has them."""
    task = order.task
    facts = {
        "REACTOR_RUN": order.run.name,
        "REACTOR_STEP": task.path,
        "REACTOR_TASK": fence_of(order),
        "REACTOR_ACTION": task.action.value,
        "REACTOR_ATTEMPT": str(task.attempt),
        "REACTOR_IDEMPOTENCY_KEY": order.idempotency_key,
        "REACTOR_UNCERTAIN": "1" if order.uncertain else "0",
    }
    if task.action is not Action.RUN:
        facts["REACTOR_FORWARD_KEY"] = order.forward_key
    if order.traceparent:
        facts["TRACEPARENT"] = order.traceparent
    return facts


def inline_documents(order: TaskOrder) -> dict[str, str]:
    """Return the documents that are small enough for a variable, by the variable's name."""
    return {
        f"REACTOR_{name.upper()}": document.decode()
        for name, document in documents_of(order).items()
        if not _is_fetched(order, name, document)
    }


def large_documents(order: TaskOrder) -> list[str]:
    """Return the names of the documents that are fetched into /reactor/NAME.json: large and sensitive ones."""
    return [name for name, document in documents_of(order).items() if _is_fetched(order, name, document)]


def _is_fetched(order: TaskOrder, name: str, document: bytes) -> bool:
    """Return whether a document is too large for a variable, or too sensitive to be seen in a manifest."""
    told = order.sensitive
    is_sensitive = bool(told.arguments) if name == "arguments" else told.result and name == "result"
    return is_sensitive or len(document) > INLINE_LIMIT


def literal_entries(variables: Mapping[str, str]) -> list[EnvEntry]:
    """Return `env` entries that reach the container as these very bytes."""
    return [{"name": name, "value": escape_dollars(value)} for name, value in variables.items()]


def agent_variables(order: TaskOrder, action: ActionSpec) -> dict[str, str]:
    """Return the variables that tell the runtime what to do. Raises Unlaunchable."""
    return action_variables(order.step, action, order.task.path)


def action_variables(step: Step, action: ActionSpec, path: str) -> dict[str, str]:
    """Return what tells the runtime what an action is, whoever does it; `path` is for messages. Raises Unlaunchable."""
    if action.http is not None:
        return {"REACTOR_HTTP": "1"}
    python = action.python
    if python is None:
        raise AssertionError(f"step {step.name!r} has neither python nor http")
    if python.handler is not None:
        variables = {"REACTOR_HANDLER": python.handler}
    else:
        variables = {"REACTOR_SOURCE": fitting(python.source or "", f"step {path!r}: python.source")}
    references = referenced_arguments(step)
    if references:
        named = {name: reference_variable(name) for name in references}
        variables["REACTOR_SECRET_ARGUMENTS"] = orjson.dumps(named).decode()
    return variables


def reference_entries(step: Step, action: ActionSpec) -> list[EnvEntry]:
    """Return `env` entries for the arguments whose text only kubelet reads (keys of Secrets and ConfigMaps).

    A request has no use for them; it has headers of the kind.
    """
    if action.http is not None:
        return [_reference_entry(variable, source) for variable, source in action.http.references().values()]
    return [_reference_entry(reference_variable(name), source) for name, source in referenced_arguments(step).items()]


def _reference_entry(variable: str, source: Source) -> EnvEntry:
    reference = source.secret_key_ref or source.config_map_key_ref
    if reference is None:
        raise AssertionError(f"{variable} is by reference and refers to nothing")
    kind = "secretKeyRef" if source.secret_key_ref is not None else "configMapKeyRef"
    return {"name": variable, "valueFrom": {kind: {"name": reference.name, "key": reference.key}}}


def author_entries(order: TaskOrder, written: Iterable[EnvVar]) -> list[EnvEntry]:
    """Return what the author wrote in `env`; `argument` becomes a literal. Raises Unlaunchable (InvalidArguments)."""
    references = referenced_arguments(order.step)
    arguments = orjson.loads(order.arguments)
    entries: list[EnvEntry] = []
    for variable in written:
        if variable.argument is None:
            entry: EnvEntry = {"name": variable.name}
            if variable.value_from is not None:
                entry["valueFrom"] = variable.value_from
            else:
                entry["value"] = variable.value or ""
        elif variable.argument in references:
            entry = _reference_entry(variable.name, references[variable.argument])
        else:
            where = f"step {order.task.path!r}: env {variable.name!r}"
            if variable.argument not in arguments:
                raise Unlaunchable(
                    FailureKind.INVALID_ARGUMENTS,
                    f"{where} passes argument {variable.argument!r}, which the step does not have",
                )
            if variable.argument in order.sensitive.arguments:
                raise Unlaunchable(
                    FailureKind.INVALID_ARGUMENTS,
                    f"{where} passes argument {variable.argument!r}, which is sensitive and would be seen in the pod: "
                    "read it from /reactor/arguments.json",
                )
            entry = {
                "name": variable.name,
                "value": escape_dollars(_text_of(arguments[variable.argument], where, variable.argument)),
            }
        entries.append(entry)
    return entries


def _text_of(value: object, where: str, argument: str) -> str:
    """Return a string as it is and anything else as JSON, where the kernel can take it."""
    try:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
    except TypeError as problem:
        words = f"{where}: argument {argument!r} is nested too deeply for a variable; read REACTOR_ARGUMENTS instead"
        raise Unlaunchable(FailureKind.INVALID_ARGUMENTS, words) from problem
    return fitting(text, f"{where}: argument {argument!r}", "read it from REACTOR_ARGUMENTS instead")


def fitting(text: str, what: str, remedy: str = "put it into modules or the image instead") -> str:
    """Return `text` where an environment variable can hold it. Raises Unlaunchable (InvalidArguments)."""
    if "\0" in text:
        raise Unlaunchable(
            FailureKind.INVALID_ARGUMENTS,
            f"{what} has a NUL character, which no environment variable can hold; {remedy}",
        )
    size = len(text.encode())
    if size > VARIABLE_LIMIT:
        raise Unlaunchable(
            FailureKind.INVALID_ARGUMENTS,
            f"{what} has {size} bytes, and Linux takes at most {VARIABLE_LIMIT} in one variable; {remedy}",
        )
    return text
