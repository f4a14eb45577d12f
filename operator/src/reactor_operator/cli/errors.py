"""What the command line refuses, and with which exit code.

    CommandError              2   shown as `error: MESSAGE`, never with a traceback
    ├── Unreadable            2   a file that is no YAML or JSON, with its line
    ├── InvalidManifests      2   manifests that were read and are wrong: every finding
    └── ClusterError          1   the API server refused or did not answer

In: nothing. Out: exceptions that `main` turns into stderr and an exit code.
"""

from collections.abc import Iterable, Sequence

from reactor_operator.cli.places import Finding

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PAUSED = 3
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


class CommandError(Exception):
    """A command that cannot be done as asked: its message names object, field, found and expected."""

    exit_code = EXIT_USAGE


class Unreadable(CommandError):
    """A file that cannot be read as YAML or JSON."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.finding = Finding(file=file, line=line, path="", message=message)


class InvalidManifests(CommandError):
    """Manifests with errors in them, all of which are told."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Raise InvalidManifests where any finding is more than a warning."""
    errors = [finding for finding in findings if not finding.warning]
    if errors:
        raise InvalidManifests(errors)


class ClusterError(CommandError):
    """The cluster could not be reached, or said no."""

    exit_code = EXIT_FAILED
