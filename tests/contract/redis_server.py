"""A real redis-server for a test: on a free port, in a folder of its own, as durable as the chart's."""

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

_DEADLINE_SECONDS = 20.0


class RedisServer:
    """Runs redis-server until the block ends. `restart` keeps the data; `kill` is SIGKILL."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        defaults = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        place = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["redis-server", *place, *defaults, *self._options], stdout=log, stderr=log
            )
        self._wait_until_it_answers()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(_DEADLINE_SECONDS)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(_DEADLINE_SECONDS)

    def restart(self) -> None:
        self.stop()
        self.start()

    def back_up(self, copy: Path) -> None:
        """Copy the data as it is on disk."""
        shutil.copytree(self._folder, copy)

    def restore(self, copy: Path | None) -> None:
        """Kill the server and start it with the data of a copy, or with none."""
        self.kill()
        shutil.rmtree(self._folder)
        if copy is not None:
            shutil.copytree(copy, self._folder)
        self.start()

    def writes(self) -> int:
        """Return how many changes the server has made since it last saved its data set."""
        found = re.search(rb"rdb_changes_since_last_save:(\d+)", self.command("INFO", "persistence"))
        assert found is not None
        return int(found[1])

    def command(self, *words: str) -> bytes:
        """Send one command outside of the store under test and return Redis's raw answer."""
        request = b"".join(
            (b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words))
        )
        with socket.create_connection(("127.0.0.1", self.port), timeout=_DEADLINE_SECONDS) as connection:
            connection.sendall(request + b"*1\r\n$4\r\nQUIT\r\n")
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer.removesuffix(b"+OK\r\n")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                if self.command("PING") == b"+PONG\r\n":
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"redis-server did not answer: {(self._folder / 'log').read_text()}")

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
