"""What every task of a child finds as the first one found it: variables, folder, files, streams.

In: nothing. Out: the same, after whatever a handler did to it. Never here: memory of modules; that it stays warm is
what a pool is for.

Lines that a handler prints go to the log of the pod with `RUN/TASK: ` before them, and to the tail of its task; what
other processes print to its files 1 and 2 goes to that log as it is.
"""

import os
import sys
from io import BufferedWriter, RawIOBase, TextIOWrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from reactor.pool.tail import Tail

_LINE_LIMIT = 64 * 1024


class LabelledOutput(RawIOBase):
    """A file to which whole lines are written, each with a label before it; `tail`, if any, gets them without."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._rest = b""
        self.label = b""
        self.tail: Tail | None = None

    def writable(self) -> bool:
        """Say yes."""
        return True

    def fileno(self) -> int:
        """Return the file itself, which knows no labels."""
        return self._file

    def write(self, content: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Write the lines that are whole, and keep the beginning of the next."""
        whole = bytes(content)
        *lines, self._rest = (self._rest + whole).split(b"\n")
        if len(self._rest) > _LINE_LIMIT:
            lines.append(self._rest)
            self._rest = b""
        if lines:
            self._write_lines(lines)
        return len(whole)

    def finish(self) -> None:
        """Write a line that has no end yet."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._write_lines([rest])

    def _write_lines(self, lines: list[bytes]) -> None:
        if self.tail is not None:
            self.tail.add(b"".join([line + b"\n" for line in lines]))
        left = memoryview(b"".join([self.label + line + b"\n" for line in lines]))
        while left:
            left = left[os.write(self._file, left) :]


class Standing:
    """Keeps what is put back. Made once, before the first handler is called."""

    def __init__(self) -> None:
        self._nothing = os.open(os.devnull, os.O_RDONLY)
        self._files = os.dup(1), os.dup(2)
        self._folder = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
        self._outputs = LabelledOutput(self._files[0]), LabelledOutput(self._files[1])
        self._streams = tuple(
            TextIOWrapper(BufferedWriter(output), "utf-8", "backslashreplace", line_buffering=True)  # type: ignore[type-var]
            for output in self._outputs
        )
        self._shown: dict[str, str] = {}
        self._raw: dict[object, object] = vars(os.environ).get("_data", {})
        self._before: dict[object, object] = {}
        self._plain = dict(os.environ)
        self._give_streams()

    def set_variables(self, variables: "Mapping[str, str]") -> None:
        """Make `variables` part of the environment, in place of those of the task before."""
        shown, environ = self._shown, os.environ
        if shown.keys() != variables.keys():
            for name in shown.keys() - variables.keys():
                _put_back(name, self._plain.get(name))
        for name, text in variables.items():
            if shown.get(name) != text:
                environ[name] = text
        self._shown = dict(variables)
        self._before = dict(self._raw)

    def label(self, text: str, tail: "Tail | None") -> None:
        """Label what is printed from here on, and keep its end in `tail`."""
        written = f"{text}: ".encode("utf-8", "replace")
        for output in self._outputs:
            output.label = written
            output.tail = tail

    def put_back(self) -> None:
        """Undo what a handler did to all that is here."""
        for stream, output in zip(self._streams, self._outputs, strict=True):
            try:
                stream.flush()
                output.finish()
            except (OSError, ValueError):
                continue  # nobody reads, or the handler closed it
        if self._raw != self._before or not self._raw:
            self._restore_variables()
        os.fchdir(self._folder)
        os.dup2(self._nothing, 0)
        os.dup2(self._files[0], 1)
        os.dup2(self._files[1], 2)
        self._give_streams()

    def is_whole(self) -> bool:
        """Return whether what handlers print still can be written."""
        return not any(stream.closed for stream in self._streams)

    def _give_streams(self) -> None:
        sys.stdout, sys.stderr = self._streams

    def _restore_variables(self) -> None:
        wanted = {**self._plain, **self._shown}
        found = dict(os.environ)
        for name in found.keys() | wanted.keys():
            if found.get(name) != wanted.get(name):
                _put_back(name, wanted.get(name))


def _put_back(name: str, text: str | None) -> None:
    if text is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = text
