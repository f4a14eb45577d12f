"""Maps driven on a laptop: in which order elements are undone, and what Ctrl-C leaves."""

import signal
from pathlib import Path

from tests.unit.cli.conftest import Reactor, Write
from tests.unit.cli.test_process import DEADLINE, started, wait_for_line, wait_until_there

CHUNKS = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: chunks}
spec:
  inputsSchema: {type: object, properties: {file: {type: string}}}
  steps:
  - name: rows
    arguments: {row: {element: rows}, file: {input: file}}
    map:
      source: {value: [0, 1, 2, 3, 4, 5]}
      elementsPerTask: 3
      run: {python: {handler: "rows:store"}}
    undo: {python: {handler: "rows:remove"}}
  - name: fails
    waitFor: [rows]
    run: {python: {handler: "rows:fail"}}
"""
ROWS = """\
import time

def store(row, file):
    pass

def remove(row, file):
    time.sleep(row % 3 / 5)  # were several undone at once, the lowest would be the first to end
    with open(file, "a") as stream:
        stream.write(str(row))

def fail():
    raise ValueError("no")
"""


def test_elements_of_a_chunk_are_undone_one_by_one_from_the_highest_index_down(
    reactor: Reactor, write: Write, tmp_path: Path
) -> None:
    folder = write({"reactor.yaml": CHUNKS, "rows.py": ROWS})
    answer = reactor("run", folder, "--set", f"file={tmp_path / 'order'}")
    assert answer.code == 1
    assert (tmp_path / "order").read_text() == "543210"


WINDOW = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: window}
spec:
  inputsSchema: {type: object, properties: {folder: {type: string}}}
  steps:
  - name: rows
    arguments: {row: {element: rows}, folder: {input: folder}}
    map:
      source: {value: [0, 1, 2, 3, 4, 5, 6, 7]}
      batchSize: 2
      run: {python: {handler: "rows:store"}}
    compensate: {python: {handler: "rows:remove"}}
    undo: {python: {handler: "rows:remove"}}
"""
GATE = """\
import os
import time

def store(row, folder):
    open(f"{folder}/row-{row}", "w").close()
    while row >= 2 and not os.path.exists(f"{folder}/open"):
        time.sleep(0.01)

def remove(row, folder):
    os.unlink(f"{folder}/row-{row}")
"""


def rows_in(folder: Path) -> set[str]:
    return {file.name for file in folder.glob("row-*")}


def test_ctrl_c_ends_a_map_when_its_window_has_ended_and_what_was_done_can_be_undone(
    reactor: Reactor, write: Write
) -> None:
    folder = write({"reactor.yaml": WINDOW, "rows.py": GATE})
    state = ("--state", folder / "run.db")
    with started("run", folder, *state, "--set", f"folder={folder}") as process:
        wait_until_there(folder / "row-2")
        wait_until_there(folder / "row-3")
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "cancelling")
        (folder / "open").touch()
        out, err = process.communicate(timeout=DEADLINE)
    assert "window-run  Cancelled" in out, err
    assert rows_in(folder) == {"row-0", "row-1", "row-2", "row-3"}
    answer = reactor("undo", "window-run", *state, "--manifests", folder)
    assert (answer.code, rows_in(folder)) == (0, set()), answer.out


def test_after_a_second_ctrl_c_the_next_call_ends_the_map_and_what_was_done_can_be_undone(
    reactor: Reactor, write: Write
) -> None:
    folder = write({"reactor.yaml": WINDOW, "rows.py": GATE})
    state = ("--state", folder / "run.db")
    with started("run", folder, *state, "--set", f"folder={folder}") as process:
        wait_until_there(folder / "row-2")
        wait_until_there(folder / "row-3")
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "cancelling")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    again = reactor("run", folder, *state)
    assert "window-run  Cancelled" in again.out
    answer = reactor("undo", "window-run", *state, "--manifests", folder)
    assert (answer.code, rows_in(folder)) == (0, set()), answer.out
