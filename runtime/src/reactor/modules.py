"""Modules from files with dotted names, as a ConfigMap has them: `shop.inventory.py` is the module shop.inventory.

In: a folder. Out: finders on `sys.meta_path` and the folder on `sys.path`. Packages are implied: `shop` needs no file.
Never here: a change to modules that an image already carries; a file replaces the module it names and nothing else.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType


class DottedModules:
    """Finds the modules that have a file of their own; they win over those of the image."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where `name` is, None where no file is named so."""
        file = self.files.get(name)
        if file is None:
            return None
        is_package = file.endswith(".__init__.py") or any(other.startswith(name + ".") for other in self.files)
        spec = ModuleSpec(name, SourceFileLoader(name, file), origin=file, is_package=is_package)
        spec.has_location = True
        return spec


class ImpliedPackages:
    """Finds the packages that dotted names imply; every real package of the image comes first."""

    def __init__(self, files: dict[str, str]) -> None:
        self.packages = _parents(files) - set(files)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return an empty package where `name` is one."""
        return ModuleSpec(name, None, is_package=True) if name in self.packages else None


def _parents(names: Iterable[str]) -> set[str]:
    """Return the packages around the modules `names`: `shop` and `shop.stock` for `shop.stock.count`."""
    split = [name.split(".") for name in names]
    return {".".join(parts[:length]) for parts in split for length in range(1, len(parts))}


def dotted_files(folder: str) -> dict[str, str]:
    """Return the files of `folder` that ordinary imports do not find, by module: dotted names and their packages.

    Where there is no folder there are none.
    """
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = {}
    for name in names:
        module = name.removesuffix(".py").removesuffix(".__init__")
        if name.endswith(".py") and all(part.isidentifier() for part in module.split(".")):
            found[module] = os.path.join(folder, name)
    dotted = {module for module, file in found.items() if os.path.basename(file).count(".") > 1}
    return {module: file for module, file in found.items() if module in dotted | _parents(dotted)}


def serve(folder: str) -> None:
    """Make the modules of `folder` importable, dotted names and ordinary ones. Repeating it changes nothing."""
    if folder in sys.path or not os.path.isdir(folder):
        return
    sys.path.insert(0, folder)
    files = dotted_files(folder)
    if files:
        sys.meta_path.insert(0, DottedModules(files))
        sys.meta_path.append(ImpliedPackages(files))
