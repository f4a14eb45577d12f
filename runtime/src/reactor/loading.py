"""The code of a task: a handler from a module, or the `main` of an inline script.

In: a `TaskEnvironment`. Out: something to call. Never here: the call itself.
"""

import sys
from types import CodeType, ModuleType

from reactor.environment import TaskEnvironment
from reactor.modules import serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[..., object]
INLINE_MODULE = "__reactor_step__"


class CannotLoad(Exception):
    """There is nothing to call; the message says what was looked for and what was found."""


def load_handler(environment: TaskEnvironment) -> "Handler":
    """Return what the task calls. Raises CannotLoad, and whatever the user's module raises while it is imported."""
    serve(environment.modules)
    if environment.source is not None:
        return _main_of(environment.source, f"<step {environment.step}>")
    module_name, colon, path = environment.handler.partition(":")
    if not (module_name and colon and path):
        raise CannotLoad(f"the handler is {environment.handler!r}, expected module:function")
    __import__(module_name)
    found: object = sys.modules[module_name]
    for name in path.split("."):
        found = _member(found, name, environment.handler)
    return _callable(found, environment.handler)


def _main_of(source: str, file: str) -> "Handler":
    # The lines of the script are put where tracebacks look for them.
    import linecache

    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    code: CodeType = compile(source, file, "exec", dont_inherit=True)
    module = ModuleType(INLINE_MODULE)
    module.__file__ = file
    sys.modules[INLINE_MODULE] = module  # dataclasses and typing look their module up by name
    exec(code, module.__dict__)  # noqa: S102 - the author of the Reactor wrote it, as any handler
    if not hasattr(module, "main"):
        raise CannotLoad(f"the source in {file} has no function main, which is what is called")
    return _callable(module.main, "main")


def _member(owner: object, name: str, handler: str) -> object:
    try:
        return getattr(owner, name)
    except AttributeError as problem:
        from difflib import get_close_matches

        near = get_close_matches(name, [other for other in dir(owner) if not other.startswith("__")], 1)
        where = getattr(owner, "__file__", None) or owner
        advice = f"; did you mean {near[0]!r}?" if near else ""
        raise CannotLoad(f"handler {handler}: {where} has no {name!r}{advice}") from problem


def _callable(found: object, handler: str) -> "Handler":
    if not callable(found):
        raise CannotLoad(f"handler {handler} is a {type(found).__name__}, expected a function")
    return found
