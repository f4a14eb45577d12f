"""The container engine of the laptop: docker or podman, whichever answers.

In: command lines. Out: what the engine's client said. Never here: what a container is for.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reactor_operator.tasks.laptop.process import Process

ENGINES = ("docker", "podman")
ANSWER_SECONDS = 10.0
"""How long each of them has to answer when it is looked for."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a client's command ended, and what it printed (its last lines)."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """What it printed, in one line."""
        return " ".join(line.strip() for line in self.lines if line.strip())


@dataclass(frozen=True, slots=True)
class Engine:
    """A client that answers, by path."""

    path: str

    def spawn(
        self, words: Sequence[str], on_line: Callable[[str], None], variables: Mapping[str, str] | None = None
    ) -> Process:
        """Start a command of the client; `variables` are added to its environment."""
        popen = subprocess.Popen(  # noqa: S603 - no shell; the words are rendered by `containers`
            [self.path, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(variables or {})},
            start_new_session=True,
        )
        if popen.stdout is None:
            raise AssertionError("the client is spawned with a pipe")
        return Process(popen, popen.stdout, on_line)

    async def run(self, *words: str, variables: Mapping[str, str] | None = None) -> Said:
        """Run a command to its end."""
        lines: list[str] = []
        code = await self.spawn(words, lines.append, variables).complete()
        return Said(code, tuple(lines[-20:]))


async def find_engine(answer_seconds: float = ANSWER_SECONDS) -> Engine | str:
    """Return the first engine that answers in time, or, in words, why there is none."""
    reasons = []
    for name in ENGINES:
        path = shutil.which(name)
        if path is None:
            reasons.append(f"{name} is not installed")
            continue
        engine = Engine(path)
        words = ("info", "--format", "{{.ID}}") if name == "docker" else ("info",)
        try:
            async with asyncio.timeout(answer_seconds):
                said = await engine.run(*words)
        except TimeoutError:
            reasons.append(f"{name} does not answer: `{name} info` took more than {answer_seconds:g} s and was ended")
            continue
        if said.code == 0:
            return engine
        reasons.append(f"{name} does not answer: {said.text[-300:]}")
    return "; ".join(reasons)
