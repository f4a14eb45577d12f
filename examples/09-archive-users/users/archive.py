"""The archive: where records of users go before they are deleted."""

from pathlib import Path
from typing import Any

from users import directory, files

from reactor import Context, Failure


def path_of(folder: str, user: str) -> Path:
    return Path(folder, "archive", f"{user}.json")


def export(user: str, folder: str, context: Context) -> dict[str, Any]:
    record = files.read(directory.path_of(folder, user))
    if record is None:
        raise Failure(f"{user} is not in the directory any more", retryable=False)
    if "email" not in record:
        raise Failure(f"{user} has no mail address, which the archive wants", retryable=False)
    if user.endswith("4") and context.attempt == 1:
        raise ConnectionError(f"the archive did not answer when asked to take {user}")  # the next attempt may do
    return {"user": user, "bytes": files.write(path_of(folder, user), record)}


def discard(user: str, folder: str, **_: object) -> None:
    """Undo and compensate of `export`."""
    files.remove(path_of(folder, user))
