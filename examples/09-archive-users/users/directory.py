"""The directory: one record for each user. Teams that nobody has asked for yet are made up."""

from pathlib import Path
from typing import Any

from users import archive, files

from reactor import Failure


def path_of(folder: str, user: str) -> Path:
    return Path(folder, "directory", f"{user}.json")


def find_inactive(folder: str, team: str, users: int, days: int) -> list[str]:
    """Return the users of a team who were not seen for so many days: the elements of the map."""
    if not any(Path(folder).glob(f"*/{team}-*.json")):
        for number in range(1, users + 1):
            user = made_up(team, number)
            files.write(path_of(folder, user["id"]), user)
    found = [record for path in Path(folder, "directory").glob(f"{team}-*.json") if (record := files.read(path))]
    inactive = sorted(user["id"] for user in found if user["lastSeenDays"] > days)
    print(f"{len(inactive)} of {len(found)} users of {team} were not seen for {days} days")
    return inactive


def made_up(team: str, number: int) -> dict[str, Any]:
    user: dict[str, Any] = {"id": f"{team}-{number:04}", "lastSeenDays": 400 if number % 2 == 0 else 3}
    if number % 12 == 0:
        user["legalHold"] = "court file 7/2031"
    if number % 20 != 10:
        user["email"] = f"{user['id']}@example.com"
    return user


def delete(user: str, folder: str) -> None:
    record = files.read(path_of(folder, user)) or {}  # gone already: another attempt came this far
    if "legalHold" in record:
        raise Failure(f"{user} must be kept: {record['legalHold']}", retryable=False)
    files.remove(path_of(folder, user))


def restore(user: str, folder: str, **_: object) -> None:
    """Undo and compensate of `delete`: whether or not it came that far, the user is there afterwards."""
    record = files.read(archive.path_of(folder, user))
    if record is not None:
        files.write(path_of(folder, user), record)
