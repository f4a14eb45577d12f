"""Maps driven on a laptop: in which order elements are undone."""

from pathlib import Path

from tests.unit.cli.conftest import Reactor, Write

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
