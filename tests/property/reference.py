"""What a saga comes to, told by a small model that knows the rules of DESIGN 4 and nothing of the engine.

In: the spec of a reactor as it is written (plain dicts), and a script: how the tasks of each (path, action) end, one
after the other. Out: an `End`. Tasks run one at a time, in the order of the manifest where the graph leaves it open; in
a scope with scopes inside it does not: each step waits for the one before. All waits between attempts are equally long,
and nothing else takes time.
Never here: events, timers, anything of `reactor_operator`.
"""

from tests.property.rollback import Rollback
from tests.property.words import HALT, NEVER_STARTED, NOT_KEPT, RETRYABLE, STOP, UNCERTAIN, Broken, End
from tests.property.written import Node, is_startable, keep, renew, skip


class Reference(Rollback):
    """One run of a reactor by a script."""

    def end(self, *signals: str) -> End:
        """Run to the end, and to one more for each signal that is then given and accepted: rules 1 to 7, 9 to 11."""
        self.go()
        for signal in signals:
            self.obey(signal)
        return End(
            phase=self.phase,
            steps={node.path: node.phase for node in [*self.top.all_inside(), *self.finals]},
            launches=self.launches,
            reversed=self.reversed,
            failures=self.failures,
            rollback=self.rollback,
            has_result=self.phase == "Succeeded",
            failed_step=self.failed_step,
            answers=self.answers,
            moments=[*self.moments, self.moves],
        )

    def go(self) -> None:
        """Go forward, and back where that does not end well."""
        self.asked, self.is_going_back = "", False
        outcome = self.scope(self.top)
        self.failed_step = outcome.path if isinstance(outcome, Broken) else ""
        self.is_going_back |= isinstance(outcome, Broken)
        self.stop(self.top)
        if self.asked == "cancel":
            self.finish("Cancelled")
        elif self.asked == "undo" or isinstance(outcome, Broken):
            self.go_back("Undone" if self.asked else "Failed")
        else:
            self.finish("Halted" if outcome == HALT else "Succeeded")

    def go_back(self, phase: str) -> None:
        """Reverse everything, unless a cancel ends that."""
        self.asked, self.is_going_back = "", True
        self.roll_back(self.top)
        self.finish("Cancelled" if self.asked else "Failed" if self.failures else phase)

    def hear(self, signal: str) -> None:
        """Rule 9: a person asks while a task is in flight, which is waited for; not that of a `finally` step."""
        accepted = signal == "cancel" or not (self.is_finishing or self.is_going_back)
        self.answers.append(accepted)
        if accepted:
            self.asked = signal
        if accepted and signal == "undo":
            self.reopen()

    def obey(self, signal: str) -> None:
        """Rule 9: do what a person asks for when the run has ended, if it may be done."""
        word, _, path = signal.partition(" ")
        again = self.again()
        given = [node for node in self.top.all_inside() if word == "skip" and node.path == path]
        if word == "undo":
            accepted = self.phase != "Undone" and not (self.phase == "Failed" and self.rollback != "Incomplete")
        else:
            accepted = self.phase == "Failed" and not again & self.listed()
        if word == "skip":
            accepted = accepted and any(node.path in again and node.phase in NOT_KEPT for node in given)
        self.answers.append(accepted)
        if accepted and word == "undo":
            self.reopen()
            self.go_back("Undone")
        elif accepted:
            self.retry(again, given)

    def reopen(self) -> None:
        """What could not be reversed before is tried again."""
        listed = self.listed()
        self.failures = []
        for node in self.top.all_inside():
            if node.phase == "RollbackFailed" or (node.phase == "Ignored" and node.path in listed):
                node.phase = "Succeeded" if node.completed else "Failed"

    def listed(self) -> set[str]:
        """Name the steps of which something may still stand (rules 4 and 7)."""
        return {path for path, _ in self.failures}

    def retry(self, again: set[str], given: list[Node]) -> None:
        """What failed or was reversed begins a new round, with what depends on it; the others keep their results.

        A step that is given a value is not run: it is done, with all inside it that is not.
        """
        self.failures = [listed for listed in self.failures if listed[0] not in again]
        self.reversed = []
        self.renew_inside(self.top, again)
        for node in given:
            skip(node)
        self.go()

    def again(self) -> set[str]:
        """Name what begins a new round; not what is inside of what was optional, and is ignored as a whole."""
        again: set[str] = set()
        nodes = list(self.top.all_inside())
        for node in nodes:
            if node.phase in NOT_KEPT and not any(around.phase == "Ignored" for around in node.all_around()):
                again.add(node.path)
        for _ in nodes:
            for node in nodes:
                if again.intersection(node.needs):
                    again |= {node.path, *(inside.path for inside in node.all_inside())}
                if again.intersection(inside.path for inside in node.inside):
                    again.add(node.path)
        return again

    def renew_inside(self, scope: Node, again: set[str]) -> None:
        """Begin the new rounds; a scope that was entered, and waits for nothing new, keeps what stands inside."""
        for node in scope.inside:
            if node.path not in again:
                continue
            if node.inside and node.begun and not again.intersection(node.needs):
                self.renew_inside(node, again)
                keep(node)
            else:
                for one in (node, *node.all_inside()):
                    renew(one)

    # Forward: each returns None where the run may go on.

    def scope(self, scope: Node) -> Broken | str | None:
        """Rules 1 and 2: start what may start, in order; a step that waits for its next attempt holds nobody."""
        while True:
            waiting = [node for node in scope.inside if node.phase == "Retrying"]
            due = [node for node in waiting if node.due <= self.clock]
            able = [node for node in scope.inside if node in due or is_startable(node, scope)]
            if able:
                outcome = self.step(able[0])
                if outcome is not None:
                    return outcome
            elif waiting:
                self.clock = min(node.due for node in waiting)
            else:
                return None

    def step(self, node: Node) -> Broken | str | None:
        """Start a step, or attempt it again."""
        if node.phase == "Pending" and "when" in node.written and not node.is_kept:
            proceed = self.evaluation_of(node, "when", "true")
            if proceed == "false":
                skip(node)
                return None
            if proceed == "Expression":
                return self.fail(node, "Expression")
        by_kind = {"run": self.task, "transform": self.transform, "compose": self.compose, "switch": self.switch}
        return by_kind[node.kind](node)

    def task(self, node: Node) -> Broken | str | None:
        """One attempt (rules 2, 3, 11)."""
        ending = self.launch(node, "run", node.attempt + 1)
        if self.asked and node.is_final:
            return STOP
        if ending not in NEVER_STARTED:
            node.has_acted()
        if ending in {"ok", HALT}:
            self.succeed(node)
            return STOP if self.asked else HALT if ending == HALT else None
        if ending == "skip":
            node.phase = "Skipped"
            return STOP if self.asked else None
        node.uncertain |= ending in UNCERTAIN
        if not self.asked and ending in RETRYABLE and node.attempt < node.attempts_of("run"):
            node.phase, node.due = "Retrying", self.clock + 1
            return None
        return self.fail(node, ending)

    def transform(self, node: Node) -> Broken | str | None:
        """A value: nothing is launched."""
        if self.evaluation_of(node, "transform", "ok") == "ok":
            self.succeed(node)
            return None
        return self.fail(node, "Expression")

    def compose(self, node: Node) -> Broken | str | None:
        """Rule 6: what fails inside fails the run, unless the compose keeps it to itself."""
        self.enter(node)
        outcome = self.scope(node)
        if outcome is None:
            self.succeed(node)
            return None
        if isinstance(outcome, str):
            return outcome
        if not node.contains_failures:
            node.phase = "Failed"
            return outcome
        self.stop(node)
        self.roll_back(node)
        if self.asked:
            return STOP
        stands = self.listed().intersection(inside.path for inside in node.all_inside())
        if outcome.may_retry and node.attempt < node.attempts_of("run") and not stands:
            for inside in node.all_inside():
                renew(inside)
            node.attempt += 1
            self.clock += 1
            return self.compose(node)
        return self.fail(node, "Error" if outcome.may_retry else "Fatal")

    def switch(self, node: Node) -> Broken | str | None:
        """One body runs, the others are skipped; the switch ends as its body does."""
        self.enter(node)
        if node.is_kept:
            body = next((body for body in node.inside if body.phase != "Skipped"), node.inside[0])
        else:
            chosen = f"{node.path}[{self.evaluation_of(node, 'switch', 'default')}]"
            body = next(body for body in node.inside if body.path == chosen)
        for other in node.inside:
            if other is not body:
                skip(other)
        outcome = None if body.phase == "Skipped" else self.step(body)
        while outcome is None and body.phase == "Retrying":
            self.clock = max(self.clock, body.due)
            outcome = self.step(body)
        if outcome is None:
            node.phase = body.phase
            self.numbers += 1
            node.completed = self.numbers
        elif isinstance(outcome, Broken):
            node.phase = "Failed"
        return outcome

    def fail(self, node: Node, kind: str) -> Broken | str | None:
        """Rule 3: a step that has finally failed cleans up after itself; the run may go on all the same."""
        node.phase = "Failed"
        if node.is_final:
            return None
        if not self.asked:
            self.clean_up(node)
        if self.asked:
            return STOP
        if node.phase == "Succeeded":
            return None
        if "onError" in node.written:
            node.phase = "Ignored"
            return None
        return Broken(node.path, kind in RETRYABLE)

    def finish(self, phase: str) -> None:
        """Rule 10: `finally` steps run at every end, with a round of their own; their failure changes nothing."""
        cut_short = phase == "Cancelled" and self.is_going_back
        went_back = phase in {"Failed", "Undone"} and bool(self.reversed)
        self.rollback = "Incomplete" if self.failures or cut_short else "Complete" if went_back else "NotNeeded"
        self.asked, self.is_finishing = "", True
        around = Node("", {}, "compose", inside=self.finals)
        if self.phase:
            for node in self.finals:
                renew(node)
        while self.scope(around) is not None and not self.asked:
            pass
        self.stop(around)
        self.is_finishing = False
        self.phase = phase
