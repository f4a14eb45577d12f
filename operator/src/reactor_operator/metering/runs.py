"""The series of what runs do: read off each commit once it is applied, at this one place.

In: runs before and after a commit, tasks that were launched. Out: Prometheus series, by reactor. Never here: anything
told before its commit, so that one that is refused and decided anew counts once; names of runs, steps, people; values.

Counters count what this process committed. One that takes over begins at zero, and counts nothing that was committed
before.
"""

import time
from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

from reactor_operator.engine.actions import StartTask
from reactor_operator.engine.plan import Plan, StepKind
from reactor_operator.engine.signals import GO_ON, TABLE
from reactor_operator.engine.state import Header, MapState, RollbackState, RunPhase, Stage
from reactor_operator.metering.reactors import OTHER, Labels, ReactorLabels
from reactor_operator.metering.steps import Launches, has_begun, has_ended, outcome_of
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.records import Decided, KnownRun
from reactor_operator.store.port import Commit

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_STEPS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0)
_RUNS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0)
_REACTOR = ("namespace", "reactor")
_ACTIONS = frozenset(TABLE[RunPhase.PENDING]) - {GO_ON}
"""What may be asked of a run. A request that cannot be read may name anything: it is `other`."""
_NO_MAP = MapState()


class RunMetrics:
    """The series, registered once per process. Implements `reconciling.meter.Meter`.

    told_at: when (`time.perf_counter`) the operator was told that a run under way had changed, None where it was not.
    """

    def __init__(self, registry: CollectorRegistry, reactors: ReactorLabels) -> None:
        self.told_at: Callable[[RunRef], float | None] = lambda _: None
        self._reactors = reactors
        self._launches = Launches()
        self._met: set[Labels] = set()

        def counter(name: str, words: str, *labels: str) -> Callable[..., Counter]:
            return cache(Counter(f"reactor_{name}", words, (*_REACTOR, *labels), registry=registry).labels)

        def histogram(name: str, words: str, buckets: tuple[float, ...], *labels: str) -> Callable[..., Histogram]:
            made = Histogram(f"reactor_{name}", words, (*_REACTOR, *labels), buckets=buckets, registry=registry)
            return cache(made.labels)

        self._started = counter("runs_started", "Runs that were stored for the first time.")
        self._run_seconds = histogram(
            "run_seconds", "From the first commit of a run to its end, by the phase it ended in.", _RUNS, "phase"
        )
        self._rollbacks = counter("rollbacks", "Runs that ended after a rollback, by what became of it.", "result")
        self._step_seconds = histogram(
            "step_seconds", "From the first launch of a step to its end; without steps in elements.", _STEPS, "outcome"
        )
        self._start_seconds = histogram(
            "step_start_seconds", "From the first launch of a step until its task began to act.", _STEPS
        )
        self._tasks = counter("tasks_launched", "Tasks that commits launched, by what they do.", "action")
        self._retries = counter(
            "task_retries", "Launched tasks that repeat another one, by why: it failed, or was lost.", "reason"
        )
        self._elements = counter("map_elements", "Elements of maps that ended, by how.", "outcome")
        self._reversals = counter(
            "reversals", "Steps and elements that were to be reversed, by whether they were.", "result"
        )
        self._signals = counter("signals", "Requests to runs, by what they ask for and the answer.", "action", "answer")
        self._notifications = counter(
            "notifications", "Events for notifications that were delivered, or given up.", "result"
        )
        latency = Histogram(
            "reactor_operator_latency_seconds",
            "From when the operator was told that a run changed until what follows: the commit that takes in an "
            "outcome, or the launch of a task.",
            ("stage",),
            buckets=_LATENCY,
            registry=registry,
        )
        self._until_commit, self._until_launch = latency.labels("commit"), latency.labels("launch")

    def committed(self, before: KnownRun, decided: Decided, after: KnownRun, commit: Commit) -> None:
        """Count what a commit brought."""
        labels = self._reactors.of(after)
        if labels not in self._met:
            self._meet(labels)
        header = decided.state.header
        was = before.state.header if before.revision else None
        if was is None:
            self._first(labels, header)
        elif header is not was:
            self._header(labels, was, header, before.plan)
        if decided.actions:
            self._launched(labels, decided, commit)
            self._launches.note(before, decided)
        if decided.touched:
            self._moved(labels, before, decided)
        if header.stage is Stage.OVER:
            if was is None or was.stage is not Stage.OVER:
                self._ended(labels, header)
            self._launches.forget(commit.run)
        if commit.closes and commit.inbox_position:
            self._since_told(after.definition.run, self._until_commit)

    def launched(self, run: RunRef) -> None:
        """Count how long after the news a task was launched."""
        self._since_told(run, self._until_launch)

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a run."""
        self._launches.forget(uid)

    def _meet(self, labels: Labels) -> None:
        """Begin at zero what is to alarm somebody: what begins at one has not increased for who looks seldom."""
        self._met.add(labels)
        for counter, word in (
            (self._reversals, "failed"),
            (self._rollbacks, RollbackState.INCOMPLETE.value),
            (self._notifications, "dead"),
        ):
            counter(*labels, word)

    def _since_told(self, run: RunRef, latency: Histogram) -> None:
        told = self.told_at(run)
        if told is not None:
            latency.observe(time.perf_counter() - told)

    def _first(self, labels: Labels, header: Header) -> None:
        """Count a run. One that is stored anew because its state was lost has been counted."""
        if header.stage is not Stage.RECOVERING:
            self._started(*labels).inc()
        self._answers(labels, (), header)

    def _header(self, labels: Labels, was: Header, now: Header, plan: Plan) -> None:
        if now.signals is not was.signals:
            self._answers(labels, was.signals, now)
        if now.notices is not was.notices:
            self._count(self._notifications, labels, "delivered", now.notices.delivered - was.notices.delivered)
            self._count(self._notifications, labels, "dead", now.notices.dead - was.notices.dead)
        if now.undone is not was.undone:
            self._count(self._reversals, labels, "reversed", len(now.undone) - len(was.undone))
        if now.rollback_failures is not was.rollback_failures:
            fresh = [failure.step for failure in now.rollback_failures if failure not in was.rollback_failures]
            self._count(self._reversals, labels, "failed", sum(not _is_map(plan, path) for path in fresh))

    def _answers(self, labels: Labels, known: tuple[object, ...], header: Header) -> None:
        for answer in header.signals:
            if answer not in known:
                action = answer.action if answer.action in _ACTIONS else OTHER
                self._signals(*labels, action, "accepted" if answer.accepted else "refused").inc()

    def _ended(self, labels: Labels, header: Header) -> None:
        """Count an end. What a run took from another one, that one has counted."""
        ended = header.finished_at if header.finished_at is not None else header.now
        self._run_seconds(*labels, header.phase.value).observe(max(0, ended - header.started_at) / 1000)
        if header.taken is None and header.rollback in (RollbackState.COMPLETE, RollbackState.INCOMPLETE):
            self._rollbacks(*labels, header.rollback.value).inc()

    def _launched(self, labels: Labels, decided: Decided, commit: Commit) -> None:
        """Count tasks. One that the same commit closes is not launched."""
        tasks: dict[str, int] = {}
        retries: dict[str, int] = {}
        for action in decided.actions:
            if not isinstance(action, StartTask) or (commit.closes and action.task.key in commit.closes):
                continue
            task = action.task
            tasks[task.action.value] = tasks.get(task.action.value, 0) + 1
            if task.launch > 1 or task.attempt > 1:
                reason = "lost" if task.launch > 1 else "failed"
                retries[reason] = retries.get(reason, 0) + 1
        for action_, number in tasks.items():
            self._tasks(*labels, action_).inc(number)
        for reason, number in retries.items():
            self._retries(*labels, reason).inc(number)

    def _moved(self, labels: Labels, before: KnownRun, decided: Decided) -> None:
        launches, at = self._launches.of(before.definition.run.uid), decided.state.header.now
        for path in decided.touched:
            was, now = before.state.step(path), decided.state.step(path)
            if now.map is not None:
                if now.map is not was.map:
                    self._map(labels, (was.map if was.round == now.round else None) or _NO_MAP, now.map)
            elif before.plan.steps[path].kind is StepKind.TASK:
                launched = launches.get(path)
                if has_begun(was, now) and launched is not None and now.started_at is not None:
                    self._start_seconds(*labels).observe(max(0, now.started_at - launched) / 1000)
                if has_ended(was, now):
                    launches.pop(path, None)
                    since = launched if launched is not None else now.started_at  # as another process launched it
                    if since is not None:
                        self._step_seconds(*labels, outcome_of(now)).observe(max(0, at - since) / 1000)

    def _map(self, labels: Labels, was: MapState, now: MapState) -> None:
        self._count(self._elements, labels, "Succeeded", now.succeeded - was.succeeded)
        self._count(self._elements, labels, "Skipped", now.skipped - was.skipped)
        self._count(self._elements, labels, "Failed", now.failed - was.failed)
        self._count(self._reversals, labels, "reversed", now.undone - was.undone)
        self._count(self._reversals, labels, "failed", now.unreversed - was.unreversed)

    @staticmethod
    def _count(counter: Callable[..., Counter], labels: Labels, word: str, number: int) -> None:
        """Count by how much a number grew. What is taken up again makes it smaller, and takes nothing back here."""
        if number > 0:
            counter(*labels, word).inc(number)


def _is_map(plan: Plan, path: str) -> bool:
    """Tell whether a step is a map: of its elements that could not be reversed it lists a few, and counts them all."""
    step = plan.steps.get(path)
    return step is not None and step.kind is StepKind.MAP
