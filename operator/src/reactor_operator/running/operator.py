"""The operator as a process: takes the lease, then follows the cluster and reconciles, until told to stop.

In: `OperatorSettings`. Out: nothing. Never here: a rule; only what is connected to what. Whatever ends by itself ends
the process, and Kubernetes starts it again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import structlog

from reactor_operator.changes.audit import Audit
from reactor_operator.changes.expiry import Expiry
from reactor_operator.changes.history import Trimmer
from reactor_operator.changes.incarnation import follow_incarnation
from reactor_operator.changes.kinds import KindWatch
from reactor_operator.changes.lease import Leadership, LeaseTerms
from reactor_operator.changes.leftovers import follow_leftovers
from reactor_operator.changes.pods import PodWatch, union_of
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.changes.runs import RunChanges
from reactor_operator.changes.served import Served
from reactor_operator.changes.siblings import ToldRuns
from reactor_operator.changes.signals import SignalChanges
from reactor_operator.changes.stalls import Stalls
from reactor_operator.changes.sweep import Sweeper
from reactor_operator.changes.turns import Turns
from reactor_operator.engine.events import Signal
from reactor_operator.engine.identity import Task
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.gateway.operations import create_operations_app
from reactor_operator.gateway.readiness import store_answers
from reactor_operator.gateway.serve import serve
from reactor_operator.kube.access import Access, load_access
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.definitions import ClusterDefinitions
from reactor_operator.metering.log import RunLog
from reactor_operator.notifications.observers import observing
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.notifications.teller import telling
from reactor_operator.outcomes.reader import PodReader
from reactor_operator.pools.parts import pool_parts
from reactor_operator.pools.roster import PoolRoster
from reactor_operator.ports import RunRef, Teller
from reactor_operator.reconcile import Reconciler, ReconcileSettings
from reactor_operator.reconciling.encrypted_requests import encrypted_request
from reactor_operator.reconciling.meter import Meter, Meters
from reactor_operator.running.clock import WallClock
from reactor_operator.running.parts import forever
from reactor_operator.running.series import OperatorSeries, new_registry
from reactor_operator.settings import OperatorSettings
from reactor_operator.status.board import ClusterBoard
from reactor_operator.status.reactors import ReactorJudge
from reactor_operator.store.port import Entry
from reactor_operator.store.redis import RedisStore
from reactor_operator.tasks.cluster import ClusterLauncher, Sighting
from reactor_operator.tasks.log_keeper import LogKeeper
from reactor_operator.tasks.manifest_spec import TaskSettings

OPERATIONS_PORT = 8081
_ANY_ADDRESS = ""
_log = structlog.get_logger("reactor_operator")


async def run_operator(
    settings: OperatorSettings, stop: asyncio.Event, listen: Callable[[], None], *, port: int = OPERATIONS_PORT
) -> None:
    """Work until `stop` is set, as signals do after `listen`. Raises an ExceptionGroup where a part ended by itself."""
    registry = new_registry()
    series = OperatorSeries.of(registry)
    metrics = series.changes
    store = RedisStore(settings.shared.redis_url, settings.shared.installation, observe=series.store.observe)
    access = await load_access()
    terms = LeaseTerms(
        namespace=settings.shared.pod_namespace, name=settings.shared.installation, holder=settings.shared.pod_name
    )
    # A renewal that hangs must leave time for another.
    async with KubeClient(
        access, timeout_seconds=terms.renew_every, connections=2, observe=metrics.observe_request
    ) as lease_client:
        leadership = Leadership(lease_client, terms, WallClock())
        try:
            async with asyncio.TaskGroup() as group:
                operations = create_operations_app(registry, store_answers(store))
                tasks = [
                    group.create_task(serve(operations, _ANY_ADDRESS, port)),
                    group.create_task(_lead(settings, access, store, leadership, series, listen)),
                ]
                await stop.wait()
                _log.info("stopping")
                for task in tasks:
                    task.cancel()
        finally:
            metrics.leader.set(0)
            await leadership.release()
            await store.close()


async def _lead(
    settings: OperatorSettings,
    access: Access,
    store: RedisStore,
    leadership: Leadership,
    series: OperatorSeries,
    listen: Callable[[], None],
) -> None:
    """Wait for the lease, then do everything the operator does."""
    epoch = await leadership.acquire(store.claim_epoch)
    series.changes.leader.set(1)
    evaluator = ProcessEvaluator()
    try:
        async with (
            KubeClient(
                access, may_write_seconds=leadership.remaining_seconds, observe=series.changes.observe_request
            ) as client,
            observing() as observers,
            telling(
                inbox=store, clock=WallClock(), keys=SigningKeys(folder=settings.signing_keys), observers=observers
            ) as teller,
        ):
            with _metering(settings, series) as meter:
                await _work(
                    settings, access, client, store, leadership, evaluator, series, meter, epoch, listen, teller
                )
    finally:
        await evaluator.close()


@contextmanager
def _metering(settings: OperatorSettings, series: OperatorSeries) -> Iterator[Meter]:
    """Count and log what runs do, and tell their traces where somebody takes them: only then the library is loaded."""
    log = RunLog(details=settings.shared.log_level == "debug")
    if not settings.traces:
        yield Meters(series.runs, log)
        return
    from reactor_operator.running.traces import exporting
    from reactor_operator.tracing.traces import RunTraces

    with exporting(settings.traces, settings.shared.installation) as sink:
        yield Meters(series.runs, log, RunTraces(sink.tell))


async def _work(
    settings: OperatorSettings,
    access: Access,
    client: KubeClient,
    store: RedisStore,
    leadership: Leadership,
    evaluator: ProcessEvaluator,
    series: OperatorSeries,
    meter: Meter,
    epoch: int,
    listen: Callable[[], None],
    teller: Teller,
) -> None:
    clock, metrics = WallClock(), series.changes
    incarnation = await store.incarnation()
    key = settings.shared.token_key
    task_settings = TaskSettings(
        runtime_image=settings.runtime_image,
        runtime_pull_policy=settings.runtime_pull_policy,
        gateway=settings.gateway_url,
        key=key,
        lost_seconds=max(1, settings.lost_timeout_ms // 1000),
    )
    definitions = ClusterDefinitions(client)
    board = ClusterBoard(client, clock, instance=settings.shared.pod_name)
    told = ToldRuns()
    watches: list[PodWatch] = []

    def sight(run: RunRef, task: Task) -> Sighting | None:
        return next((found for watch in watches if (found := watch.sight(run, task)) is not None), None)

    def adopted(run: RunRef, task: Task) -> None:
        for watch in watches:
            watch.adopted(run, task)

    logs = None
    if settings.shared.task_logs is not None:
        logs = LogKeeper(client, store, settings.shared.task_logs, lambda ref: runs.mark(ref))
    pools = PoolRoster()
    reconciler = Reconciler(
        store=store,
        definitions=definitions,
        launcher=ClusterLauncher(client, task_settings, clock, sight, adopted, logs),
        board=board,
        evaluator=evaluator,
        siblings=told,
        clock=clock,
        epoch=epoch,
        settings=ReconcileSettings(
            start_deadline_ms=settings.start_deadline_ms,
            pending_timeout_ms=settings.pending_timeout_ms,
            key_retention_ms=settings.key_retention_ms,
        ),
        teller=teller,
        pools=pools,
        keyring=settings.shared.keyring,
        signalled=lambda ref: signals.asked_of(ref),
        opened=lambda names: signals.opened(names),
        meter=meter,
        traced=bool(settings.traces),
    )
    series.unfinished.known = reconciler.known

    async def reconcile(ref: RunRef) -> int | None:
        again_at = await reconciler.reconcile(ref)
        signals.moved(ref)
        return again_at

    queue = ReconcileQueue(reconcile, clock, metrics)
    series.runs.told_at = queue.told_at
    expiry = Expiry(client, definitions, store, clock, default_ttl_ms=settings.ttl_after_finished_ms)
    trimmer = Trimmer(client, definitions, store, told)
    turns = Turns(queue, told, trimmer)

    async def prepared(entry: Entry, event: Signal) -> Entry | None:
        return await encrypted_request(entry, event, store, settings.shared.keyring)

    runs = RunChanges(
        queue=queue,
        board=board,
        inbox=store,
        outlived=reconciler.outlived,
        prepared=prepared,
        standing=reconciler.standing,
        client=client,
        definitions=definitions,
        expiry=expiry,
        turns=turns,
        active=await store.active_runs(),
    )

    signals = SignalChanges(
        client=client,
        inbox=store,
        correlations=store,
        standing=reconciler.standing,
        clock=clock,
        mark=runs.mark,
        outlived=reconciler.outlived,
        prepared=prepared,
        verified=settings.admission_policy,
    )

    def forgotten(ref: RunRef) -> None:
        reconciler.forget(ref)
        board.forget(ref.uid)

    sweeper = Sweeper(
        definitions, store, grace_seconds=settings.sweep_grace_ms / 1000, forgotten=forgotten, found=runs.back
    )
    runs.sweeper = sweeper
    reader = PodReader(store, clock, lost_ms=settings.lost_timeout_ms, awaited=reconciler.awaits)
    stalls = Stalls(client, reader, clock)
    namespaces: tuple[str | None, ...] = settings.namespaces or (None,)
    watches.extend(
        PodWatch(
            client=client,
            namespace=name,
            reader=reader,
            stalls=stalls,
            mark=runs.mark,
            active=lambda: bool(reconciler.launched()),
            key=key,
            metrics=metrics,
        )
        for name in namespaces
    )
    audit = Audit(
        client,
        reader,
        stalls,
        key=key,
        launched=reconciler.launched,
        seen=lambda: union_of(watch.names() for watch in watches),
    )
    kinds = KindWatch(
        access=access,
        served=Served(client, settings.namespaces),
        runs=runs,
        turns=turns,
        judge=ReactorJudge(client, clock),
        pool_changed=pools.changed,
        signal_changed=signals.changed,
        started=listen,
    )

    def distrust() -> None:
        reader.distrust()
        for watch in watches:
            watch.distrust()
        runs.distrust(reconciler.distrust())

    parts: dict[str, Coroutine[None, None, None]] = {
        "lease": leadership.keep(),
        "queue": queue.run(),
        "kinds": kinds.run(),
        "rings": runs.follow_rings(store.rings()),
        "runs": runs.run(),
        "signals": signals.run(),
        "lists of signals": signals.follow(namespaces),
        "incarnation": follow_incarnation(store, incarnation, distrust),
        "expiry": expiry.run(),
        "history": trimmer.run(),
        "sweeper": sweeper.run(),
        "audit": audit.run(),
        "leftovers": follow_leftovers(client, namespaces, store, runs, turns, metrics),
    }
    parts |= {
        f"pods of {name or 'all namespaces'}": watch.run() for name, watch in zip(namespaces, watches, strict=True)
    }
    parts |= pool_parts(
        client=client,
        namespaces=namespaces,
        store=store,
        roster=pools,
        settings=task_settings,
        clock=clock,
        metrics=series.pools,
        launched=reconciler.was_launched,
        alive=lambda: union_of(watch.alive() for watch in watches),
    )
    try:
        async with asyncio.TaskGroup() as group:
            for name, part in parts.items():
                group.create_task(forever(name, part), name=name)
    finally:
        if logs is not None:
            await logs.close()
        await board.close()
