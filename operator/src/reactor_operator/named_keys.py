"""Keys that a user names: files of a folder, which is a Secret that the chart mounts.

In: a folder, the name of a key. Out: its bytes, read each time anew, so that a key which is replaced takes effect at
once. Never here: a key in a message.
"""

from pathlib import Path

SHORTEST_KEY = 16
"""Bytes of a key that is worth something."""
_LARGEST_KEY = 65_536


class KeyUnusable(Exception):
    """There is no such key, or it is too short; the message says where it was looked for."""


def read_key(folder: Path, name: str, kind: str) -> bytes | None:
    """Return a key without the line end after it, None where there is none of the name. Raises KeyUnusable.

    kind: what messages call it, such as `signing key`.
    """
    try:
        with (folder / name).open("rb") as file:
            return file.read(_LARGEST_KEY).rstrip(b"\r\n")
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise KeyUnusable(f"{kind} '{name}' cannot be read: {problem.strerror}") from None


def long_enough(key: bytes, name: str, kind: str) -> bytes:
    """Return the key. Raises KeyUnusable."""
    if len(key) < SHORTEST_KEY:
        raise KeyUnusable(f"{kind} '{name}' has {len(key)} bytes, expected a random key of at least {SHORTEST_KEY}")
    return key
