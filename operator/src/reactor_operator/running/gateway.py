"""The gateway as a process: its application and its operations port, until told to stop.

In: `GatewaySettings`. Out: nothing. Never here: the API server where nobody may send signals or deliveries, or look at
runs; tasks need Redis only, and are served whether or not the runs are mirrored yet.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.gateway.api.live import LiveObjects
from reactor_operator.gateway.api.pod_logs import PodLogs
from reactor_operator.gateway.api.routes import ApiAccess
from reactor_operator.gateway.app import create_app
from reactor_operator.gateway.cluster import ClusterReactors, ClusterReviews, ClusterRuns
from reactor_operator.gateway.operations import create_operations_app
from reactor_operator.gateway.readiness import store_answers
from reactor_operator.gateway.serve import serve
from reactor_operator.gateway.signals import SignalAccess
from reactor_operator.gateway.static_files import StaticFiles
from reactor_operator.gateway.webhooks import WebhookAccess
from reactor_operator.kube.access import load_access
from reactor_operator.kube.client import KubeClient
from reactor_operator.mirror.runs import RunMirror
from reactor_operator.running.clock import WallClock
from reactor_operator.running.parts import forever
from reactor_operator.running.series import new_registry
from reactor_operator.settings import GatewaySettings
from reactor_operator.store.metrics import StoreMetrics
from reactor_operator.store.redis import RedisStore

TASKS_PORT = 8080
OPERATIONS_PORT = 8081
_REVIEWS_AT_ONCE = 16
_REVIEW_SECONDS = 5.0
_PAGE_SECONDS = 30.0
_LISTS_AT_ONCE = 4
_ANY_ADDRESS = ""
_log = structlog.get_logger("reactor_operator.gateway")


async def run_gateway(settings: GatewaySettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Raises an ExceptionGroup where any part of it ended by itself."""
    registry = new_registry()
    store = RedisStore(settings.redis_url, settings.installation, observe=StoreMetrics(registry).observe)
    try:
        async with (
            api_server(settings) as client,
            mirror_of(settings) as mirror,
            evaluator() as expressions,
            asyncio.TaskGroup() as group,
        ):
            signals = signal_access(settings, client)
            webhooks = webhook_access(settings, client, expressions)
            app = create_app(
                store,
                settings.token_key,
                WallClock(),
                registry,
                settings.keyring,
                signals=signals,
                webhooks=webhooks,
                api=api_access(client, mirror),
                dashboard=StaticFiles() if settings.dashboard else None,
                task_logs=settings.task_logs,
            )
            operations = create_operations_app(registry, store_answers(store))
            tasks = [
                group.create_task(forever("tasks", serve(app, _ANY_ADDRESS, TASKS_PORT))),
                group.create_task(forever("operations", serve(operations, _ANY_ADDRESS, OPERATIONS_PORT))),
            ]
            if mirror is not None:
                tasks.append(group.create_task(forever("mirror", mirror.run())))
            _log.info("the gateway listens", port=TASKS_PORT, operations_port=OPERATIONS_PORT)
            await stop.wait()
            if mirror is not None:
                mirror.feed.close()  # who listens would hold up the end
            for task in tasks:
                task.cancel()
    finally:
        await store.close()


@asynccontextmanager
async def api_server(settings: GatewaySettings) -> AsyncIterator[KubeClient | None]:
    """Give the API server, None where nobody may send or ask anything that needs it. Raises NoAccess."""
    if not settings.signals and settings.webhook_keys is None and not settings.api:
        yield None
        return
    access = await load_access()
    async with KubeClient(access, timeout_seconds=_REVIEW_SECONDS, connections=_REVIEWS_AT_ONCE) as client:
        yield client


@asynccontextmanager
async def mirror_of(settings: GatewaySettings) -> AsyncIterator[RunMirror | None]:
    """Give the mirror of the runs, None where nobody may look at them. Raises NoAccess.

    It has a client of its own: a long list keeps no review waiting.
    """
    if not settings.api:
        yield None
        return
    access = await load_access()
    async with KubeClient(access, timeout_seconds=_PAGE_SECONDS, connections=_LISTS_AT_ONCE) as client:
        yield RunMirror(client, settings.mirrored)


@asynccontextmanager
async def evaluator() -> AsyncIterator[ProcessEvaluator]:
    """Give what evaluates the expressions of webhooks: one process, which is there once there is one to evaluate."""
    expressions = ProcessEvaluator(workers=1)
    try:
        yield expressions
    finally:
        await expressions.close()


def signal_access(settings: GatewaySettings, client: KubeClient | None) -> SignalAccess | None:
    """Return what signals need of the API server, None where nobody may send any."""
    if client is None or not settings.signals:
        return None
    return SignalAccess(reviews=ClusterReviews(client), runs=ClusterRuns(client))


def webhook_access(
    settings: GatewaySettings, client: KubeClient | None, expressions: ProcessEvaluator
) -> WebhookAccess | None:
    """Return what webhooks need, None where they have no keys."""
    if client is None or settings.webhook_keys is None:
        return None
    return WebhookAccess(
        reactors=ClusterReactors(client),
        folder=settings.webhook_keys,
        expressions=expressions,
        per_second=settings.webhook_rate,
    )


def api_access(client: KubeClient | None, mirror: RunMirror | None) -> ApiAccess | None:
    """Return what the API needs, None where nobody may look at runs."""
    if client is None or mirror is None:
        return None
    return ApiAccess(reviews=ClusterReviews(client), mirror=mirror, live=LiveObjects(client), logs=PodLogs(client))
