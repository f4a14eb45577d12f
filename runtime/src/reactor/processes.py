"""What a task leaves running, ended: its process group and its descendants.

In: nothing. Out: nothing is left. Never here: a process of anybody else; the group is our own (`lead_group`).
"""

import os
import signal
import sys

_ROUNDS = 20
_SET_CHILD_SUBREAPER = 36
_SET_DEATH_SIGNAL = 1


def lead_group() -> None:
    """Put this process into a group of its own, so that what it leaves behind can be told from others."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, where the system can do that (Linux).

    In a container that is process 1 already. Elsewhere a daemon that left our session would be nobody's to end.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Have this process killed when the one that started it ends (Linux). The first process of a container need not."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)


def end_strays(kept: frozenset[int]) -> None:
    """Kill the descendants that are none of `kept` and were started by none of them: their own parents have ended."""
    for _ in range(_ROUNDS):
        strays = _children() - kept
        parents = {pid: status[1] for pid in strays if (status := _read_status(str(pid))) is not None}
        found = {pid for pid in parents if not kept & set(_above(pid, parents))}
        if not found:
            return
        for pid in found:
            _kill(pid)
        _reap_each(found)


def end_children() -> None:
    """Kill every other process of our group and every descendant.

    The first process of a container need not: the kernel ends all others with it.
    """
    if os.getpid() == 1:
        return
    for _ in range(_ROUNDS):  # a child may fork while we look
        found = _children()
        if not found:
            return
        for pid in found:
            _kill(pid)
        _reap()


def end_adopted() -> None:
    """Do as `end_children` after `adopt_orphans`: who has no child has no descendant, and one call tells."""
    if sys.platform != "linux" or _has_child():
        end_children()


def _has_child() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children() -> set[int]:
    """Return the processes of our group and our descendants that still run, as /proc has them."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    own, group = os.getpid(), os.getpgrp()
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return _others_without_proc()
    for name in names:
        if name.isdigit():
            status = _read_status(name)
            if status is None or status[0] in "ZX":
                continue
            parents[int(name)] = status[1]
            if status[2] == group:
                found.add(int(name))
    for pid in parents:
        above = pid
        while above in parents and above != own:
            above = parents[above]
        if above == own:
            found.add(pid)
    return found - {own}


def _read_status(pid: str) -> tuple[str, int, int] | None:
    """Return state, parent and process group; None where the process has gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return (fields[0].decode(), int(fields[1]), int(fields[2])) if len(fields) > 2 else None


def _others_without_proc() -> set[int]:
    """Ask the whole group to end but for us (macOS has no /proc)."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        os.killpg(0, signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    return set()


def _above(pid: int, parents: dict[int, int]) -> list[int]:
    """Return what is above a process, as far as it is told."""
    found = []
    while pid in parents and parents[pid] not in found:
        pid = parents[pid]
        found.append(pid)
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # it has gone, or runs as somebody else and is not ours to end


def _reap() -> None:
    """Collect the children that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _reap_each(pids: set[int]) -> None:
    """Collect those of our own children among `pids`, which were killed."""
    for pid in pids:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            continue  # somebody else's; its parent collects it, or it comes to us
