"""One task done: its handler loaded and called with the arguments by name (or its request made), and what came of it as
an outcome document.

In: a `TaskEnvironment` and the documents of the task. Out: bytes. Never raises: whatever the user's code does is an
outcome. Never here: the gateway, and imports that only failures or coroutines need.
"""

import os
from json import JSONEncoder

from reactor import documents
from reactor.context import Cancellation, Context
from reactor.environment import TaskEnvironment
from reactor.loading import CannotLoad, load_handler
from reactor.outcomes import Continue, Halt, Skipped
from reactor.results import unreadable, with_enumerators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, MutableMapping

    from reactor.loading import Handler
    from reactor.results import ReadPage
VARIABLE_LIMIT = 64 * 1024
_written = JSONEncoder(separators=(",", ":")).encode
_VARKEYWORDS = 0x08


class Call:
    """What one handler is called with.

    arguments: by name, those of Secrets and ConfigMaps not among them.
    context_is_used: the handler declares `context`, so it may notice a cancellation.
    request:   what an http action sends.
    result:    what the action returned, for its undo.    failure: why it failed, for its compensate.
    handler:   what is called, where that is known before; else it is loaded.
    memory_kind: the kind of failure of one that needs more memory than it may have, where that is told apart.
    """

    __slots__ = (
        "arguments",
        "cancellation",
        "context",
        "context_is_used",
        "environment",
        "failure",
        "handler",
        "has_sensitive_result",
        "memory_kind",
        "request",
        "result",
    )

    def __init__(
        self,
        environment: TaskEnvironment,
        given: "Mapping[str, object]",
        cancellation: Cancellation | None = None,
        read_page: "ReadPage" = unreadable,
    ) -> None:
        arguments = given.get("arguments")
        self.environment = environment
        self.arguments = with_enumerators(dict(arguments) if isinstance(arguments, dict) else {}, read_page)
        self.arguments.update(environment.secret_arguments)
        self.handler: Handler | None = None
        self.memory_kind = ""
        self.result = given.get("result")
        self.failure = given.get("failure")
        self.request = given.get("request")
        self.has_sensitive_result = has_sensitive_result(given)
        self.context_is_used = False
        self.cancellation = Cancellation() if cancellation is None else cancellation
        self.context = Context(
            run=environment.run,
            step=environment.step,
            action=environment.action,
            attempt=environment.attempt,
            idempotency_key=environment.idempotency_key,
            forward_key=environment.forward_key,
            traceparent=environment.traceparent,
            uncertain=bool(given.get("uncertain")) or environment.uncertain,
            cancellation=self.cancellation,
        )


def publish(call_for: str, given: "Mapping[str, object]", variables: "MutableMapping[str, str]") -> None:
    """Put the documents of an action where containers find theirs: REACTOR_ARGUMENTS and, by action, one more.

    A document above 64 KiB is left out, and so is one with something sensitive in it, for whatever a handler starts
    would have it; a handler has it as its arguments all the same.
    """
    sensitive = given.get("sensitive")
    hidden = sensitive if isinstance(sensitive, dict) else {}
    names = ["arguments", *{"undo": ["result"], "compensate": ["failure"]}.get(call_for, [])]
    for name in names:
        if hidden.get(name):
            continue
        text = _written(given.get(name))
        if len(text) <= VARIABLE_LIMIT:
            variables[f"REACTOR_{name.upper()}"] = text


def shown(document: bytes, given: "Mapping[str, object]") -> bytes:
    """Return an outcome document as it may be reported: what is sensitive is masked in what it says to people."""
    if not given.get("sensitive"):
        return document
    from reactor.masking import masked_outcome, masks_of

    return masked_outcome(document, masks_of(given))


def has_sensitive_result(given: "Mapping[str, object]") -> bool:
    """Return whether what the task gives back is sensitive."""
    sensitive = given.get("sensitive")
    return isinstance(sensitive, dict) and bool(sensitive.get("result"))


class Misfit(Exception):
    """The arguments do not fit the handler's signature; the handler was not called."""


