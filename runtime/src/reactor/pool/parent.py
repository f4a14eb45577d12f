"""The parent of a pool's worker: leases tasks from the gateway, has its children do them, reports what became of them.

In: the environment of the pod. Out: an exit code: 0 after it was told to stop and did what it had begun, or after its
one chunk · 2 the environment makes no sense. Never here: a task of its own, a wait for one thing while another could be
done.

SIGTERM: nothing further is leased or begun; what is being done ends and is reported, the rest is given back.
"""

import os
import selectors
import signal
import socket
from time import monotonic, sleep

from reactor.connection import BadAddress
from reactor.environment import BadEnvironment
from reactor.pool.conversation import Conversation
from reactor.pool.saying import say
from reactor.pool.settings import PoolSettings
from reactor.pool.work import GRACE_SECONDS, Work
from reactor.processes import adopt_orphans, end_strays, lead_group

PATIENCE_SECONDS = 60.0
"""So long the worker of a chunk waits for it: its tasks may be closed by now."""


def run_pool() -> int:
    """Work until told to stop, and return the exit code."""
    try:
        worker = Worker(PoolSettings(os.environ))
    except (BadEnvironment, BadAddress) as problem:
        say(str(problem))
        return 2
    if os.getpid() != 1:
        lead_group()
        adopt_orphans()
    with worker:
        worker.work()
    say("drained")
    return 0


class Worker:
    """The loop. `work` returns once it was told to stop, or its one chunk is done, and nothing is left to do."""

    def __init__(self, settings: PoolSettings) -> None:
        self._selector = selectors.DefaultSelector()
        self._work = Work(settings, self._selector)
        self._conversation = Conversation(settings, self._work, self._selector)
        self._settings = settings
        self._is_told_to_stop = False
        self._gives_up_at = monotonic() + PATIENCE_SECONDS
        self._woken, self._waker = socket.socketpair()

    def __enter__(self) -> "Worker":
        for one in (self._woken, self._waker):
            one.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._wake)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self._conversation.close()
        for pid in self._work.dismiss():
            _wait_for(pid, GRACE_SECONDS)
        end_strays(frozenset())

    def work(self) -> None:
        """Go round until there is nothing left to do."""
        while True:
            now = monotonic()
            if self._is_told_to_stop and not self._work.is_draining:
                say("told to stop: what is being done ends, the rest is given back")
                self._work.drain()
            if self._settings.once and not self._work.is_draining and self._is_done(now):
                self._work.drain()
            self._work.go_on(now)
            self._conversation.go_on(now)
            self._work.look_at_clock(now)
            if self._work.is_draining and self._conversation.has_ended(now):
                return
            for key, mask in self._selector.select(self._conversation.pause(now)):
                key.data(mask)

    def _is_done(self, now: float) -> bool:
        """Return whether the chunk of this worker is done and told, or does not come."""
        if self._work.has_leased:
            return not self._work.held.count
        return now >= self._gives_up_at

    def _stop(self, *_: object) -> None:
        self._is_told_to_stop = True

    def _wake(self, _: int) -> None:
        """A signal came: children may have ended, and we may be told to stop."""
        try:
            while self._woken.recv(4096):
                pass
        except BlockingIOError:
            pass
        self._work.reap()


def _wait_for(pid: int, seconds: float) -> None:
    """Wait for a child to end, and end it."""
    until = monotonic() + seconds
    try:
        while not os.waitpid(pid, os.WNOHANG)[0]:
            if monotonic() > until:
                os.killpg(pid, signal.SIGKILL)
            sleep(0.01)
    except ChildProcessError:
        return
