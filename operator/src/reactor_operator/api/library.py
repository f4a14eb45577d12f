"""The CEL library, loaded without its command line.

In: nothing. Out: the extension module of `common-expression-language`. Never here: an expression.

Importing the package `cel` imports its command line too (rich, typer, pygments: 0.2 s, more than a whole `reactor run`
may take to start). Everything that is used here is in its extension module, so only that is loaded, and only when the
first expression is met. Why this library: docs/decisions/0001-cel-library.md.
"""

import importlib.util
import sys
from functools import cache
from importlib.machinery import PathFinder
from types import ModuleType

_NAME = "cel.cel"


@cache
def load_cel() -> ModuleType:
    """Return the module with `compile`, `Program` and `Context`. Raises ImportError where it is not installed."""
    package = importlib.util.find_spec("cel")
    locations = package.submodule_search_locations if package is not None else None
    spec = PathFinder.find_spec(_NAME, locations)
    if spec is None or spec.loader is None:
        raise ImportError("common-expression-language is not installed: install reactor-operator with its dependencies")
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[_NAME] = module
    return module
