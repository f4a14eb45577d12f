"""Business keys: of all runs that name the same transaction one acts, and the others take its outcome.

In: a run that is judged sound, and who holds its key. Out: the same run where nobody does, else the outcome that it
takes, that it is to wait, or why it can never start; and what a run that holds a key says of itself in its commits.
Never here: a second run that acts while it is not known for certain what the first one did.

A key belongs to a namespace, a Reactor and a text. It is held by a claim in the store, taken by the commit that opens
the run, renewed by the one that ends it, and kept longer than any run that has the key (docs/decisions/0014).
"""

from dataclasses import dataclass, replace

import orjson

from reactor_operator.api.run import check_run_spec
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.state import Header, RunState, Stage, Taken
from reactor_operator.engine.taking import outcome_of
from reactor_operator.ports import Definitions, RunObject, RunRef
from reactor_operator.reconciling.definition import Definition, transaction_of
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.opening import Opened, OpenLater
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.reconciling.told import told_end, told_sequence
from reactor_operator.store.codec import decode_header, encode_header
from reactor_operator.store.port import Claim, Store

KEPT_MS = 30 * 24 * 3_600_000
_SOONEST_MS = 5_000
_LATEST_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The transaction was done by another run: its outcome, the result that this refers to, and whose it is.

    `share`: the claim, which the commit that stores this run is to share.
    """

    opened: Opened
    outcome: Header
    result: bytes | None
    taken: Taken
    share: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """The run can never start, for it is not the transaction that its key names, or not all is known of that."""

    definition: Definition
    failure: Failure
    share: Claim


@dataclass(frozen=True, slots=True)
class HeldByItself:
    """The run holds its key already: it was opened before, and what was stored of it is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holder:
    """What a claim says: which run holds the key, with which inputs (empty: not known), and how it ended."""

    name: str
    uid: str
    inputs: str
    outcome: Header | None = None
    result: bytes | None = None


