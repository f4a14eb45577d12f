"""The manifests of a file or folder: Reactors, runs, pools, and the Secrets and ConfigMaps they may read.

In: paths (`-` is standard input). Out: one `Manifests` value: each object with its file and lines, and what is wrong
with single files. Raises `CommandError` for a path that is not there.

A folder means the YAML and JSON files directly in it, as for `kubectl apply -f`, but for kustomizations and documents
that are no Kubernetes objects. A single file is read with its neighbours: objects beside it serve what it refers to,
and are not run or checked themselves.
Never here: whether a Reactor or a run is valid.
"""

import base64
import binascii
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from reactor_operator.cli.errors import CommandError, Unreadable
from reactor_operator.cli.places import Finding, Place, line_of
from reactor_operator.cli.standard_input import SHOWN, read_standard_input
from reactor_operator.cli.yaml_source import Document, parse_documents

API_GROUP = "reactor.run"
API_VERSION = "reactor.run/v1alpha1"
KINDS = ("Reactor", "ReactorRun", "ReactorPool", "ReactorSignal")
SUFFIXES = frozenset({".yaml", ".yml", ".json"})
KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
FILE_LIMIT_BYTES = 64 * 1024 * 1024
_REFERENCES = frozenset({"secretKeyRef", "configMapKeyRef", "secretRef", "configMapRef"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object as written.

    namespace: empty where none is written.        folder: where files beside it are looked for.
    target:    the user named its file, rather than one beside it.
    """

    kind: str
    namespace: str
    name: str
    value: Mapping[str, object]
    file: str
    folder: Path
    place: Place
    target: bool = True

    def finding(self, path: str, message: str, *, warning: bool = False) -> Finding:
        """Return what is wrong at `path` of this object, with its line."""
        return Finding(file=self.file, line=line_of(self.place, path), path=path, message=message, warning=warning)

    @property
    def spec(self) -> Mapping[str, object]:
        """The object's spec, an empty one where there is none."""
        spec = self.value.get("spec")
        return spec if isinstance(spec, dict) else {}

    @property
    def reactor_name(self) -> str:
        """The name of the Reactor that a run refers to, empty where it names none."""
        reference = self.spec.get("reactorRef")
        name = reference.get("name") if isinstance(reference, dict) else None
        return name if isinstance(name, str) else ""


Entries = Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """Everything that was read. Names are unique per kind and namespace.

    configs: the entries of Secrets and ConfigMaps by (kind, namespace, name); None for one that is no text.
    """

    reactors: tuple[Manifest, ...] = ()
    runs: tuple[Manifest, ...] = ()
    pools: tuple[Manifest, ...] = ()
    signals: tuple[Manifest, ...] = ()
    configs: Mapping[tuple[str, str, str], Entries] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def reactor(self, name: str, namespace: str) -> Manifest | None:
        """Return the Reactor of this name in a namespace; one that is not written down may turn out to be any."""
        named = [reactor for reactor in self.reactors if reactor.name == name]
        same = [reactor for reactor in named if reactor.namespace == namespace]
        open_ = [reactor for reactor in named if not reactor.namespace or not namespace]
        return next(iter((*same, *open_)), None)

    def config(self, kind: str, name: str, namespace: str) -> Entries | None:
        """Return the Secret or ConfigMap of this name in a namespace, or the one without a namespace.

        Where no namespace is known it is the only one of its name: of several none is taken, it may be the wrong one.
        """
        for where in (namespace, ""):
            if (found := self.configs.get((kind, where, name))) is not None:
                return found
        elsewhere = self.namespaces_of(kind, name)
        return self.configs[kind, elsewhere[0], name] if not namespace and len(elsewhere) == 1 else None

    def namespaces_of(self, kind: str, name: str) -> list[str]:
        """Return the namespaces for which a Secret or ConfigMap of this name is written."""
        return sorted(where for one, where, called in self.configs if (one, called) == (kind, name) and where)

    def entries(self, namespace: str) -> dict[tuple[str, str, str], str | None]:
        """Return what a run in a namespace may read, by (kind, name, key)."""
        named = dict.fromkeys((kind, name) for kind, _, name in self.configs)
        return {
            (kind, name, key): text
            for kind, name in named
            for key, text in (self.config(kind, name, namespace) or {}).items()
        }


def load_manifests(paths: Iterable[str]) -> Manifests:
    """Read files and folders. What is wrong with single files and objects is told in `findings`."""
    reading = _Reading()
    for path in paths:
        reading.read(path)
    return reading.manifests()


class _Reading:
    """Collects objects file by file. Used once."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], Manifest] = {}
        self._findings: list[Finding] = []
        self._read: set[Path] = set()
        self._neighbourhoods: dict[Path, None] = {}

    def read(self, path: str) -> None:
        try:
            self._read_path(path)
        except OSError as error:
            raise CommandError(f"{error.filename or path}: cannot be read: {error.strerror}") from None

    def _read_path(self, path: str) -> None:
        where = Path(path)
        if path == "-":
            self._read_target(lambda: self._add_all(parse_documents(read_standard_input(), SHOWN), Path(), target=True))
        elif where.is_dir():
            files = _files_in(where)
            if not files:
                raise CommandError(f"{path}: no .yaml, .yml or .json file in this folder, expected manifests")
            for file in files:
                self._read_target(partial(self._read_file, file, target=True))
        elif where.exists():
            self._read_target(partial(self._read_file, where, target=True, named=True))
            self._neighbourhoods[where.parent] = None
        else:
            raise CommandError(f"{path}: no such file or folder")

    def manifests(self) -> Manifests:
        for folder in self._neighbourhoods:
            if self._needs_neighbours() and os.access(folder, os.R_OK):
                for file in _files_in(folder):
                    self._read_neighbour(file)
        objects = self._objects.values()
        configs = {
            (one.kind, one.namespace, one.name): self._entries(one)
            for one in objects
            if one.kind in ("Secret", "ConfigMap")
        }
        return Manifests(
            reactors=tuple(one for one in objects if one.kind == "Reactor"),
            runs=tuple(one for one in objects if one.kind == "ReactorRun"),
            pools=tuple(one for one in objects if one.kind == "ReactorPool"),
            signals=tuple(one for one in objects if one.kind == "ReactorSignal"),
            configs=configs,
            findings=tuple(self._findings),
        )

    def _needs_neighbours(self) -> bool:
        """Say whether anything read so far refers to an object that is not among it."""
        reactors = {one.name for one in self._objects.values() if one.kind == "Reactor"}
        for one in self._objects.values():
            if one.kind == "ReactorRun" and one.reactor_name not in reactors:
                return True
            if one.kind == "Reactor" and _refers_to_others(one.spec, reactors):
                return True
        return False

    def _read_target(self, read: Callable[[], None]) -> None:
        """Read what the user named; a file that cannot be read hides no other."""
        try:
            read()
        except Unreadable as error:
            self._findings.append(error.finding)

    def _read_neighbour(self, file: Path) -> None:
        if file.resolve() not in self._read:
            try:
                self._read_file(file, target=False)
            except Unreadable:
                return  # not what the user named: what is missing because of it is told by whoever misses it

    def _read_file(self, file: Path, *, target: bool, named: bool = False) -> None:
        self._read.add(file.resolve())
        try:
            if file.stat().st_size > FILE_LIMIT_BYTES:
                raise Unreadable(str(file), 1, f"larger than {FILE_LIMIT_BYTES // 2**20} MiB, expected a manifest")
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise Unreadable(str(file), 1, f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise Unreadable(str(file), 1, "not UTF-8 text, expected YAML or JSON") from None
        documents = parse_documents(text, str(file))
        if named and not documents:
            self._findings.append(
                Finding(file=str(file), line=1, path="", message="the file is empty, expected manifests")
            )
        self._add_all(documents, file.parent, target=target, named=named)

    def _add_all(self, documents: Iterable[Document], folder: Path, *, target: bool, named: bool = True) -> None:
        for document in documents:
            for value, place in _objects_in(document.value, document.place):
                self._add(document.file, folder, value, place, target=target, named=named)

    def _add(self, file: str, folder: Path, value: object, place: Place, *, target: bool, named: bool) -> None:
        def refuse(path: str, message: str) -> None:
            if target:
                where = Finding(file=file, line=line_of(place, path), path=path, message=message)
                self._findings.append(where)

        if not isinstance(value, dict):
            if named:
                refuse("", "found no object, expected a Kubernetes object with apiVersion and kind")
            return
        api_version, kind = value.get("apiVersion"), value.get("kind")
        if not isinstance(api_version, str) or not isinstance(kind, str):
            if named or "apiVersion" in value or kind in KINDS:
                missing = "kind" if isinstance(api_version, str) else "apiVersion"
                refuse(
                    missing if missing in value else "",
                    f"`{missing}` is missing or no text, expected {_expected(missing)}",
                )
            return
        if not _is_ours(api_version, kind, refuse):
            return
        name, namespace = _name_of(value)
        if not name:
            refuse("metadata", f"`metadata.name` is missing or no text, expected the name of this {kind}")
            return
        manifest = Manifest(
            kind=kind, namespace=namespace, name=name, value=value, file=file, folder=folder, place=place, target=target
        )
        first = self._objects.setdefault((kind, namespace, name), manifest)
        if first is not manifest:
            refuse(
                "metadata.name",
                f"a second {kind} '{name}', the first is in {first.file}:{first.place.line}; names are unique",
            )

    def _entries(self, config: Manifest) -> dict[str, str | None]:
        """Return the entries of a Secret or ConfigMap; None for bytes that are no text, which only a reader minds."""
        texts: dict[str, str | None] = {}
        for part in ("data", "stringData"):
            entries = config.value.get(part)
            for key, value in entries.items() if isinstance(entries, dict) else ():
                if not isinstance(value, str):
                    self._refuse_entry(config, f"{part}.{key}", f"found {value!r}, expected text: write it in quotes")
                elif config.kind == "Secret" and part == "data":
                    try:
                        texts[key] = base64.b64decode(value, validate=True).decode()
                    except binascii.Error:
                        self._refuse_entry(config, f"data.{key}", "not base64; plain text goes to stringData")
                    except UnicodeDecodeError:
                        texts[key] = None
                else:
                    texts[key] = value
        return texts

    def _refuse_entry(self, config: Manifest, path: str, message: str) -> None:
        if config.target:
            self._findings.append(config.finding(path, message))


def _files_in(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix in SUFFIXES and file.name not in KUSTOMIZATIONS and file.is_file()
    )


def _objects_in(value: object, place: Place) -> Iterator[tuple[object, Place]]:
    """Yield the objects of a document: itself, or the items of a List."""
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        items = place.inside.get("items") if isinstance(place.inside, Mapping) else None
        places = items.inside if items is not None and isinstance(items.inside, list) else []
        yield from zip(value["items"], places, strict=True)
    else:
        yield value, place


def _is_ours(api_version: str, kind: str, refuse: Callable[[str, str], None]) -> bool:
    """Say whether an object matters here; refuse one that nearly does."""
    group = api_version.partition("/")[0]
    if group == API_GROUP or kind in KINDS:
        if api_version != API_VERSION:
            refuse("apiVersion", f"found '{api_version}', expected '{API_VERSION}'")
            return False
        if kind not in KINDS:
            meant = get_close_matches(kind, KINDS, n=1)
            hint = f": did you mean {meant[0]}?" if meant else ""
            refuse("kind", f"found '{kind}', expected {_expected('kind')}{hint}")
            return False
        return True
    return api_version == "v1" and kind in ("Secret", "ConfigMap")


def _name_of(value: Mapping[str, object]) -> tuple[str, str]:
    """Return name and namespace; of a `generateName` one fixed name, so that `--state` finds the run again."""
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        return "", ""
    name, generated, namespace = (metadata.get(key) for key in ("name", "generateName", "namespace"))
    if not (isinstance(name, str) and name) and isinstance(generated, str) and generated:
        name = f"{generated}1"
    return name if isinstance(name, str) else "", namespace if isinstance(namespace, str) else ""


def _expected(field_name: str) -> str:
    return f"'{API_VERSION}'" if field_name == "apiVersion" else f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"


def _refers_to_others(value: object, reactors: Container[str]) -> bool:
    """Tell whether a Reactor names a Secret, a ConfigMap, or a Reactor that is not among `reactors`."""
    return _refers_to_config(value) or any(name not in reactors for name in composed_in(value))


def _refers_to_config(value: object) -> bool:
    if isinstance(value, dict):
        return any(key in _REFERENCES or _refers_to_config(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_refers_to_config, value))


def composed_in(value: object) -> Iterator[str]:
    """Yield the names of the Reactors that the spec of a Reactor composes, sound or not."""
    if isinstance(value, dict):
        composed = value.get("reactorRef")
        if isinstance(composed, dict) and isinstance(composed.get("name"), str):
            yield composed["name"]
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from composed_in(inner)
