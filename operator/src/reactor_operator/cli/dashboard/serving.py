"""A dashboard on this machine: an application behind a guard, on a port of loopback.

In: an application, a port. Out: a server, until the block ends. Never here: a port that another machine reaches; what
is shown.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable

import structlog
from starlette.applications import Starlette
from starlette.types import ASGIApp

from reactor_operator.cli.dashboard.guard import HOST, Guard
from reactor_operator.cli.dashboard.logs import LaptopLogs
from reactor_operator.cli.dashboard.objects import OnePerson
from reactor_operator.cli.dashboard.world import LaptopWorld
from reactor_operator.cli.errors import CommandError
from reactor_operator.gateway.api.routes import ApiAccess, api_routes
from reactor_operator.gateway.serve import listen, serve
from reactor_operator.gateway.signals import SignalAccess, SignalService
from reactor_operator.gateway.static_files import StaticFiles
from reactor_operator.tasks.laptop.log_book import LogBook


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, bearer: str, port: int, say: Callable[[str], None]) -> AsyncIterator[Guard]:
    """Serve an application to whoever has the key, until the block ends. `bearer` is what it is then asked with.

    Raises CommandError where the port is taken.
    """
    _log_to_stderr()
    try:
        listener = listen(HOST, port)
    except OSError as problem:
        raise CommandError(
            f"port {port} of {HOST}: cannot be listened at: {problem.strerror}; give another one, or none"
        ) from None
    with listener:
        bound = int(listener.getsockname()[1])
        guard = Guard(app, bound, bearer, lambda address: say(f"opened; in another browser: {address}"))
        task = asyncio.create_task(serve(guard, HOST, bound, listener))
        try:
            yield guard
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def laptop_app(world: LaptopWorld, bearer: str, book: LogBook) -> ASGIApp:
    """Return the page, and the API of a gateway, over a laptop."""
    person = OnePerson(bearer)
    access = ApiAccess(reviews=person, mirror=world.mirror, live=world.objects, laptop=True, logs=LaptopLogs(book))
    signals = SignalService(world.store, world.keys, SignalAccess(reviews=person, runs=world.objects))
    routes = api_routes(access, world.store, lambda _verb, _code, _seconds: None, signals)
    return Starlette(routes=[*routes, *StaticFiles().routes()])


def _log_to_stderr() -> None:
    """Leave stdout to what the command prints."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
