"""A distribution with observers, really installed: its metadata and its module lie in a folder of `sys.path`."""

import json
from pathlib import Path

MODULE = """
import json
import os
import threading
import time


class Writer:
    def __init__(self):
        self._path = os.environ["OBSERVED"]

    def on_event(self, event):
        with open(self._path, "a") as file:
            file.write(json.dumps([event.kind, event.run, event.step, event.sequence, event.id]) + "\\n")


class Raiser:
    def on_event(self, event):
        raise RuntimeError("no disk")


class Hanger:
    def on_event(self, event):
        threading.Event().wait()


class Leaver:
    def on_event(self, event):
        raise SystemExit(3)


def broken():
    raise ValueError("no configuration")
"""


def install(folder: Path, **observers: str) -> Path:
    """Write a distribution with these entry points of the group `reactor.observers`, and return the folder."""
    (folder / "shop_watch.py").write_text(MODULE)
    metadata = folder / "shop_watch-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-watch\nVersion: 1.0\n")
    points = "\n".join(f"{name} = {target}" for name, target in observers.items())
    (metadata / "entry_points.txt").write_text(f"[reactor.observers]\n{points}\n")
    return folder


def observed(path: Path) -> list[list[object]]:
    """Return what the observer `Writer` wrote."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
