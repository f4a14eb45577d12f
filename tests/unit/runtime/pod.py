"""A pod for the agent: the real `python -m reactor` in a process of its own, with the environment of a task."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import reactor
from tests.unit.runtime.peer import RUN_UID, TASK_KEY, TOKEN, Peer

DEADLINE_SECONDS = 30


@dataclass
class Pod:
    """Where one task runs. `variables` are added to its environment, None removes one."""

    folder: Path
    peer: Peer
    variables: dict[str, str | None] = field(default_factory=dict)

    @property
    def modules(self) -> Path:
        found = self.folder / "modules"
        found.mkdir(exist_ok=True)
        return found

    @property
    def termination_log(self) -> Path:
        return self.folder / "termination-log"

    @property
    def termination(self) -> Any:
        return json.loads(self.termination_log.read_bytes())

    def environment(self) -> dict[str, str]:
        variables: dict[str, str | None] = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(reactor.__file__).parents[1]),
            "REACTOR_RUN": "order-1",
            "REACTOR_STEP": "store",
            "REACTOR_TASK": f"{RUN_UID}/{TASK_KEY}",
            "REACTOR_ACTION": "run",
            "REACTOR_ATTEMPT": "1",
            "REACTOR_IDEMPOTENCY_KEY": "key-1",
            "REACTOR_UNCERTAIN": "0",
            "REACTOR_GATEWAY": self.peer.address,
            "REACTOR_TOKEN": TOKEN,
            "REACTOR_MODULES": str(self.modules),
            "REACTOR_TERMINATION_LOG": str(self.termination_log),
        }
        return {name: value for name, value in (variables | self.variables).items() if value is not None}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "reactor", *words],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        with self.start(*words) as process:
            try:
                stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
            finally:
                process.kill()
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)

    def run_source(self, source: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run an inline script."""
        self.variables |= {"REACTOR_SOURCE": source, **variables}
        return self.run()

    def run_handler(self, handler: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a handler of `modules`."""
        self.variables |= {"REACTOR_HANDLER": handler, **variables}
        return self.run()