class Keys:
    """Looks at who holds the key of a run, and writes what holders say of themselves."""

    def __init__(self, store: Store, definitions: Definitions, keep_ms: int) -> None:
        self._store = store
        self._definitions = definitions
        self._keep_ms = keep_ms

    async def look(
        self, run: RunObject, opened: Opened, now: int
    ) -> Opened | Settled | OpenLater | Conflict | HeldByItself:
        """Return what becomes of a run by its key. Raises Unavailable, StoreUnavailable, Unreadable."""
        gone = ""
        while opened.definition.key is not None:
            holder = await self._holder(opened.definition)
            if holder is None:
                break
            if holder.uid == run.ref.uid:
                return HeldByItself()
            if holder.inputs and holder.inputs not in opened.same_inputs:
                return self._conflict(opened, holder, _OTHER_INPUTS)
            if holder.outcome is not None and not holder.inputs:
                return self._conflict(opened, holder, _INPUTS_LOST)
            if holder.outcome is not None:
                return self._settled(opened, holder, holder.outcome)
            if holder.uid == gone:
                return self._conflict(opened, holder, _DELETED)
            first = await self._definitions.get_run(RunRef(run.ref.namespace, holder.name, holder.uid))
            if first is not None and await self._lost_the_end(first):
                return self._conflict(opened, holder, _END_LOST)
            if first is not None:
                pause = min(max((now - run.created_at) // 10, _SOONEST_MS), _LATEST_MS)
                message = _WAITS.format(**_named(opened, holder))
                return OpenLater(
                    definition=opened.definition, until=now + pause, since=run.created_at, message=message, queued=True
                )
            gone = holder.uid  # unless it ended, and was deleted, between the two looks
        return opened

    async def _lost_the_end(self, first: RunObject) -> bool:
        """Tell whether people were told the end of a run that the store, an older copy, holds for one that goes on."""
        if not told_end(first):
            return False
        stored = await self._store.load(first.ref.uid)
        return told_sequence(first) > (stored.revision if stored is not None else 0)

    async def keep(self, run: RunObject, definition: Definition) -> Definition:
        """Return the definition of a run whose state was lost, with its key, unless another run holds that by now."""
        spec = check_run_spec(run.spec).spec
        if spec is None or spec.idempotency_key is None:
            return definition
        keyed = replace(definition, key=spec.idempotency_key)
        holder = await self._holder(keyed)
        if holder is None:
            return keyed
        return replace(keyed, key_inputs=holder.inputs) if holder.uid == run.ref.uid else definition

    async def claim_for(self, known: KnownRun, state: RunState, documents: Documents) -> Claim | None:
        """Return what the commit that makes `state` says of the key. Raises ValueLost, StoreUnavailable.

        The first commit takes the key; one after the end tells how the run ended, also where a person took it up again.
        """
        definition, header, before = known.definition, state.header, known.state.header
        if definition.key is None or (known.revision > 0 and _told(header) == _told(before)):
            return None
        ended = header.stage is Stage.OVER
        said: dict[str, object] = {
            "name": definition.run.name,
            "uid": definition.run.uid,
            "inputs": definition.key_inputs,
        }
        if ended:
            said["outcome"] = orjson.Fragment(encode_header(outcome_of(header)))
        document = None
        if ended and header.result is not None:
            # As it is stored: a sensitive result stays encrypted, and whoever takes it shows it as masked.
            document = (await documents.stored([header.result]))[header.result.digest]
        return Claim(
            name=_claim_name(definition),
            body=orjson.dumps(said),
            document=document,
            keep_ms=self._keep_ms,
        )

    async def _holder(self, definition: Definition) -> _Holder | None:
        claimed = await self._store.claimed(_claim_name(definition))
        if claimed is None:
            return None
        said = orjson.loads(claimed.body)
        outcome = decode_header(orjson.dumps(said["outcome"])) if "outcome" in said else None
        return _Holder(
            name=said["name"], uid=said["uid"], inputs=said["inputs"], outcome=outcome, result=claimed.document
        )

    def _settled(self, opened: Opened, holder: _Holder, outcome: Header) -> Settled:
        ended_at = outcome.finished_at if outcome.finished_at is not None else 0
        return Settled(
            opened=opened,
            outcome=outcome,
            result=holder.result,
            taken=Taken(run=holder.name, uid=holder.uid, ended_at=ended_at),
            share=self._share(opened),
        )

    def _conflict(self, opened: Opened, holder: _Holder, words: str) -> Conflict:
        message = render_message(words.format(**_named(opened, holder)))
        failure = Failure(kind=FailureKind.KEY_CONFLICT, message=message)
        return Conflict(definition=opened.definition, failure=failure, share=self._share(opened))

    def _share(self, opened: Opened) -> Claim:
        return Claim(name=_claim_name(opened.definition), shared=True, keep_ms=self._keep_ms)


def _told(header: Header) -> Header | None:
    """Return what others are told of a run: how it ended, None while it goes on."""
    return outcome_of(header) if header.stage is Stage.OVER else None


def _claim_name(definition: Definition) -> str:
    return f"key/{transaction_of(definition)}"


def _named(opened: Opened, holder: _Holder) -> dict[str, object]:
    return {"key": opened.definition.key, "run": f"run {holder.name} ({holder.uid})"}


_WAITS = "waiting: {run} has the same spec.idempotencyKey {key!r} and goes on; its outcome is taken when it ends"
_OTHER_INPUTS = (
    "spec.idempotencyKey {key!r}: {run} had this key with other inputs, so this would be another transaction: give the "
    "inputs of that run to take its outcome, or another key to start something new"
)
_DELETED = (
    "spec.idempotencyKey {key!r}: {run} had this key and was deleted before its end, so not all is known of what it "
    "did: look at what its steps did, undo that by hand, and start a run with another key"
)
_END_LOST = (
    "spec.idempotencyKey {key!r}: {run} had this key and has ended, and the store lost its outcome: look at its status "
    "and start a run with another key where that is right"
)
_INPUTS_LOST = (
    "spec.idempotencyKey {key!r}: {run} had this key, and the store lost its inputs and what it did: look at what its "
    "steps did, and start a run with another key where that is right"
)
