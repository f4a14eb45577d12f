"""`reactor lint`: everything that is wrong with manifests, on stdout, one line each.

In: paths. Out: lines `FILE:LINE: PATH: MESSAGE` and an exit code: 0 sound, 2 not.
Never here: a check; `check.py` has them.
"""

from collections.abc import Sequence

from reactor_operator.cli.check import check_manifests
from reactor_operator.cli.errors import EXIT_OK, EXIT_USAGE
from reactor_operator.cli.manifests import Manifests, load_manifests
from reactor_operator.cli.places import Finding
from reactor_operator.cli.tables import counted


def lint_command(paths: Sequence[str], *, strict: bool) -> int:
    """Print every finding and a line that counts them; return the exit code."""
    manifests, findings = lint(paths)
    for finding in findings:
        print(finding)
    errors = sum(not finding.warning for finding in findings)
    warnings = len(findings) - errors
    targets = [one for one in (*manifests.reactors, *manifests.runs) if one.target]
    kinds = [f"{counted(sum(one.kind == kind for one in targets), word)}" for kind, word in _KINDS]
    print(f"{' and '.join(kinds)}: {counted(errors, 'error')}, {counted(warnings, 'warning')}")
    return EXIT_USAGE if errors or (strict and warnings) else EXIT_OK


_KINDS = (("Reactor", "reactor"), ("ReactorRun", "run"))


def lint(paths: Sequence[str]) -> tuple[Manifests, list[Finding]]:
    """Return what was read and everything that is wrong with it, by file and line. Raises CommandError."""
    manifests = load_manifests(paths)
    checked = check_manifests(manifests)
    findings = [*checked.findings, *checked.inputs_findings]
    if not any(one.target for one in (*manifests.reactors, *manifests.runs)) and not findings:
        findings.append(Finding(file=paths[0], line=1, path="", message="no Reactor and no ReactorRun found"))
    return manifests, sorted(set(findings), key=lambda one: (one.file, one.line, one.path, one.message))
