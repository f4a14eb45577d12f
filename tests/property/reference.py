"""What a saga comes to, told by a small model that knows the rules of DESIGN 4 and nothing of the engine.

In: the spec of a reactor as it is written (plain dicts), and a script: how the tasks of each (path, action) end, one
after the other. Out: an `End`. Tasks run one at a time, in the order of the manifest where the graph leaves it open; in
a scope with scopes inside it does not: each step waits for the one before.
Never here: events, timers, anything of `reactor_operator`.

Endings of a script: `ok` (also where it says no more), `skip`, `halt`, `continue` (of a compensate), or a kind of
failure. `when` ends with `true`, `false` or `Expression`; `transform` with `ok` or `Expression`; `switch` with the body
that is chosen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.property.written import Node, is_startable, lay_out, renew, skip

Script = Mapping[tuple[str, str], Sequence[str]]
Launch = tuple[str, str, int, int]
"""Path, action, round, attempt."""

RETRYABLE = frozenset({"Error", "Timeout"})
UNCERTAIN = frozenset({"Timeout", "InvalidResult"})
NEVER_STARTED = frozenset({"CannotStart", "Expression"})
NOT_KEPT = frozenset({"Failed", "Cancelled", "Undone", "Compensated"})
HALT = "halt"


class Unsaid(Exception):
    """How the run goes on is left open by the rules, or is not yet as they say."""


@dataclass(frozen=True)
class Broken:
    """A step has finally failed and its own cleanup is done: what is around it fails too."""

    path: str
    may_retry: bool


@dataclass(frozen=True)
class End:
    """How a run ends, as far as the rules say it."""

    phase: str
    steps: Mapping[str, str]
    launches: Sequence[Launch]
    reversed: Sequence[str]
    failures: Sequence[tuple[str, str]]
    rollback: str
    has_result: bool
    failed_step: str
    answers: Sequence[bool]


class Reference:
    """One run of a reactor by a script."""

    def __init__(self, spec: Mapping[str, Any], script: Script) -> None:
        self.top = Node("", {}, "compose", inside=lay_out(spec["steps"]))
        self.finals = lay_out(spec.get("finally", ()))
        for node in self.finals:
            node.is_final = True
        self.script = {key: list(endings) for key, endings in script.items()}
        self.launches: list[Launch] = []
        self.reversed: list[str] = []
        self.failures: list[tuple[str, str]] = []
        self.numbers = 0
        self.phase = self.rollback = self.failed_step = ""

    def end(self, *signals: str) -> End:
        """Run to the end, and to one more for each signal that is then given and accepted: rules 1 to 7, 9 to 11."""
        self.go()
        self.answers = [self.accepts(signal) for signal in signals]
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
        )

    def go(self) -> None:
        """Go forward, and back where that does not end well."""
        outcome = self.scope(self.top)
        self.stop(self.top)
        self.failed_step = outcome.path if isinstance(outcome, Broken) else ""
        if isinstance(outcome, Broken):
            self.roll_back(self.top)
        self.finish("Failed" if isinstance(outcome, Broken) else "Halted" if outcome == HALT else "Succeeded")

    def accepts(self, signal: str) -> bool:
        """Rule 9: do what a person asks for when the run has ended; tell whether it may be done."""
        return self.undo() if signal == "undo" else self.retry()

    def undo(self) -> bool:
        """Take everything back; what could not be reversed before is tried again."""
        if self.phase == "Failed" and self.rollback == "NotNeeded":
            raise Unsaid("of failed runs only one whose rollback is incomplete may be undone, and this one had none")
        if self.phase == "Undone" or self.rollback == "Complete":
            return False
        self.refuse_ignored(self.top)
        self.failures = []
        for node in self.top.all_inside():
            if node.phase == "RollbackFailed":
                node.phase = "Succeeded" if node.completed else "Failed"
        self.roll_back(self.top)
        self.finish("Failed" if self.failures else "Undone")
        return True

    def refuse_ignored(self, scope: Node) -> None:
        """Leave out runs that go on over an optional step that is ignored and listed as not reversed.

        Rules 4, 7, 9: it stays listed until an undo repeats what is missing, an uncertain one begins a new round with
        a retry, and nothing acts again on top of what may still stand.
        """
        listed = {path for path, _ in self.failures}
        if any(node.phase == "Ignored" and node.path in listed for node in scope.all_inside()):
            raise Unsaid("an optional step is ignored, and what it did may still stand")

    def retry(self) -> bool:
        """What failed or was reversed begins a new round, with what depends on it; the others keep their results."""
        nodes = list(self.top.all_inside())
        if self.phase != "Failed" or any(node.phase == "RollbackFailed" for node in nodes):
            return False
        self.refuse_ignored(self.top)
        self.failures = []
        self.reversed = []
        again: set[str] = set()
        for _ in nodes:
            again |= {node.path for node in nodes if node.phase in NOT_KEPT or again.intersection(node.needs)}
        for node in nodes:
            if node.path in again:
                renew(node)
        self.go()
        return True

    # Forward: each returns None where the run may go on.

    def scope(self, scope: Node) -> Broken | str | None:
        """Rules 1 and 2: start what may start, in order; a step that waits for its next attempt holds nobody."""
        due: set[str] = set()
        while True:
            able = [node for node in scope.inside if node.path in due or is_startable(node, scope)]
            if able:
                due.discard(able[0].path)
                outcome = self.step(able[0])
                if outcome is not None:
                    return outcome
                continue
            due = {node.path for node in scope.inside if node.phase == "Retrying"}
            if not due:
                return None

    def step(self, node: Node) -> Broken | str | None:
        """Start a step, or attempt it again."""
        if node.phase == "Pending" and "when" in node.written:
            proceed = self.next_of(node.path, "when", "true")
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
        if ending not in NEVER_STARTED:
            node.has_acted()
        if ending in {"ok", HALT}:
            self.succeed(node)
            return HALT if ending == HALT else None
        if ending == "skip":
            node.phase = "Skipped"
            return None
        node.uncertain |= ending in UNCERTAIN
        if ending in RETRYABLE and node.attempt < node.attempts_of("run"):
            node.phase = "Retrying"
            return None
        return self.fail(node, ending)

    def transform(self, node: Node) -> Broken | None:
        """A value: nothing is launched."""
        if self.next_of(node.path, "transform", "ok") == "ok":
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
        stands = any(inside.phase == "RollbackFailed" for inside in node.all_inside())
        if outcome.may_retry and node.attempt < node.attempts_of("run") and not stands:
            self.refuse_ignored(node)
            for inside in node.all_inside():
                renew(inside)
            node.attempt += 1
            return self.compose(node)
        if not node.acted and "compensate" in node.written:
            raise Unsaid("a compose has finally failed, and no task inside it began: is there anything to compensate?")
        return self.fail(node, "Error" if outcome.may_retry else "Fatal")

    def switch(self, node: Node) -> Broken | str | None:
        """One body runs, the others are skipped; the switch ends as its body does."""
        self.enter(node)
        chosen = f"{node.path}[{self.next_of(node.path, 'switch', 'default')}]"
        body = next(body for body in node.inside if body.path == chosen)
        for other in node.inside:
            if other is not body:
                skip(other)
        outcome = self.step(body)
        while outcome is None and body.phase == "Retrying":
            outcome = self.step(body)
        if outcome is None:
            node.phase = body.phase
            self.numbers += 1
            node.completed = self.numbers
        elif isinstance(outcome, Broken):
            node.phase = "Failed"
        return outcome

    def fail(self, node: Node, kind: str) -> Broken | None:
        """Rule 3: a step that has finally failed cleans up after itself; the run may go on all the same."""
        node.phase = "Failed"
        if node.is_final:
            return None
        self.clean_up(node)
        if node.phase == "Succeeded":
            return None
        if "onError" in node.written:
            node.phase = "Ignored"
            return None
        return Broken(node.path, kind in RETRYABLE)

    # Back.

    def stop(self, scope: Node) -> None:
        """No retry starts any more, and scopes that are open will not end."""
        for node in scope.all_inside():
            if node.phase in {"Running", "Retrying"}:
                node.phase = "Cancelled"

    def roll_back(self, scope: Node) -> None:
        """Rules 3 to 5: what did not succeed, newest start first; then what did, newest completion first."""
        nodes = list(scope.all_inside())
        for node in sorted(nodes, key=lambda node: -node.begun):
            if node.phase in {"Failed", "Cancelled"} or (node.phase == "Skipped" and node.uncertain):
                self.clean_up(node)
        for node in sorted(nodes, key=lambda node: -node.completed):
            if node.phase == "Succeeded" and "undo" in node.written and node.kind == "run":
                self.reverse(node, "undo")

    def clean_up(self, node: Node) -> None:
        """Rules 3 and 4, for one step: its compensate; else, where it is uncertain, its undo; else it is listed."""
        if node.acted and "compensate" in node.written and node.kind != "switch":
            self.reverse(node, "compensate")
        elif node.uncertain and "undo" in node.written:
            self.reverse(node, "undo")
        elif node.uncertain:
            node.phase = "RollbackFailed"
            self.failures.append((node.path, "Uncertain"))

    def reverse(self, node: Node, action: str) -> None:
        """Rule 7: attempt it by its policy; what fails for good is listed, and the rollback goes on."""
        is_repeated = action in node.cleanups
        for _ in range(node.attempts_of(action)):
            node.cleanups[action] = node.cleanups.get(action, 0) + 1
            ending = self.launch(node, action, node.cleanups[action])
            if ending == "continue":
                if is_repeated and "undo" in node.written:
                    raise Unsaid(
                        "attempts count from 1 for each action, but not of this undo after a repeated compensate"
                    )
                return self.succeed(node)
            if ending == "ok":
                node.phase = "Compensated" if action == "compensate" else "Undone"
                return self.reversed.append(node.path)
            if ending not in RETRYABLE:
                break
        node.phase = "RollbackFailed"
        return self.failures.append((node.path, ending))

    def finish(self, phase: str) -> None:
        """Rule 10: `finally` steps run at every end, with a round of their own; their failure changes nothing."""
        went_back = phase in {"Failed", "Undone"} and bool(self.reversed)
        self.rollback = "Incomplete" if self.failures else "Complete" if went_back else "NotNeeded"
        around = Node("", {}, "compose", inside=self.finals)
        if self.phase:
            for node in self.finals:
                renew(node)
        while self.scope(around) is not None:
            pass
        self.phase = phase

    # Small things.

    def launch(self, node: Node, action: str, attempt: int) -> str:
        """Launch a task; return how it ends."""
        if action == "run":
            self.enter(node)
            node.attempt = attempt
        self.launches.append((node.path, action, node.round, attempt))
        return self.next_of(node.path, action, "ok")

    def enter(self, node: Node) -> None:
        """Number the first start."""
        node.phase = "Running"
        node.attempt = max(node.attempt, 1)
        if not node.begun:
            self.numbers += 1
            node.begun = self.numbers

    def succeed(self, node: Node) -> None:
        """Number the success; it clears what was uncertain."""
        self.numbers += 1
        node.phase, node.completed, node.uncertain = "Succeeded", self.numbers, False

    def next_of(self, path: str, action: str, otherwise: str) -> str:
        """Take the next line of the script."""
        left = self.script.get((path, action))
        return left.pop(0) if left else otherwise
