"""The Python files beside a manifest: where a handler is, and what goes to the ConfigMap of modules.

In: the folder of a Reactor, and its spec. Out: files by key (`shop.inventory.py` is the module shop.inventory).
A module is a file of that dotted name, or a file in folders of that path; the dotted name wins, as in a pod.
Never here: importing one of them.
"""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reactor_operator.api.effective import effective
from reactor_operator.api.graph import actions_of, bodies_of
from reactor_operator.api.problems import path_to
from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.cli.errors import CommandError

CONFIG_MAP_LIMIT_BYTES = 1_000_000
_NO_MODULES = frozenset({"conftest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerUse:
    """One place of a spec that names a handler. `path` leads to it; `image` is that of its step, if one is named."""

    path: str
    module: str
    function: str
    image: str | None
    config_map: str | None


def handlers_of(spec: ReactorSpec) -> Iterator[HandlerUse]:
    """Yield every handler that a spec names, in its order, those of steps inside others and of `finally` too."""
    for path, step in (*_steps_of(spec.steps, "spec.steps"), *_steps_of(spec.finally_, "spec.finally")):
        settings = None
        for keys, done in actions_of(step):
            if done.python is None or done.python.handler is None:
                continue
            settings = settings or effective(spec, step)
            module, _, function = done.python.handler.partition(":")
            yield HandlerUse(
                path=f"{path_to(path, keys)}.python.handler",
                module=module,
                function=function,
                image=settings.image,
                config_map=settings.modules.config_map_ref.name if settings.modules is not None else None,
            )


def _steps_of(steps: Sequence[Step], listed: str) -> Iterator[tuple[str, Step]]:
    """Yield each step of a list with its path, and those inside it; `listed` leads to the list."""
    for index, step in enumerate(steps):
        path = f"{listed}[{index}]"
        yield path, step
        for keys, body in bodies_of(step):
            yield from _steps_of(body.steps or (), f"{path_to(path, keys)}.steps")


class ModuleFolder:
    """The modules that a folder holds, read when asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, frozenset[str] | str] = {}

    def file_of(self, module: str) -> Path | None:
        """Return the file of a module, None where the folder has none."""
        candidates = (
            self._folder / f"{module}.py",
            self._folder / f"{module}.__init__.py",
            self._folder.joinpath(*module.split(".")).with_suffix(".py"),
            self._folder.joinpath(*module.split("."), "__init__.py"),
        )
        return next((file for file in candidates if file.is_file()), None)

    def missing(self, module: str, function: str) -> str | None:
        """Return why a handler cannot be found here, None where it can (or where only running it would tell)."""
        file = self.file_of(module)
        if file is None:
            looked_for = dict.fromkeys((f"{module}.py", f"{module.replace('.', '/')}.py"))
            return f"no {' nor '.join(looked_for)} beside the manifest"
        if module.partition(".")[0] in sys.stdlib_module_names:
            return f"{file} has the name of a module that Python has itself, which may be taken for it; rename it"
        names = self._names.get(module)
        if names is None:
            names = self._names[module] = _names_in(file)
        if isinstance(names, str):
            return names
        first = function.partition(".")[0]
        if first in names or "*" in names:
            return None
        return f"{file} defines no '{first}'; it defines {', '.join(sorted(names)) or 'nothing'}"


def _names_in(file: Path) -> frozenset[str] | str:
    """Return what a module defines at its top level (`*` where that cannot be told), or why it cannot be read."""
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except SyntaxError as error:
        return f"{file}:{error.lineno or 1}: {error.msg}"
    except (OSError, ValueError) as error:
        return f"{file}: cannot be read: {error}"
    return frozenset(_bound_by(tree.body))


def _bound_by(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (name.asname or name.name for name in names)
            case ast.Assign(targets=targets):
                yield from (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                yield "*"
            case _:
                pass


def modules_beside(folder: Path, spec: ReactorSpec) -> dict[str, str]:
    """Return the text of every module beside a manifest by the key it has in a ConfigMap.

    These are the .py files of the folder and of the packages in it: folders with an __init__.py, and those that a
    handler of the spec names. Tests stay out. Raises CommandError where they do not fit a ConfigMap.
    """
    named = {handler.module.partition(".")[0] for handler in handlers_of(spec)}
    files = {file.name: file for file in _python_files(folder)}
    for package in sorted(folder.iterdir()):
        if _is_package(package) and (package.name in named or (package / "__init__.py").is_file()):
            for key, file in _files_of(package, package.name):
                files.setdefault(key, file)
    texts = {key: _read(file) for key, file in sorted(files.items())}
    refuse_large_modules(texts, str(folder))
    return texts


def refuse_large_modules(texts: Mapping[str, str], where: str) -> None:
    """Raise CommandError where modules do not fit a ConfigMap."""
    size = sum(len(text.encode()) for text in texts.values())
    if size > CONFIG_MAP_LIMIT_BYTES:
        raise CommandError(
            f"{where}: the modules beside the manifest have {size:,} bytes, a ConfigMap holds "
            f"{CONFIG_MAP_LIMIT_BYTES:,}; build them into an image and name it in defaults.image"
        )


def _is_package(folder: Path) -> bool:
    return folder.is_dir() and folder.name.isidentifier() and folder.name != "__pycache__"


def _files_of(package: Path, name: str) -> Iterator[tuple[str, Path]]:
    for file in _python_files(package):
        if file.name != "__init__.py" or file.stat().st_size:
            yield f"{name}.{file.name}", file
    for inner in sorted(package.iterdir()):
        if _is_package(inner) and inner.name != "tests":
            yield from _files_of(inner, f"{name}.{inner.name}")


def _python_files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.glob("*.py")):
        module = file.name.removesuffix(".py")
        parts = module.removesuffix(".__init__").split(".")
        is_test = module in _NO_MODULES or module.startswith("test_") or module.endswith("_test")
        if file.is_file() and not is_test and all(part.isidentifier() for part in parts):
            yield file


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: cannot be read as UTF-8 text: {error}") from None
