"""A run between the store and the engine: records become a state, and a decision becomes a commit.

In: a `Snapshot`, or what was decided. Out: a `KnownRun`, or the `Commit` that writes only what changed.
Never here: a call to the store.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import orjson

from reactor_operator.api.blueprint import Blueprint
from reactor_operator.api.sensitivity import HARMLESS
from reactor_operator.engine.actions import Announce, Effect, Notify, RetireTask, StartTask
from reactor_operator.engine.derive import restore
from reactor_operator.engine.draft import Filing
from reactor_operator.engine.facts import Fact
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.history import Transition
from reactor_operator.engine.identity import Action
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import Header, OutcomePage, RunState, Stage
from reactor_operator.engine.values import ValueRef
from reactor_operator.gateway.record import OpenRecord, encode_record
from reactor_operator.reconciling.definition import (
    RECORD,
    Definition,
    compile_definition,
    decode_definition,
    encode_definition,
)
from reactor_operator.reconciling.pooled import QueuedTasks
from reactor_operator.store.codec import (
    decode_action,
    decode_element,
    decode_header,
    decode_step,
    encode_action,
    encode_elements,
    encode_header,
    encode_step,
    encode_transition,
)
from reactor_operator.store.outcome_pages import (
    decode_outcomes,
    encode_outcomes,
    outcome_page_name,
    source_page_name,
)
from reactor_operator.store.port import Claim, Commit, Snapshot

_HEADER = "header"
_STEP = "step/"
_ELEMENT = "element/"
_OUTCOMES = "outcomes/"
_START = "start/"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """A run as of one revision. `outbox` holds orders by id, in the order they were given."""

    definition: Definition
    blueprint: Blueprint | None
    plan: Plan
    state: RunState
    revision: int = 0
    outbox: Mapping[str, Effect] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What came of a fold: the next state, the orders it gave, the steps it changed, and new documents by digest.

    `facts` are what observers are told once it is committed, `history` is what moved, in order.
    `filing` says what changed of maps, and `sources` are new pages of elements by name.
    """

    state: RunState
    actions: tuple[Effect, ...] = ()
    touched: frozenset[str] = frozenset()
    values: Mapping[str, bytes] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    history: tuple[Transition, ...] = ()
    filing: Filing = field(default_factory=Filing)
    sources: Mapping[str, bytes] = field(default_factory=dict)


def read_run(
    records: Mapping[str, bytes],
    actions: Mapping[str, bytes],
    revision: int,
    *,
    pending_timeout_ms: int,
    observed: bool = False,
    chunks: bool = True,
) -> KnownRun:
    """Return the run that `records` hold. Raises Unreadable, KeyError or ValueError for records that are damaged."""
    definition = decode_definition(records[RECORD])
    blueprint, plan = compile_definition(
        definition, pending_timeout_ms=pending_timeout_ms, observed=observed, chunks=chunks
    )
    steps = {name[len(_STEP) :]: decode_step(body) for name, body in records.items() if name.startswith(_STEP)}
    uid = definition.run.uid
    elements = {
        path: decode_element(path, uid, body)
        for name, body in records.items()
        if name.startswith(_ELEMENT) and (path := name[len(_ELEMENT) :])
    }
    pages = dict(_read_pages(records, uid))
    return KnownRun(
        definition=definition,
        blueprint=blueprint,
        plan=plan,
        state=restore(plan, decode_header(records[_HEADER]), steps, elements, pages),
        revision=revision,
        outbox={name: decode_action(body) for name, body in actions.items()},
    )


def _read_pages(records: Mapping[str, bytes], uid: str) -> Iterator[tuple[tuple[str, int], OutcomePage]]:
    for name, body in records.items():
        if name.startswith(_OUTCOMES):
            path, _, number = name[len(_OUTCOMES) :].rpartition("|")
            yield (path, int(number)), decode_outcomes(path, int(number), uid, body)


def read_header(snapshot: Snapshot | None) -> Header | None:
    """Return the header of a stored run, None where nothing is stored of it. Raises Unreadable."""
    header = snapshot.records.get(_HEADER) if snapshot is not None and snapshot.records is not None else None
    return decode_header(header) if header is not None else None


def is_over_but_for_notices(snapshot: Snapshot | None) -> bool:
    """Tell whether a stored run has ended, nothing that was asked of it waits, and it owes nothing but events to
    endpoints. Raises Unreadable."""
    if snapshot is None or snapshot.actions is None or snapshot.inbox:
        return False
    header = read_header(snapshot)
    if header is None or header.stage is not Stage.OVER:
        return False
    return all(isinstance(decode_action(body), Notify) for body in snapshot.actions.values())


def action_id(action: Effect) -> str:
    """Return the name of an order in the outbox: the same order has the same name."""
    match action:
        case StartTask(task=task):
            return f"{_START}{task.key}"
        case RetireTask(task=task):
            return f"retire/{task.key}"
        case Announce(ordinal=ordinal):
            return f"announce/{ordinal}"
        case Notify(notification=notification, fact=fact):
            return notice_id(notification, fact.sequence)


