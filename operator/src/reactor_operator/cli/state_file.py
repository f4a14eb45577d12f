"""Where `reactor run` keeps runs: in memory, or in the file of `--state`, which one process at a time works on.

In: a path, or none. Out: an open store. Raises CommandError naming the file.
Never here: two processes on one file: each would take the other's tasks for lost ones.
"""

import fcntl
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from reactor_operator.cli.errors import CommandError
from reactor_operator.encryption import NO_KEYS, Keyring, draw_keys, parse_keys, render_keys
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Store, StoreUnavailable


@asynccontextmanager
async def open_store(state: Path | None) -> AsyncIterator[Store]:
    """Open the store and close it at the end."""
    if state is None:
        yield MemoryStore()
        return
    from reactor_operator.store.sqlite import NotAStore, SqliteStore

    with _locked(state):
        store = SqliteStore(state)
        try:
            yield store
        except (NotAStore, StoreUnavailable) as error:
            raise CommandError(f"--state: {error}") from None
        finally:
            await store.close()


def open_keys(state: Path | None, *, needed: bool) -> Keyring:
    """Return the keys for sensitive values: those of this process, or of the file beside the state file.

    That file is made where it is needed and not there. Raises CommandError.
    """
    if state is None:
        return draw_keys()
    path = state.with_name(f"{state.name}.key")
    try:
        if needed and not path.exists():
            _write_keys(path)
        return parse_keys(path.read_text(encoding="ascii", errors="replace")) if path.exists() else NO_KEYS
    except OSError as error:
        raise CommandError(f"--state: key file {path}: cannot be read or made: {error.strerror}") from None
    except ValueError as error:
        raise CommandError(f"--state: key file {path}: {error}") from None


def _write_keys(path: Path) -> None:
    """Write a new key for the user alone: whole or not at all, for what it encrypted is lost without it."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        file.write(render_keys(draw_keys()))
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """Hold the file, which is made if need be. The system lets go of it however this process ends."""
    try:
        file = os.open(state, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise CommandError(f"--state: state file {state}: cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CommandError(
            f"--state: state file {state}: another `reactor run` works on it, or a `reactor dashboard`: wait for its "
            "end, or give another path"
        ) from None
    finally:
        os.close(file)
