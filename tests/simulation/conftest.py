"""Adds up what the seeds of a session did, over all worker processes, and fails the session for what never happened.

In: each world's counts. Out: a table (`REACTOR_COVERAGE=1`), and what is missing from it.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.redis_server import RedisServer
from tests.simulation.coverage import Coverage
from tests.simulation.disks import Disk, MemoryDisk, RedisDisk, SqliteDisk, StoreKind

_KEY = pytest.StashKey[Coverage]()
_SENT = "simulation"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_KEY] = Coverage()


@pytest.fixture
def coverage(pytestconfig: pytest.Config) -> Coverage:
    """What the worlds of this process did."""
    return pytestconfig.stash[_KEY]


@pytest.fixture(scope="session")
def store_folder() -> Iterator[Path]:
    """A folder in memory where there is such a thing: every write is synced to disk, and no power is cut here."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_server(store_folder: Path) -> Iterator[RedisServer]:
    """A real server for all worlds of this process, as durable as the chart's."""
    with RedisServer(store_folder / "redis") as server:
        yield server


@pytest.fixture
def make_disk(request: pytest.FixtureRequest, store_folder: Path) -> Callable[[StoreKind], Disk]:
    """Makes what a world's store is kept in: an empty one each time."""

    def make(kind: StoreKind) -> Disk:
        match kind:
            case StoreKind.MEMORY:
                return MemoryDisk()
            case StoreKind.SQLITE:
                return SqliteDisk(store_folder)
            case StoreKind.REDIS:
                server: RedisServer = request.getfixturevalue("redis_server")
                return RedisDisk(server.url)

    return make


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker process of pytest-xdist has ended, and sent what it counted."""
    sent = getattr(node, "workeroutput", {}).get(_SENT)
    if sent is not None:
        node.config.stash[_KEY].add(Coverage.decode(sent))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    found = session.config.stash[_KEY]
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT] = found.encode()
    elif found.missing() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash[_KEY]
    if os.environ.get("REACTOR_COVERAGE"):
        terminalreporter.section(f"what {found.seeds} simulations did")
        terminalreporter.write_line("\n".join(found.lines()))
    for what in found.missing():
        terminalreporter.write_line(f"ERROR: no simulation of {found.seeds} did this: {what}", red=True)