def perform(call: Call) -> bytes:
    """Do the task and return its outcome document."""
    if call.environment.http:
        from reactor.asking import ask

        return ask(call)
    try:
        handler = call.handler = call.handler or load_handler(call.environment)
    except CannotLoad as problem:
        return documents.plain_failure("CannotStart", str(problem))
    except MemoryError as error:
        return _failed(call.memory_kind or "CannotStart", error)
    except BaseException as error:
        return _failed("CannotStart", error)
    try:
        arguments = arguments_for(handler, call)
    except Misfit as problem:
        return documents.plain_failure("InvalidArguments", str(problem))
    process = os.getpid()
    try:
        return _outcome_of(handler, arguments, call.environment.action)
    except documents.NotJson as problem:
        return documents.plain_failure("InvalidResult", f"step {call.environment.step}: {problem}")
    except MemoryError as error:
        return _failed(call.memory_kind or "Error", error)
    except BaseException as error:
        return _failed("Error", error)
    finally:
        if os.getpid() != process:
            os._exit(1)  # the handler forked and this is the child: it does not speak for the task


def _outcome_of(handler: "Handler", arguments: dict[str, object], action: str) -> bytes:
    try:
        result = handler(**arguments)
        if hasattr(result, "__await__"):
            result = _awaited(result)
        return documents.succeeded(result)
    except Skipped as nothing_to_do:
        return documents.skipped(nothing_to_do.value)
    except Halt as halt:
        return documents.halted(halt.reason)
    except Continue as repaired:
        if action != "compensate":
            raise
        return documents.continued(repaired.value)


def _awaited(result: "Awaitable[object]") -> object:
    from asyncio import run

    async def wait() -> object:
        return await result

    return run(wait())


def _failed(kind: str, error: BaseException) -> bytes:
    from reactor.describing import describe

    try:
        return documents.failed(describe(kind, error, _words_for(error)))
    except BaseException:  # an exception that cannot even be looked at still is the outcome
        return documents.plain_failure(kind, "an exception was raised that cannot be described")


def _words_for(error: BaseException) -> str | None:
    if isinstance(error, Continue):
        return "Continue was raised outside compensate, the only action that can repair its step"
    if isinstance(error, SystemExit):
        return f"the handler ended itself by sys.exit({error.code!r}); return a value or raise Failure instead"
    return None


def arguments_for(handler: "Handler", call: Call) -> dict[str, object]:
    """Return the keyword arguments of the call. Raises Misfit, naming everything that does not fit."""
    names, required, takes_any, positional = _signature(handler)
    action = call.environment.action
    filled = {"context": call.context, "result": call.result, "failure": call.failure}
    if action != "undo":
        del filled["result"]
    if action != "compensate":
        del filled["failure"]
    call.context_is_used = "context" in names
    arguments = call.arguments | {name: value for name, value in filled.items() if name in names}
    problems = [f"{name!r} is positional-only, arguments come by name" for name in positional]
    problems += [f"{name!r} is missing{_ADVICE.get(name, '')}" for name in required if name not in arguments]
    strange = [] if takes_any else [f"{name!r} is not a parameter" for name in arguments if name not in names]
    problems += strange
    if problems:
        shown = ", ".join(names) or "no parameters"
        name = getattr(handler, "__qualname__", None) or type(handler).__qualname__
        raise Misfit(
            f"step {call.environment.step}, {action}: the arguments do not fit {name}({shown}): {'; '.join(problems)}"
            + (_ALL if strange else "")
        )
    return arguments


_ALL = ": run, compensate and undo get all arguments of the step by name; take them, or add **others"
_ADVICE = {"result": " (only an undo has one)", "failure": " (only a compensate has one)"}


def _signature(handler: "Handler") -> tuple[list[str], list[str], bool, list[str]]:
    """Return parameter names, those without a default, whether there is **kwargs, and those that are positional-only.

    A plain function tells it by its code object, which spares the import of `inspect`.
    """
    code = getattr(handler, "__code__", None)
    plain = type(handler).__name__ == "function" and not hasattr(handler, "__wrapped__")
    if code is None or not plain or hasattr(handler, "__signature__"):
        return _inspected(handler)
    count = code.co_argcount
    by_name = list(code.co_varnames[: count + code.co_kwonlyargcount])
    defaults = len(getattr(handler, "__defaults__", None) or ())
    optional = {*by_name[count - defaults : count], *(getattr(handler, "__kwdefaults__", None) or ())}
    required = [name for name in by_name if name not in optional]
    return by_name, required, bool(code.co_flags & _VARKEYWORDS), by_name[: code.co_posonlyargcount]


def _inspected(handler: "Handler") -> tuple[list[str], list[str], bool, list[str]]:
    import inspect

    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not tell: the call itself finds out
        return [], [], True, []
    named = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return (
        [one.name for one in named],
        [one.name for one in named if one.default is one.empty],
        any(one.kind is one.VAR_KEYWORD for one in parameters),
        [one.name for one in named if one.kind is one.POSITIONAL_ONLY],
    )
