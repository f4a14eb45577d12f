"""What the environment tells a task: the variables of DESIGN 3.5 and those that only the agent reads.

In: a mapping like `os.environ`. Out: `TaskEnvironment`. Never here: arguments (the gateway brings them), or defaults
that hide a missing variable.

REACTOR_HANDLER           `module:function`, or
REACTOR_SOURCE            the text of an inline script whose `main` is called.
REACTOR_HTTP              1: no handler; the request that the gateway brings is made.
REACTOR_MODULES           folder of modules, where a file `shop.inventory.py` is the module shop.inventory;
                          /reactor/modules when unset.
REACTOR_SECRET_ARGUMENTS  JSON {argument: VARIABLE}: arguments whose text is in a variable, of a Secret or ConfigMap.
REACTOR_TERMINATION_LOG   file of the termination message; /dev/termination-log when unset.
"""

from collections.abc import Mapping

MODULES = "/reactor/modules"
TERMINATION_LOG = "/dev/termination-log"


class BadEnvironment(Exception):
    """A variable that a task needs is missing or makes no sense; the message names it."""


class TaskEnvironment:
    """The facts of one task, parsed."""

    __slots__ = (
        "action",
        "attempt",
        "forward_key",
        "handler",
        "http",
        "idempotency_key",
        "modules",
        "run",
        "secret_arguments",
        "source",
        "step",
        "traceparent",
        "uncertain",
    )

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.run = variables.get("REACTOR_RUN", "")
        self.step = required(variables, "REACTOR_STEP")
        self.action = required(variables, "REACTOR_ACTION")
        self.attempt = _number(variables, "REACTOR_ATTEMPT")
        self.idempotency_key = variables.get("REACTOR_IDEMPOTENCY_KEY", "")
        self.forward_key = variables.get("REACTOR_FORWARD_KEY", "")
        self.uncertain = variables.get("REACTOR_UNCERTAIN", "") == "1"
        self.traceparent = variables.get("TRACEPARENT", "")
        self.http = variables.get("REACTOR_HTTP", "") == "1"
        self.handler = variables.get("REACTOR_HANDLER", "")
        self.source = variables.get("REACTOR_SOURCE")
        self.modules = variables.get("REACTOR_MODULES", MODULES)
        self.secret_arguments = _secret_arguments(variables)
        if self.source is None and not self.handler and not self.http:
            raise BadEnvironment("REACTOR_HANDLER and REACTOR_SOURCE are both missing, expected one of them")


def required(variables: Mapping[str, str], name: str) -> str:
    """Return the variable `name`. Raises BadEnvironment where it is missing or empty."""
    found = variables.get(name, "")
    if not found:
        raise BadEnvironment(f"the environment variable {name} is missing; the operator sets it in every task")
    return found


def _number(variables: Mapping[str, str], name: str) -> int:
    found = variables.get(name, "1")
    if not (found.isascii() and found.isdigit()):
        raise BadEnvironment(f"the environment variable {name} is {found!r}, expected a number")
    return int(found)


def _secret_arguments(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of secret arguments by argument."""
    text = variables.get("REACTOR_SECRET_ARGUMENTS", "")
    if not text:
        return {}
    from json import loads  # most tasks have none; json is imported while the gateway answers the check-in

    try:
        names = loads(text)
        pairs = [(argument, variable) for argument, variable in names.items() if isinstance(variable, str)]
    except (ValueError, AttributeError) as problem:
        raise BadEnvironment("REACTOR_SECRET_ARGUMENTS is not a JSON object of variable names") from problem
    missing = [f"{argument} (variable {variable})" for argument, variable in pairs if variable not in variables]
    if missing:
        raise BadEnvironment(f"no value for the argument {', '.join(missing)}: is the key in its Secret or ConfigMap?")
    return {argument: variables[variable] for argument, variable in pairs}
