"""What the store of a laptop has of a run: where it is, what it was started with, why its steps failed.

In: a store and the uid of a run. Out: a `KnownRun`, its inputs, tracebacks. Raises CommandError for damaged records.
Never here: a write but that of a run that is to go, or the elements of maps (`stored_maps.py`).
"""

from collections.abc import Mapping

from reactor_operator.api.sensitivity import ALL, hidden
from reactor_operator.cli.errors import CommandError
from reactor_operator.encryption import CannotDecrypt, Keyring
from reactor_operator.engine.failures import printable
from reactor_operator.engine.plan import ROOT
from reactor_operator.engine.state import RunPhase
from reactor_operator.engine.values import ValueRef
from reactor_operator.kube.fields import parse_object, text_at
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.records import KnownRun, read_run
from reactor_operator.store.codec import Unreadable
from reactor_operator.store.port import Store


async def load_known(store: Store, run: RunRef) -> KnownRun | None:
    """Return the run as it was left, None where the store has none."""
    snapshot = await store.load(run.uid)
    if snapshot is None or snapshot.records is None or snapshot.actions is None:
        return None
    try:
        return read_run(snapshot.records, snapshot.actions, snapshot.revision, pending_timeout_ms=0)
    except (Unreadable, KeyError, ValueError) as problem:
        raise CommandError(
            f"--state: the records of run '{run.name}' cannot be read ({problem}): give another path, or another --run"
        ) from problem


async def delete_undone(store: Store, run: RunRef) -> bool:
    """Delete a run that was undone to be deleted, and tell whether it was."""
    known = await load_known(store, run)
    header = known.state.header if known is not None else None
    if header is None or header.phase is not RunPhase.UNDONE or not header.delete_undone:
        return False
    await store.forget(run.uid)
    return True


async def load_inputs(store: Store, known: KnownRun, keys: Keyring) -> Mapping[str, object] | None:
    """Return the inputs that a run was started with, defaults among them, to be shown; None where they were refused.

    Raises CommandError where something of the run is encrypted with a key that is not here.
    """
    try:
        for ref in _encrypted(known):
            await _load(store, known, ref, keys)
        pinned = known.definition.inputs
        if pinned is None:
            return None
        found = parse_object(await _load(store, known, pinned, keys))
    except CannotDecrypt as problem:
        raise CommandError(
            f"--state: run '{known.definition.run.name}': {problem}: it has the name of the state file and `.key`"
        ) from None
    names = known.blueprint.sensitive.inputs_of(ROOT) if known.blueprint is not None else frozenset({ALL})
    shown = hidden(found, names) if known.blueprint is not None or pinned.encrypted else found
    return {str(name): value for name, value in shown.items()} if isinstance(shown, Mapping) else {}


async def _load(store: Store, known: KnownRun, ref: ValueRef, keys: Keyring) -> bytes:
    uid = known.definition.run.uid
    return keys.decrypt(uid, (await store.get_values(uid, frozenset({ref.digest}))).get(ref.digest, b""))


def _encrypted(known: KnownRun) -> list[ValueRef]:
    """Return the first of the run's encrypted documents that is there, if any is: all have the same key, mostly."""
    refs = (ref for step in known.state.steps.values() for ref in (step.arguments, step.result))
    return [ref for ref in refs if ref is not None and ref.encrypted][:1]


async def load_tracebacks(store: Store, run: RunRef) -> list[tuple[str, str]]:
    """Return the traceback of each step of a run that failed with an exception, by path."""
    known = await load_known(store, run)
    found = []
    for path, step in known.state.steps.items() if known is not None else ():
        for failure in (step.failure, step.cleanup_failure):
            if failure is not None and failure.detail is not None:
                digest, inline = failure.detail.digest, failure.detail.inline
                document = inline or (await store.get_values(run.uid, frozenset({digest}))).get(digest, b"")
                found.append((path, printable(text_at(parse_object(document), "traceback"))))
    return [(path, text) for path, text in found if text]
