"""What the cluster asks of a component itself, on a port that no NetworkPolicy opens to tasks.

In: requests of kubelet and Prometheus. Out: alive, ready, series. Never here: anything about runs.
"""

from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

ReadyCheck = Callable[[], Awaitable[str]]
"""Returns why the component is not ready, or an empty text."""


def create_operations_app(registry: CollectorRegistry, ready: ReadyCheck) -> Starlette:
    """Return an application with /healthz, /readyz and /metrics."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        problem = await ready()
        return PlainTextResponse(problem or "ok", 503 if problem else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])
