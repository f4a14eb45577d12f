"""`reactor lint`: everything that is wrong with manifests, on stdout, one line each.

In: paths. Out: lines `FILE:LINE: PATH: MESSAGE` and an exit code: 0 sound, 2 not.
Never here: a check; `check.py` has them.
"""

from collections.abc import Iterator, Sequence

from reactor_operator.cli.check import check_manifests
from reactor_operator.cli.errors import EXIT_OK, EXIT_USAGE
from reactor_operator.cli.manifests import KINDS, Manifest, Manifests, load_manifests
from reactor_operator.cli.places import Finding
from reactor_operator.cli.tables import counted


def lint_command(paths: Sequence[str], *, strict: bool) -> int:
    """Print every finding and a line that counts them; return the exit code."""
    manifests, findings = lint(paths)
    for finding in findings:
        print(finding)
    errors = sum(not finding.warning for finding in findings)
    warnings = len(findings) - errors
    kinds = [counted(sum(one.target for one in ones), word) for ones, word in _kinds(manifests)]
    print(f"{', '.join(kinds[:-1])} and {kinds[-1]}: {counted(errors, 'error')}, {counted(warnings, 'warning')}")
    return EXIT_USAGE if errors or (strict and warnings) else EXIT_OK


def _kinds(manifests: Manifests) -> Iterator[tuple[Sequence[Manifest], str]]:
    """Yield what was read by kind, with the word for one of it. Pools and signals are told of where there are any."""
    yield manifests.reactors, "reactor"
    if any(pool.target for pool in manifests.pools):
        yield manifests.pools, "pool"
    if any(signal.target for signal in manifests.signals):
        yield manifests.signals, "signal"
    yield manifests.runs, "run"


def lint(paths: Sequence[str]) -> tuple[Manifests, list[Finding]]:
    """Return what was read and everything that is wrong with it, by file and line. Raises CommandError."""
    manifests = load_manifests(paths)
    checked = check_manifests(manifests)
    findings = [*checked.findings, *checked.inputs_findings]
    if not any(one.target for ones, _ in _kinds(manifests) for one in ones) and not findings:
        message = f"no {', '.join(KINDS[:-1])} or {KINDS[-1]} found"
        findings.append(Finding(file=paths[0], line=1, path="", message=message))
    return manifests, sorted(set(findings), key=lambda one: (one.file, one.line, one.path, one.message))
