"""`reactor results`: what became of the elements of a map, in order, read page by page as it is printed.

In: a state file, and the names of a run and of a map. Out: lines, JSON or YAML on stdout. Raises CommandError.
Never here: all results at once, or a sensitive one.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from reactor_operator.api.sensitivity import MASK
from reactor_operator.cli.documents import render_documents
from reactor_operator.cli.elements import render_counts
from reactor_operator.cli.errors import EXIT_OK, CommandError
from reactor_operator.cli.explanation import render_failure
from reactor_operator.cli.options import Output
from reactor_operator.cli.run_view import map_view
from reactor_operator.cli.state_file import open_store
from reactor_operator.cli.stored_maps import MapRecord, find_map, find_run, read_outcomes
from reactor_operator.engine.failures import printable
from reactor_operator.engine.state import ElementOutcome, ElementPhase
from reactor_operator.engine.values import ValueRef
from reactor_operator.kube.fields import JsonObject, map_at, text_at
from reactor_operator.status.failures import render_explained_failure
from reactor_operator.status.maps import render_map
from reactor_operator.store.port import Store

VALUE_LIMIT = 200
"""Letters of a value in a line of text."""
_WELL = frozenset({ElementPhase.SUCCEEDED, ElementPhase.SKIPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsCommand:
    """`reactor results` as it was typed."""

    run: str
    step: str
    state: Path
    namespace: str | None = None
    failed: bool = False
    limit: int | None = None
    output: Output = Output.TEXT
    verbose: bool = False

    def execute(self) -> int:
        """Do it and return the exit code. Raises CommandError."""
        if not self.state.exists():
            raise CommandError(f"--state {self.state}: found no file, expected that of a `reactor run --state`")
        asyncio.run(self._print())
        return EXIT_OK

    async def _print(self) -> None:
        async with open_store(self.state) as store:
            known = await find_run(store, self.run, self.namespace)
            found = await find_map(store, known, self.step)
            printer = _Printer(self, found)
            printer.begin()
            async for entries in self._entries(store, found):
                printer.more(entries)
            printer.end()

    async def _entries(self, store: Store, found: MapRecord) -> AsyncIterator[list[JsonObject]]:
        """Yield what became of the elements that are asked for, page by page."""
        left = self.limit
        async for page in read_outcomes(store, found):
            wanted = ((index, one) for index, one in sorted(page.items()) if self._is_wanted(one))
            chosen = list(islice(wanted, left))
            if chosen:
                documents = await _documents(store, found.uid, [one for _, one in chosen])
                yield [_entry(index, one, documents) for index, one in chosen]
            left = None if left is None else left - len(chosen)
            if left == 0:
                return

    def _is_wanted(self, one: ElementOutcome) -> bool:
        return one.phase is ElementPhase.FAILED or not self.failed


class _Printer:
    """Prints entries as they come."""

    def __init__(self, command: ResultsCommand, found: MapRecord) -> None:
        self._command = command
        self._found = found
        self._printed = 0

    def begin(self) -> None:
        """Print what comes before the first entry."""
        if self._command.output is Output.JSON:
            sys.stdout.write("[")
        elif self._command.output is Output.TEXT:
            phase = self._found.step.phase.value
            counts = map_view(map_at(render_map(self._found.state, self._found.path) or {}))
            print(f"{self._found.path}  {phase}  {render_counts(phase, counts)}")

    def more(self, entries: Sequence[JsonObject]) -> None:
        """Print entries."""
        if self._command.output is Output.JSON:
            for entry in entries:
                sys.stdout.write((",\n " if self._printed else "\n ") + json.dumps(entry, ensure_ascii=False))
                self._printed += 1
            return
        self._printed += len(entries)
        if self._command.output is Output.YAML:
            sys.stdout.write(render_documents([list(entries)], Output.YAML))
            return
        width = len(str(max(self._found.begun - 1, 0)))
        for entry in entries:
            print(f"  {entry['index']:>{width}}  {entry['phase']:<9}  {_words(entry)}".rstrip())
            if self._command.verbose:
                for line in render_failure(map_at(entry, "failure"), verbose=True):
                    print(f"  {'':>{width}}    {line}".rstrip())

    def end(self) -> None:
        """Print what comes after the last entry."""
        if self._command.output is Output.JSON:
            sys.stdout.write("\n]\n" if self._printed else "]\n")
        elif not self._printed:
            print("[]" if self._command.output is Output.YAML else "  none" + " failed" * self._command.failed)


async def _documents(store: Store, uid: str, outcomes: Sequence[ElementOutcome]) -> Mapping[str, bytes]:
    """Return the results of elements that are not sensitive, and what explains failures, as far as it was kept."""
    refs = [ref for one in outcomes for ref in _references(one) if not ref.encrypted]
    found = {ref.digest: ref.inline for ref in refs if ref.inline is not None}
    return found | dict(await store.get_values(uid, frozenset(ref.digest for ref in refs if ref.inline is None)))


def _references(one: ElementOutcome) -> list[ValueRef]:
    detail = one.failure.detail if one.failure is not None else None
    return [ref for ref in (one.result, detail) if ref is not None]


def _entry(index: int, one: ElementOutcome, documents: Mapping[str, bytes]) -> JsonObject:
    """Return what became of an element, as JSON."""
    well = one.phase in _WELL
    entry: dict[str, object] = {"index": index, "ok": well, "phase": one.phase.value}
    if well:
        entry["value"] = _value(index, one.result, documents)
    elif one.failure is not None:
        entry["failure"] = render_explained_failure(one.failure, documents)
    else:  # nothing went wrong in it: it was undone, or stopped with its map
        entry["failure"] = {"kind": one.phase.value, "message": f"the element is {one.phase.value}"}
    return entry


def _value(index: int, ref: ValueRef | None, documents: Mapping[str, bytes]) -> object:
    if ref is None:
        return None
    if ref.encrypted:
        return MASK
    if ref.digest not in documents:
        raise CommandError(f"--state: the result of element {index} is gone from the file: it was damaged")
    return orjson.loads(documents[ref.digest])


def _words(entry: JsonObject) -> str:
    """Return the value of an element, or why there is none, in one line."""
    failure = map_at(entry, "failure")
    if not failure:
        line = json.dumps(entry["value"], ensure_ascii=False) if "value" in entry else ""
        return printable(line if len(line) <= VALUE_LIMIT else f"{line[: VALUE_LIMIT - 1]}…", keep="")
    kind, message = text_at(failure, "kind"), " ".join(text_at(failure, "message").split())
    if kind == entry["phase"]:
        return ""
    place = f"  {text_at(failure, 'file')}:{failure.get('line', '')}" if text_at(failure, "file") else ""
    return printable(
        (message if kind == "Error" or message.startswith(kind) else f"{kind}: {message}") + place, keep=""
    )
