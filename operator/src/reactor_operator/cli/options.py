"""What several commands are asked in the same words.

In: the command line, through `main`. Out: frozen values. Never here: imports that cost time.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Output(StrEnum):
    """How something is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class Picture(StrEnum):
    """How a graph is drawn."""

    MERMAID = "mermaid"
    SVG = "svg"


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Which cluster and namespace; None is what the kubeconfig says."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None


@dataclass(frozen=True, slots=True)
class StateOptions:
    """A run of a laptop: the state file that it is in (None: it is on a cluster), and where its manifests are."""

    file: Path | None = None
    path: str = "."


@dataclass(frozen=True, slots=True)
class InputOptions:
    """Inputs given on the command line: a file (or `-`), and single values over it."""

    file: str | None = None
    values: tuple[str, ...] = ()
