"""Where and on what the figures were taken: a number without its machine says nothing.

In: this machine. Out: facts as JSON. Never here: a measurement.
"""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PACKAGES = (
    "kopf",
    "aiohttp",
    "redis",
    "hiredis",
    "pydantic",
    "orjson",
    "uvloop",
    "starlette",
    "uvicorn",
    "jsonschema_rs",
)


def machine_facts() -> dict[str, object]:
    """Return what this machine is, what runs on it beside us, and which code is measured."""
    return {
        "processor": _first_field(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memoryMiB": int((_first_field(Path("/proc/meminfo"), "MemTotal") or "0 kB").split()[0]) // 1024,
        "kernel": platform.release(),
        "loadAverage": os.getloadavg(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "commit": _git("rev-parse", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--", "operator", "runtime", "charts")),
    }


def _first_field(file: Path, name: str) -> str:
    if not file.exists():
        return ""
    lines = (line.partition(":") for line in file.read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
