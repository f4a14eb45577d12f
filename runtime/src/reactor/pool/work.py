"""The work of a pool's worker: tasks that are held go to children, and what became of them to the outcomes.

In: leases, answers of children, ends of children. Out: outcomes to report. Never here: the gateway, a wait; a task that
is handed out twice while the child that has it lives.
"""

import os
import selectors
import signal
from collections import deque
from time import monotonic, monotonic_ns

from reactor.pool.child import CLOSED, FAILED, LAST, LINES, NOT_BEGUN, OUT_OF_MEMORY, PRINTED, SENSITIVE
from reactor.pool.children import ChildProcess
from reactor.pool.held import Held, Lease, Portion, Task
from reactor.pool.outcomes import NO_DOCUMENT, Outcome, Outcomes, retryable_failure
from reactor.pool.pace import Pace
from reactor.pool.saying import say
from reactor.pool.settings import PoolSettings
from reactor.pool.tail import NOTHING, Printed
from reactor.processes import end_strays

GRACE_SECONDS = 5.0
_SPAWN_AGAIN_SECONDS = 1.0
_SLOW_NS = 100_000_000
"""A child that has been at a task for so long is handed no others to wait behind it."""
_HELD_NS = 5_000_000_000
"""What was not begun for so long is given back: another worker may have nothing to do."""
_STEPS = 500
_PRINTED_BYTES = 512 * 1024
"""With so much of what running tasks printed a heartbeat is full: it must never be too large to be taken."""


