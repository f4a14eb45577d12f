"""The end of what a task printed, in memory that a parent and its child share: it outlives the child.

In: lines, as the child writes them. Out: the last `LIMIT` bytes of one task's. Never here: a lock. The child writes;
the parent reads at any time, and leaves out what may have been written over meanwhile.
"""

LIMIT = 256 * 1024
"""Bytes that are kept of what a task printed: as many as the gateway keeps."""
_HEAD = 64
TAIL_SIZE = _HEAD + LIMIT
_TASK, _AHEAD, _WRITTEN, _LINES = 0, 1, 2, 3
_TRIES = 1000

Printed = tuple[bytes, int]
"""Whole lines, the last ones that a task printed, and how many it printed in all."""
NOTHING: Printed = (b"", 0)


class Tail:
    """A ring of bytes. `memory` has `TAIL_SIZE` of them."""

    __slots__ = ("_numbers", "_ring")

    def __init__(self, memory: memoryview) -> None:
        self._numbers = memory[:_HEAD].cast("q")
        self._ring = memory[_HEAD:]

    def begin(self, task: int) -> None:
        """What is added from here on, this task printed."""
        numbers = self._numbers
        for number in (_TASK, _AHEAD, _WRITTEN, _LINES):
            numbers[number] = 0
        numbers[_TASK] = task

    def add(self, lines: bytes) -> None:
        """Take the lines that were printed next, each with its end."""
        numbers, ring = self._numbers, self._ring
        part = lines[-LIMIT:]
        end = numbers[_WRITTEN] + len(lines)
        at = (end - len(part)) % LIMIT
        first = min(len(part), LIMIT - at)
        numbers[_AHEAD] = end  # what this is written over is gone from here on
        ring[at : at + first] = part[:first]
        ring[: len(part) - first] = part[first:]
        numbers[_LINES] += lines.count(b"\n")
        numbers[_WRITTEN] = end

    def of(self, task: int) -> Printed:
        """Return what a task printed; nothing of a task that did not begin it, or that prints too fast to be read."""
        numbers = self._numbers
        for _ in range(_TRIES):
            end, lines, ahead = numbers[_WRITTEN], numbers[_LINES], numbers[_AHEAD]
            if ahead == end:
                break
        else:
            return self._broken_off(task)
        text = self._between(max(end - LIMIT, 0), end)
        lost = max(numbers[_AHEAD] - LIMIT, 0) - max(end - LIMIT, 0)
        if numbers[_TASK] != task:
            return NOTHING
        return _whole(text[lost:] if lost > 0 else text, cut=end > LIMIT or lost > 0), lines

    def _broken_off(self, task: int) -> Printed:
        """The child ended in the middle of adding something: return what was there before, as far as it is there."""
        numbers = self._numbers
        end, lines, first = numbers[_WRITTEN], numbers[_LINES], max(numbers[_AHEAD] - LIMIT, 0)
        if numbers[_TASK] != task or first >= end:
            return NOTHING
        return _whole(self._between(first, end), cut=first > 0), lines

    def _between(self, first: int, end: int) -> bytes:
        ring, size = self._ring, end - first
        at = first % LIMIT
        return b"".join((ring[at : at + size], ring[: max(at + size - LIMIT, 0)]))

    def release(self) -> None:
        """Release the memory."""
        self._numbers.release()
        self._ring.release()


def _whole(text: bytes, *, cut: bool) -> bytes:
    """Return the lines that are there from their beginning on; the end of one that is too long alone."""
    start = text.find(b"\n") + 1 if cut else 0
    return text[start:] if start < len(text) else text
