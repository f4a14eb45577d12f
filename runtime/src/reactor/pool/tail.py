"""The end of what a task printed, in memory that a parent and its child share: it outlives the child.

In: lines, as the child writes them. Out: the last `LIMIT` bytes of one task's. Never here: a lock. The child writes;
the parent reads when the child has ended.
"""

LIMIT = 256 * 1024
"""Bytes that are kept of what a task printed: as many as the gateway keeps."""
_HEAD = 64
TAIL_SIZE = _HEAD + LIMIT
_TASK, _WRITTEN = 0, 1

Printed = tuple[bytes, bool]
"""The end of what a task printed, and whether there was more before it."""
NOTHING: Printed = (b"", False)


class Tail:
    """A ring of bytes. `memory` has `TAIL_SIZE` of them."""

    __slots__ = ("_numbers", "_ring")

    def __init__(self, memory: memoryview) -> None:
        self._numbers = memory[:_HEAD].cast("q")
        self._ring = memory[_HEAD:]

    def begin(self, task: int) -> None:
        """What is added from here on, this task printed."""
        self._numbers[_WRITTEN] = 0
        self._numbers[_TASK] = task

    def add(self, content: bytes) -> None:
        """Take what was printed next."""
        part = content[-LIMIT:]
        end = self._numbers[_WRITTEN] + len(content)
        at = (end - len(part)) % LIMIT
        first = min(len(part), LIMIT - at)
        self._ring[at : at + first] = part[:first]
        self._ring[: len(part) - first] = part[first:]
        self._numbers[_WRITTEN] = end

    def of(self, task: int) -> Printed:
        """Return what a task printed; nothing of a task that did not begin it."""
        if self._numbers[_TASK] != task:
            return NOTHING
        written = self._numbers[_WRITTEN]
        if written <= LIMIT:
            return bytes(self._ring[:written]), False
        at = written % LIMIT
        return b"".join((self._ring[at:], self._ring[:at])), True

    def release(self) -> None:
        """Release the memory."""
        self._numbers.release()
        self._ring.release()