def notice_id(notification: str, sequence: int) -> str:
    """Return the name in the outbox of the order to tell a notification of a fact."""
    return f"notify/{notification}/{sequence}"


def make_commit(
    known: KnownRun,
    decided: Decided,
    *,
    epoch: int,
    inbox_position: int,
    acknowledged: frozenset[str],
    claim: Claim | None = None,
    pools: bool = False,
    traced: bool = False,
) -> tuple[Commit, KnownRun]:
    """Return the commit, and the run as it is known once the commit is applied. `pools`: there are pools here.

    A task that is closed by the same commit is not started any more: its order is dropped or taken as done.
    """
    state = decided.state
    closed = frozenset(action.task.key for action in decided.actions if isinstance(action, RetireTask))
    moot = {f"{_START}{key}" for key in closed}
    queues = QueuedTasks(known.blueprint if pools else None, known.plan, known.definition, traced)
    opens: dict[str, bytes] = {}
    added: dict[str, Effect] = {}
    for action in decided.actions:
        name = action_id(action)
        if isinstance(action, RetireTask) and queues.has_no_pod(action.task):
            continue
        if isinstance(action, StartTask):
            if name in moot:
                continue
            key = name[len(_START) :]
            step, makes_pod = queues.launch(action.task, key)
            opens[key] = encode_record(_open_record(action, known.blueprint, step))
            if not makes_pod:
                continue
        added[name] = action
    done = (acknowledged | moot) & known.outbox.keys()
    outbox = {name: action for name, action in (*known.outbox.items(), *added.items()) if name not in done}
    records: dict[str, bytes | None] = {
        _STEP + path: encode_step(state.steps[path]) for path in sorted(decided.touched)
    }
    records |= _records_of(decided.filing)
    if state.header is not known.state.header or known.revision == 0:
        records[_HEADER] = encode_header(state.header)
    if known.revision == 0:
        records[RECORD] = encode_definition(known.definition)
    commit = Commit(
        run=known.definition.run.uid,
        revision=known.revision,
        epoch=epoch,
        inbox_position=inbox_position,
        records=records,
        values={
            **{name: body for name, body in decided.values.items() if name not in decided.filing.dropped},
            **queues.documents,
        },
        dropped=frozenset(decided.filing.dropped),
        pages=_pages_of(decided),
        opens=opens,
        closes=closed,
        actions={name: encode_action(action) for name, action in added.items()},
        acknowledged=frozenset(done),
        queued=queues.queued(),
        claim=claim,
        history=tuple(map(encode_transition, decided.history)),
        active=state.header.stage is not Stage.OVER,
    )
    return commit, replace(known, state=state, revision=known.revision + 1, outbox=outbox)


def _records_of(filing: Filing) -> dict[str, bytes | None]:
    """Return the records of what changed of maps; None removes."""
    records: dict[str, bytes | None] = {_ELEMENT + path: None for path in filing.elements}
    stand = {path: element for path, element in filing.elements.items() if element is not None}
    records |= {_ELEMENT + path: body for path, body in encode_elements(stand).items()}
    for (path, number), page in filing.hot.items():
        records[f"{_OUTCOMES}{path}|{number}"] = None if page is None else encode_outcomes(path, number, page)
    return records


def _pages_of(decided: Decided) -> dict[str, bytes | None]:
    """Return the pages that are written outside the hot state; None removes."""
    pages: dict[str, bytes | None] = dict(decided.sources)
    for path, round_, number in decided.filing.sources:
        pages[source_page_name(path, round_, number)] = None
    for (path, round_, number), page in decided.filing.cold.items():
        pages[outcome_page_name(path, round_, number)] = encode_outcomes(path, number, page)
    return pages


def failure_document(failure: Failure | None) -> bytes:
    """Return the JSON that a compensate gets as `failure`, but for its detail; null where the step was stopped."""
    if failure is None:
        return b"null"
    document: dict[str, object] = {"kind": failure.kind, "message": failure.message, "retryable": failure.may_retry}
    if failure.exception is not None:
        document["exception"] = failure.exception
    return orjson.dumps(document)


def _open_record(action: StartTask, blueprint: Blueprint | None, pool: ValueRef | None) -> OpenRecord:
    task, failed = action.task, action.failure
    cleans_up = task.action is Action.COMPENSATE
    return OpenRecord(
        sensitive=blueprint.sensitive.of_task(task.path, task.action) if blueprint is not None else HARMLESS,
        arguments=action.arguments,
        result=action.result,
        request=action.request,
        failure=failure_document(failed) if cleans_up else None,
        detail=failed.detail if cleans_up and failed is not None else None,
        uncertain=action.uncertain,
        pool=pool,
    )
