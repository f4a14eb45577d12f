"""Memory that a parent and one of its children share: what the child does now, and what it is no longer to begin.

In: a file of `SIZE` bytes, mapped by both. Out: numbers that either side reads without asking the other. Never here: a
lock; each number has one writer, and is read once where it matters.
"""

import mmap
import os

from reactor.pool.tail import TAIL_SIZE, Tail

_CURRENT, _BEGAN, _STOP, _VALID, _KEPT, _UNTOLD = 0, 1, 2, 3, 4, 5
_HEAD = 64
RING = 64 * 1024
"""Tasks that a child may hold at once; their numbers, modulo this, are their places among the marks."""
AREA = 64 * 1024
"""Bytes of answers that the child may keep back for a moment: they outlive it here."""
SIZE = _HEAD + RING + AREA + TAIL_SIZE


class Page:
    """The page of one child. Tasks are numbered from 1 on; 0 is none."""

    __slots__ = ("_area", "_map", "_marks", "_numbers", "tail")

    def __init__(self, file: int) -> None:
        self._map = mmap.mmap(file, SIZE)
        whole = memoryview(self._map)
        self._numbers = whole[:_HEAD].cast("q")
        self._marks = whole[_HEAD : _HEAD + RING]
        self._area = whole[_HEAD + RING : _HEAD + RING + AREA]
        self.tail = Tail(whole[_HEAD + RING + AREA :])
        """What the child's task printed."""

    @property
    def current(self) -> int:
        """The task that the child does now."""
        return self._numbers[_CURRENT]

    @property
    def untold(self) -> int:
        """The task that has ended, or not yet, and has no answer: what became of it nobody knows if the child ends."""
        return self._numbers[_UNTOLD]

    @property
    def began_ns(self) -> int:
        """When it began that, by the monotonic clock."""
        return self._numbers[_BEGAN]

    @property
    def stop(self) -> int:
        """The task that is to stop."""
        return self._numbers[_STOP]

    def begin(self, number: int, now_ns: int) -> None:
        """The child begins a task."""
        self._numbers[_BEGAN] = now_ns
        self._numbers[_UNTOLD] = number
        self._numbers[_CURRENT] = number

    def end(self) -> None:
        """The child has ended its task, and is to answer for it."""
        self._numbers[_CURRENT] = 0

    def answered(self) -> None:
        """The child has answered for its task, or keeps the answer back here."""
        self._numbers[_UNTOLD] = 0

    def ask_to_stop(self, number: int) -> None:
        """The parent wants this task to stop, and the child to end after it."""
        self._numbers[_STOP] = number

    def set_valid_until(self, at_ns: int) -> None:
        """The parent's leases on what the child holds are good until then; nothing is begun later."""
        self._numbers[_VALID] = at_ns

    def mark(self, number: int, withdrawn: bool) -> None:
        """The parent says whether a task is not to be begun any more."""
        self._marks[number % RING] = withdrawn

    def may_begin(self, number: int, now_ns: int) -> bool:
        """Return whether the child may begin a task now."""
        return now_ns < self._numbers[_VALID] and not self._marks[number % RING]

    @property
    def kept(self) -> int:
        """How many bytes of answers the child keeps back."""
        return self._numbers[_KEPT]

    def keep(self, answer: bytes) -> bool:
        """Keep an answer of the child back, after those before; False where there is no room."""
        start = self._numbers[_KEPT]
        end = start + len(answer)
        if end > AREA:
            return False
        self._area[start:end] = answer
        self._numbers[_KEPT] = end
        return True

    def look(self) -> bytes:
        """Return what the child keeps back."""
        return bytes(self._area[: self._numbers[_KEPT]])

    def told(self) -> None:
        """The child has told what it kept back."""
        self._numbers[_KEPT] = 0

    def close(self) -> None:
        """Release the memory."""
        for view in (self._numbers, self._marks, self._area, self.tail):
            view.release()
        self._map.close()


def make_page_file() -> int:
    """Return a new file for a page, which has no name; its descriptor is not inherited."""
    create = getattr(os, "memfd_create", None)
    if create is not None:
        file: int = create("reactor-page", os.MFD_CLOEXEC)
    else:
        from tempfile import TemporaryFile

        with TemporaryFile() as made:
            file = os.dup(made.fileno())
    os.ftruncate(file, SIZE)
    return file
