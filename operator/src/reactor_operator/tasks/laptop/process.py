"""A process of the laptop: spawned in a session of its own, its output as lines, its end as a future.

In: a `Popen`. Out: lines to a callback; the exit code. Never here: what the process is for, or anything that stays
behind: whatever is left of its group when it ends is killed, and its files are closed.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import IO

LINE_LIMIT = 64 * 1024
_CHUNK = 64 * 1024


class Lines:
    """Cuts bytes into lines of text; a line above `LINE_LIMIT` is handed out in pieces."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.on_line = on_line
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes and hand out the lines that are whole."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            self._hand_out(line)
        while len(self._rest) > LINE_LIMIT:
            self._hand_out(self._rest[:LINE_LIMIT])
            self._rest = self._rest[LINE_LIMIT:]

    def flush(self) -> None:
        """Hand out what is left without a newline at its end."""
        if self._rest:
            self._hand_out(self._rest)
            self._rest = b""

    def _hand_out(self, line: bytes) -> None:
        self.on_line(line.removesuffix(b"\r").decode("utf-8", "replace"))


class Process:
    """A running process. `exited` is its exit code (negative: the signal that ended it), once all output was read."""

    def __init__(self, popen: subprocess.Popen[bytes], output: IO[bytes], on_line: Callable[[str], None]) -> None:
        self._popen = popen
        self._loop = asyncio.get_running_loop()
        self.lines = Lines(on_line)
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._readers: dict[IO[bytes], Callable[[bytes], None]] = {}
        self.read(output, self.lines.feed)
        # A thread waits, as asyncio's own watcher does: it needs no SIGCHLD handler and works in every loop.
        threading.Thread(target=self._wait, name=f"wait-{popen.pid}", daemon=True).start()

    @property
    def is_alive(self) -> bool:
        """Whether its end has not been noticed yet."""
        return not self.exited.done()

    async def wait(self) -> int:
        """Wait for the end and return the exit code. Giving up changes nothing for others who wait."""
        return await asyncio.shield(self.exited)

    async def complete(self) -> int:
        """Wait for the end and return the exit code; giving up ends the process."""
        try:
            return await self.wait()
        except asyncio.CancelledError:
            self.kill()
            await self.wait()
            raise

    def read(self, stream: IO[bytes], feed: Callable[[bytes], None]) -> None:
        """Hand what `stream` brings to `feed`, until it or the process ends."""
        os.set_blocking(stream.fileno(), False)
        self._readers[stream] = feed
        self._loop.add_reader(stream.fileno(), self._read_some, stream)

    def terminate(self) -> None:
        """Ask the process itself to end."""
        self._signal(os.kill, signal.SIGTERM)

    def kill(self) -> None:
        """End the process and its whole group."""
        self._signal(os.killpg, signal.SIGKILL)

    def _signal(self, send: Callable[[int, int], None], number: int) -> None:
        if self._popen.returncode is None and self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                send(self._popen.pid, number)

    def _read_some(self, stream: IO[bytes]) -> bool:
        """Read once; return whether there may be more."""
        try:
            chunk = os.read(stream.fileno(), _CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            chunk = b""
        if chunk:
            self._readers[stream](chunk)
            return True
        self._close(stream)
        return False

    def _close(self, stream: IO[bytes]) -> None:
        if self._readers.pop(stream, None) is not None:
            self._loop.remove_reader(stream.fileno())
            stream.close()

    def _wait(self) -> None:
        pid = self._popen.pid
        if hasattr(os, "waitid"):
            # While its leader is not reaped the group's number cannot be anybody else's.
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        code = self._popen.wait()
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody asks any more
            self._loop.call_soon_threadsafe(self._ended, code)

    def _ended(self, code: int) -> None:
        """Read what is left (a process that escaped the group may hold the pipe open: its output is nobody's)."""
        for stream in list(self._readers):
            while stream in self._readers and self._read_some(stream):
                pass
            self._close(stream)
        self.lines.flush()
        if self._popen.stdin is not None:
            with contextlib.suppress(OSError):
                self._popen.stdin.close()
        if not self.exited.done():
            self.exited.set_result(code)