class Work:
    """What is held, who does it, and what came of it."""

    def __init__(self, settings: PoolSettings, selector: selectors.BaseSelector) -> None:
        self._settings = settings
        self._selector = selector
        self._spawn_at = 0.0
        self._ready: deque[Portion] = deque()
        self._children: dict[int, ChildProcess] = {}
        self.held = Held()
        self.outcomes = Outcomes()
        self.pace = Pace(settings.concurrency)
        self.is_draining = False
        self.has_leased = False

    @property
    def is_resting(self) -> bool:
        """Whether nothing is being done and nothing waits to be."""
        return not self._ready and all(not child.tasks for child in self._children.values())

    def lease_limit(self) -> int:
        """Return how many tasks to lease now."""
        if self.is_draining or (self._settings.once and self.has_leased):
            return 0
        idle = 0 if self._ready else sum(child.is_idle for child in self._children.values())
        now_ns = monotonic_ns()
        running_ns = min((child.running_ns(now_ns) for child in self._children.values()), default=0)
        return self.pace.lease_limit(self.held.count, idle, running_ns / 1000)

    def take(self, leases: list[Lease]) -> None:
        """Take what was leased."""
        self.has_leased = self.has_leased or bool(leases)
        self._ready.extend((lease, lease.tasks) for lease in leases)
        if self.is_draining:
            self._release_ready()

    def forget_steps(self) -> None:
        """Forget what was told of steps, where it has become much; what is held keeps its own."""
        if len(self.held.steps) > _STEPS + 2 * len(self.held.needed_steps()):
            self.held.forget_steps()
            for child in self._children.values():
                child.forget_steps()

    def go_on(self, now: float) -> None:
        """Have as many children as there should be, each with enough to do."""
        while not self.is_draining and len(self._children) < self._settings.concurrency and now >= self._spawn_at:
            try:
                child = ChildProcess(self._settings.hello(), self._selector, self._answered)
            except OSError as problem:
                say(f"a child cannot be started now: {problem}")
                self._spawn_at = now + _SPAWN_AGAIN_SECONDS
                break
            self._children[child.pid] = child
        if self._ready:
            self._hand_out()

    def withdraw(self, closed: list[Task]) -> None:
        """Do not begin tasks that are closed, and stop those that are being done."""
        kill_at = monotonic() + GRACE_SECONDS
        for task in closed:
            child = task.child
            if child is None:
                task.withdrawn = True
            elif child.page.current != task.number:
                child.withdraw(task)
            elif not task.stopped:
                child.stop(task, "closed", kill_at)

    def renewed(self) -> None:
        """Leases are good for longer, or no more."""
        for child in self._children.values():
            child.renew()

    def newly_printed(self) -> list[tuple[Task, Printed]]:
        """Return what tasks have printed that are being done, of those that printed more since this was asked."""
        found, size = [], 0
        for child in self._children.values():
            task = child.current()
            printed = child.newly_printed(task) if task is not None and size < _PRINTED_BYTES else NOTHING
            if task is not None and printed[0]:
                found.append((task, printed))
                size += len(printed[0])
        return found

    def look_at_clock(self, now: float) -> None:
        """Stop what takes too long, end what does not stop, and give back what nobody comes to."""
        now_ns = monotonic_ns()
        self._give_back_late(now_ns)
        for child in self._children.values():
            child.look(now_ns)
            if child.kill_at and now >= child.kill_at:
                child.kill()
                child.kill_at = now + GRACE_SECONDS
            task = child.current() if self.held.timeouts else None
            if task is not None and not task.stopped:
                timeout_ns = self.held.timeout_ns(task)
                if timeout_ns is not None and now_ns >= child.page.began_ns + timeout_ns:
                    child.stop(task, "timeout", now + GRACE_SECONDS)

    def drain(self) -> None:
        """Begin nothing any more, and give back what is not begun."""
        self.is_draining = True
        self._release_ready()
        for child in self._children.values():
            current = child.page.current
            for task in child.tasks.values():
                if task.number != current:
                    child.withdraw(task)

    def dismiss(self) -> list[int]:
        """Let every child end; return their numbers."""
        for child in self._children.values():
            child.dismiss()
        return list(self._children)

    def reap(self) -> None:
        """Collect the processes that have ended."""
        ended = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            child = self._children.pop(pid, None)
            if child is not None:
                ended = True
                self._ended(child, os.waitstatus_to_exitcode(status))
        if ended:
            end_strays(frozenset(self._children))

    def _ended(self, child: ChildProcess, code: int) -> None:
        """Tell what became of the task that a child was doing; the others of its tasks are still to be done."""
        child.end()
        doing = child.was_doing()
        left = list(child.tasks.values())
        child.tasks.clear()
        if doing is not None:
            self._crashed(child, doing, code)
        elif not child.has_worked and not child.retiring:
            self._spawn_at = monotonic() + _SPAWN_AGAIN_SECONDS
            say(f"a child ended before its first task ({_how(code)}); is there enough memory?")
        for task in left:
            task.child = None
            if task is not doing:
                self._not_begun(task)

    def _crashed(self, child: ChildProcess, task: Task, code: int) -> None:
        if task.stopped:
            self._stopped(task, child.printed, child.doing_ms)
            return
        if code == OUT_OF_MEMORY or (code == -signal.SIGKILL and not child.killed):
            kind, words = "OutOfMemory", "its process needed more memory than it may have, and was ended"
        else:
            kind, words = "NoOutcome", f"its process {_how(code)} and it reported no outcome"
        say(f"{task}: {words}")
        failure = retryable_failure(kind, words)
        self._tell(Outcome(task, failure, printed=child.printed, took_ms=child.doing_ms))

    def _answered(self, child: ChildProcess, task: Task, micros: int, flags: int, document: bytes) -> None:
        child.has_worked = True
        printed = NOTHING
        if flags & PRINTED:
            document, _, said = document.partition(b"\n")
            printed = (said[LINES.size :], LINES.unpack_from(said)[0])
        if flags & LAST:
            child.retiring = True
            child.kill_at = child.kill_at or monotonic() + GRACE_SECONDS
        if flags & CLOSED:
            self.held.settle(task)
        elif flags & NOT_BEGUN:
            self._not_begun(task)
        elif task.stopped:
            if not flags & LAST:
                child.ended_before_it_was_told(task)
            self._stopped(task, printed, micros // 1000)
        else:
            self.pace.took(task.lease, micros)
            is_sensitive = bool(flags & SENSITIVE)
            self._tell(Outcome(task, document, sensitive=is_sensitive, printed=printed, took_ms=micros // 1000))

    def _tell(self, outcome: Outcome) -> None:
        task = outcome.task
        if outcome.document.startswith(FAILED) and task.reverses:
            task.lease.halted = True
        self.outcomes.add(outcome)

    def _stopped(self, task: Task, printed: Printed, took_ms: int) -> None:
        """A task that was told to stop has ended, whatever it says."""
        if task.stopped == "timeout":
            failure = retryable_failure("Timeout", "it took longer than its timeout")
            self._tell(Outcome(task, failure, printed=printed, took_ms=took_ms))
            return
        self.held.settle(task)
        if printed[0]:
            self.outcomes.add(Outcome(task, NO_DOCUMENT, stopped=True, printed=printed))

    def _not_begun(self, task: Task) -> None:
        """Do later what was not begun, give it back, or forget it.

        Where its lease may have run out it is given back too: if nobody was told of its loss it counts as never begun.
        """
        if task.withdrawn and not self.is_draining:
            self.held.settle(task)
        elif self.is_draining or task.lease.halted or monotonic_ns() >= task.lease.valid_until_ns:
            self.outcomes.add(Outcome(task, NO_DOCUMENT, released=True))
        elif self._ready and self._ready[0][0] is task.lease:
            again = self._ready[0][1]
            again.append(task)
            again.sort(key=lambda one: one.number)
        else:
            self._ready.appendleft((task.lease, [task]))

    def _hand_out(self) -> None:
        """Give each child so much that it need not wait, and no more: what it has no other one can do."""
        now_ns = monotonic_ns()
        able = [child for child in self._children.values() if self._is_able(child, now_ns)]
        for place, child in enumerate(sorted(able, key=lambda one: one.expected_us)):
            portions: list[Portion] = []
            share = -(-len(self._ready) // (len(able) - place))
            room = self.pace.room(child)
            while self._ready and len(portions) < share and (room > 0 or not (portions or child.tasks)):
                lease, tasks = self._ready[0]
                if not child.has_room(tasks):
                    break
                self._ready.popleft()
                left = self._still_to_do(lease, tasks, now_ns)
                if left:
                    room -= self.pace.expect(lease, left)
                    portions.append((lease, left))
            if portions:
                child.hand(portions, self.held.steps)

    def _is_able(self, child: ChildProcess, now_ns: int) -> bool:
        """Return whether a child should have more to do."""
        return not child.retiring and self.pace.wants(child) and child.running_ns(now_ns) < _SLOW_NS

    def _give_back_late(self, now_ns: int) -> None:
        """Give back chunks of which nothing was begun, where no child has come to the next one for long."""
        if not self._ready or self._settings.once or now_ns - self._ready[0][0].taken_ns < _HELD_NS:
            return
        if any(self._is_able(child, now_ns) for child in self._children.values()):
            return
        begun = deque((lease, tasks) for lease, tasks in self._ready if len(tasks) < len(lease.tasks))
        late = [task for lease, tasks in self._ready if len(tasks) == len(lease.tasks) for task in tasks]
        self._ready = begun
        for task in late:
            if task.withdrawn:
                self.held.settle(task)
            else:
                self.outcomes.add(Outcome(task, NO_DOCUMENT, released=True))

    def _still_to_do(self, lease: Lease, tasks: list[Task], now_ns: int) -> list[Task]:
        left = [task for task in tasks if not task.withdrawn and now_ns < lease.valid_until_ns]
        if len(left) < len(tasks):
            for task in tasks:
                if task not in left:
                    self._not_begun(task)
        return left

    def _release_ready(self) -> None:
        while self._ready:
            for task in self._ready.popleft()[1]:
                self._not_begun(task)


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
