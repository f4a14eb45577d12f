"""How much memory a child may have, so that one task that needs too much fails alone.

In: the environment and the limit of the container. Out: a number of bytes, and the limit set. Never here: what is done
once it is reached; an allocation fails then, which Python tells as MemoryError.

What counts is what a process may write to and shares with nobody (RLIMIT_DATA), not what it maps: libraries are large.
The stack of each thread counts whole, used or not, so that of Python's threads is made smaller.
"""

import os
from _thread import stack_size
from collections.abc import Mapping

RESERVE = 48 * 1024 * 1024
"""What the parent needs, and what grows outside of what is counted."""
LEAST = 64 * 1024 * 1024
VARIABLE = "REACTOR_POOL_CHILD_MEMORY"
_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_NO_LIMIT = 1 << 60
_STACK = 2 * 1024 * 1024
_MUCH = 0.75
_PAGE = os.sysconf("SC_PAGE_SIZE")


def child_memory(variables: Mapping[str, str], concurrency: int) -> int | None:
    """Return how many bytes a child may have, None where there is no limit. Raises ValueError."""
    told = variables.get(VARIABLE, "")
    if told:
        if not (told.isascii() and told.isdigit()):
            raise ValueError(f"the environment variable {VARIABLE} is {told!r}, expected a number of bytes")
        return int(told) or None
    limit = container_memory()
    return None if limit is None else max(LEAST, (limit - RESERVE) // concurrency)


def container_memory(files: tuple[str, ...] = _FILES) -> int | None:
    """Return the memory limit of this container, None where it has none or does not tell."""
    for path in files:
        try:
            with open(path, "rb") as file:
                text = file.read(32).strip()
        except OSError:
            continue
        return int(text) if text.isdigit() and int(text) < _NO_LIMIT else None
    return None


def limit_memory(size: int | None) -> None:
    """Keep this process, and each that it starts, within so many bytes."""
    if size is None:
        return
    stack_size(_STACK)
    try:
        from resource import RLIMIT_DATA, getrlimit, setrlimit

        hard = getrlimit(RLIMIT_DATA)[1]
        allowed = size if hard < 0 else min(size, hard)
        setrlimit(RLIMIT_DATA, (allowed, allowed))
    except (ImportError, ValueError, OSError):
        return  # no limit of its own then; the container's holds


def is_nearly_full(size: int | None) -> bool:
    """Return whether so much of a limit is used that the next task might meet it without any fault of its own."""
    if size is None:
        return False
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[5]) * _PAGE > size * _MUCH
    except (OSError, IndexError, ValueError):
        return False
