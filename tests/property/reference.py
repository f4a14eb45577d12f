"""What a saga comes to, told by a small model that knows the rules of DESIGN 4 and nothing of the engine.

In: the spec of a reactor as it is written (plain dicts), and a script: how the tasks of each (path, action) end, one
after the other. Out: an `End`. Tasks run one at a time, in the order of the manifest where the graph leaves it open; in
a scope with scopes inside it does not: each step waits for the one before.
Never here: events, timers, anything of `reactor_operator`.

Endings of a script: `ok` (also where it says no more), `skip`, `halt`, `continue` (of a compensate), or a kind of
failure. `when` ends with `true`, `false` or `Expression`; `transform` with `ok` or `Expression`; `switch` with the body
that is chosen.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Script = Mapping[tuple[str, str], Sequence[str]]
Launch = tuple[str, str, int, int]
"""Path, action, round, attempt."""

RETRYABLE = frozenset({"Error", "Timeout"})
UNCERTAIN = frozenset({"Timeout", "InvalidResult"})
NEVER_STARTED = frozenset({"CannotStart", "Expression"})
NOT_KEPT = frozenset({"Failed", "Cancelled", "Undone", "Compensated"})
HALT = "halt"


@dataclass
class Node:
    """A step, or a body that a switch may choose, and how it stands. `inside` are the steps of a scope."""

    path: str
    written: Mapping[str, Any]
    kind: str
    needs: tuple[str, ...] = ()
    inside: list["Node"] = field(default_factory=list)
    around: "Node | None" = None
    is_final: bool = False
    phase: str = "Pending"
    round: int = 1
    attempt: int = 0
    begun: int = 0
    completed: int = 0
    cleanups: dict[str, int] = field(default_factory=dict)
    acted: bool = False
    uncertain: bool = False

    @property
    def contains_failures(self) -> bool:
        """Whether a failure inside stays inside at first (rule 6; an optional step is worth nothing without it)."""
        return self.kind == "compose" and any(key in self.written for key in ("retries", "compensate", "onError"))

    def attempts_of(self, action: str) -> int:
        """How often the step, or what reverses it, may be attempted."""
        policy = self.written if action == "run" else self.written[action]
        return int(policy.get("retries", {}).get("maxAttempts", 1))

    def has_acted(self) -> None:
        """Remember that it may have changed the world, and so may what it is inside of."""
        self.acted = True
        if self.around is not None:
            self.around.has_acted()

    def all_inside(self) -> "Iterator[Node]":
        """Every step inside, however deep."""
        for node in self.inside:
            yield node
            yield from node.all_inside()


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


def lay_out(steps: Sequence[Mapping[str, Any]], prefix: str = "") -> list[Node]:
    """Read the steps of a scope."""
    nodes = []
    for written in steps:
        kind = next(key for key in ("run", "transform", "compose", "switch") if key in written)
        node = Node(
            prefix + written["name"], written, kind, tuple(prefix + need for need in written.get("waitFor", ()))
        )
        if kind == "compose":
            node.inside = lay_out(written["compose"]["steps"], node.path + "/")
        elif kind == "switch":
            bodies = {str(number): body for number, body in enumerate(written["switch"]["cases"])}
            bodies["default"] = written["switch"]["default"]
            node.inside = [_body(node, name, body) for name, body in bodies.items()]
        for inside in node.inside:
            inside.around = node
        nodes.append(node)
    return nodes


def _body(switch: Node, name: str, body: Mapping[str, Any]) -> Node:
    """The policies of a switch are those of the body it chooses."""
    path = f"{switch.path}[{name}]"
    policies = {
        key: switch.written[key] for key in ("retries", "compensate", "undo", "onError") if key in switch.written
    }
    if "steps" in body:
        node = Node(path, policies, "compose", inside=lay_out(body["steps"], path + "/"))
        for inside in node.inside:
            inside.around = node
        return node
    return Node(path, policies, "run" if "run" in body else "transform")


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
        for _ in range(node.attempts_of(action)):
            node.cleanups[action] = node.cleanups.get(action, 0) + 1
            ending = self.launch(node, action, node.cleanups[action])
            if ending == "continue":
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


def is_startable(node: Node, scope: Node) -> bool:
    """Whether a step may start for the first time (rule 1)."""
    done = {other.path for other in scope.inside if other.phase in {"Succeeded", "Skipped", "Ignored"}}
    return node.phase == "Pending" and done.issuperset(node.needs)


def skip(node: Node) -> None:
    """Skip a step and all inside it."""
    for one in (node, *node.all_inside()):
        one.phase = "Skipped"


def renew(node: Node) -> None:
    """Begin a new round, of which nothing is known yet; a step that was never reached has its first one before it."""
    if node.phase == "Pending" and node.round == 1:
        return
    node.phase, node.round, node.attempt, node.begun, node.completed = "Pending", node.round + 1, 0, 0, 0
    node.cleanups = {}
    node.acted = node.uncertain = False
