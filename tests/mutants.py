"""Mutation tests of `engine/`: each small change to it must make a test fail.

In: names of modules (`decide launching`), `survived` for what lived last time, or nothing for all of it. Out: a line
with the score, the same by module and what lives in `build/mutants.txt`; 1 where less than `ENOUGH` is killed.
Never here: how the code is changed and tested; that is mutmut, as `[tool.mutmut]` in pyproject.toml says.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

ROOT = Path(__file__).parents[1]
STAGE = ROOT / "build" / "mutants"
"""A place of its own: mutmut wants the code in `src/` beside the tests, and copies both before it changes anything."""
REPORT = ROOT / "build" / "mutants.txt"
STAGED = {"src": "operator/src", "tests": "tests", "pyproject.toml": "pyproject.toml"}
ENOUGH = 0.9
KILLED = frozenset({"killed", "timeout"})
NOT_RUN = "not checked"
PACKAGE = "reactor_operator.engine"


def stage() -> None:
    """Lay out what mutmut works on."""
    STAGE.mkdir(parents=True, exist_ok=True)
    for name, source in STAGED.items():
        link = STAGE / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(ROOT / source, STAGE))


def forget_what_is_old() -> None:
    """Begin anew where the code or the tests are others than those of the results; else a stopped run goes on."""
    digest = hashlib.sha256()
    for folder in ("operator/src/reactor_operator", "tests/unit/engine", "tests/property", "tests/replay"):
        for path in sorted((ROOT / folder).rglob("*.*")):
            if path.suffix in {".py", ".json", ".jsonl"}:
                digest.update(f"{path}\0".encode() + path.read_bytes())
    mark = STAGE / "of"
    if not mark.exists() or mark.read_text() != digest.hexdigest():
        shutil.rmtree(STAGE, ignore_errors=True)
        STAGE.mkdir(parents=True)
        mark.write_text(digest.hexdigest())


def survivors() -> list[str]:
    """Return the mutants that lived last time, by name."""
    return [name for _, name, status in results() if status not in {*KILLED, NOT_RUN}]


def results() -> Iterator[tuple[str, str, str]]:
    """Yield module, name and status of each mutant, module by module."""
    for path in sorted(walk_mutatable_files()):
        mutants = SourceFileMutationData(path=path)
        mutants.load()
        for name, code in mutants.exit_code_by_key.items():
            yield path.stem, name, status_by_exit_code[code]


def render(found: Sequence[tuple[str, str, str]]) -> tuple[str, float]:
    """Return the report, with the change that nobody noticed for each that lives, and the score of what was run."""
    by_module: dict[str, Counter[str]] = {}
    for module, _, status in found:
        word = status if status == NOT_RUN else "killed" if status in KILLED else "lives"
        by_module.setdefault(module, Counter())[word] += 1
    every = sum(by_module.values(), Counter[str]())
    score = _share_killed(every)
    left = f", {every[NOT_RUN]} were not run" if every[NOT_RUN] else ""
    lines = [f"{score:.1%} of {every['killed'] + every['lives']} mutants are killed, {every['lives']} live{left}"]
    for module, count in by_module.items():
        told = ", ".join(f"{number} {word}" for word, number in sorted(count.items()))
        lines.append(f"{module:12} {_share_killed(count):6.1%}: {told}")
    for _, name, status in found:
        if status not in KILLED and status != NOT_RUN:
            lines += ["", f"{name}: {status}", *_changes(name)]
    return "\n".join(lines) + "\n", score


def _share_killed(count: Counter[str]) -> float:
    ran = count["killed"] + count["lives"]
    return count["killed"] / ran if ran else 0.0


def _changes(name: str) -> list[str]:
    lines = get_diff_for_mutant(name).splitlines()
    return [line for line in lines if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))]


def main(only: Sequence[str]) -> int:
    """Run the mutants that are asked for and tell what came of all that were run."""
    if not only:
        forget_what_is_old()
    stage()
    os.chdir(STAGE)  # where mutmut looks for everything
    names = survivors() if "survived" in only else [f"{PACKAGE}.{module}.*" for module in only]
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1", *names]
    # few examples, the same for each mutant: those that live go through all of them
    ran = subprocess.run(command, env={**os.environ, "CI": "1", "REACTOR_EXAMPLES": "5"}, check=False)
    if ran.returncode:
        return ran.returncode
    report, score = render(list(results()))
    REPORT.write_text(report)
    print(report.partition("\n")[0] + f": {REPORT.relative_to(ROOT)}")
    return int(score < ENOUGH)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
