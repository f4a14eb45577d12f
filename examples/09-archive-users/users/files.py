"""Records as JSON files: the directory and the archive are a folder each."""

import json
import os
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any] | None:
    """Return a record, None where there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def write(path: Path, record: dict[str, Any]) -> int:
    """Write a record, whole or not at all, and return how many bytes it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(record))
    part.rename(path)
    return path.stat().st_size


def remove(path: Path) -> None:
    """Remove a record, if it is there."""
    path.unlink(missing_ok=True)
