"""Going back, as the reference model tells it: rules 3 to 5 and 7 of DESIGN 4, and what a step remembers of itself.

In: the `Node`s of a run and its script. Out: their phases, and lists of what was launched, reversed and not reversed.
Never here: what makes a run go back (`reference`), anything of `reactor_operator`.
"""

from collections.abc import Mapping
from typing import Any

from tests.property.words import NEVER, RETRYABLE, Interruption, Launch, Script
from tests.property.written import Node, lay_out


class Rollback:
    """What a run did, and how it is reversed."""

    def __init__(self, spec: Mapping[str, Any], script: Script, interruption: Interruption = NEVER) -> None:
        self.top = Node("", {}, "compose", inside=lay_out(spec["steps"]))
        self.finals = lay_out(spec.get("finally", ()))
        for node in self.finals:
            node.is_final = True
        self.script = {key: list(endings) for key, endings in script.items()}
        self.interruption = interruption
        self.asked = ""
        self.is_going_back = self.is_finishing = False
        self.answers: list[bool] = []
        self.launches: list[Launch] = []
        self.reversed: list[str] = []
        self.failures: list[tuple[str, str]] = []
        self.moments: list[int] = []
        self.numbers = self.clock = self.moves = 0
        self.phase = self.rollback = self.failed_step = ""

    def hear(self, signal: str) -> None:
        """Rule 9: a person asks while a task is in flight."""
        raise NotImplementedError

    # Back.

    def stop(self, scope: Node) -> None:
        """No retry starts any more, and scopes that are open will not end."""
        for node in scope.all_inside():
            if node.phase in {"Running", "Retrying"}:
                node.phase = "Cancelled"

    def roll_back(self, scope: Node) -> None:
        """Rules 3 to 5: what did not succeed, newest start first; then what did, newest completion first.

        A compose cleans up after itself once nothing inside it is left.
        """
        nodes = list(scope.all_inside())
        tried: set[tuple[str, str]] = set()
        while self.may_reverse():
            failed = [node for node in nodes if node.may_need_cleanup]
            done = [node for node in nodes if node.can_be_undone]
            order = sorted(failed, key=lambda node: -node.begun) + sorted(done, key=lambda node: -node.completed)
            left = [node for node in order if (node.path, node.phase) not in tried]
            free = [node for node in left if not any(node in other.all_around() for other in left)]
            if not free:
                return
            tried.add((free[0].path, free[0].phase))
            if free[0].can_be_undone:
                self.reverse(free[0], "undo")
            else:
                self.clean_up(free[0])

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
        for number in range(node.attempts_of(action)):
            if number > 0:
                self.wait()
                if self.asked == "cancel":
                    break
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

    def may_reverse(self) -> bool:
        """Whether anything more is reversed: not after a cancel; and an undo is about the whole run."""
        return self.asked != "cancel" and (self.is_going_back or not self.asked)

    # Small things.

    def wait(self) -> None:
        """Let the time between two attempts pass."""
        self.clock += 1

    def launch(self, node: Node, action: str, attempt: int) -> str:
        """Launch a task; return how it ends."""
        if action == "run":
            self.enter(node)
            node.attempt = attempt
        self.launched(node, action, attempt)
        number, signal = self.interruption
        if signal and len(self.launches) == number:
            self.hear(signal)
        return self.next_of(node.path, action, "ok")

    def launched(self, node: Node, action: str, attempt: int) -> None:
        """Take down a launch."""
        self.launches.append((node.path, action, node.round, attempt))
        self.moments.append(self.moves)

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

    def evaluation_of(self, node: Node, question: str, otherwise: str) -> str:
        """Read the line of the script for the round: what is evaluated twice comes to the same."""
        lines = self.script.get((node.path, question), [])
        return lines[node.round - 1] if node.round <= len(lines) else otherwise

    def next_of(self, path: str, action: str, otherwise: str) -> str:
        """Take the next line of the script: each task has an end of its own."""
        left = self.script.get((path, action))
        return left.pop(0) if left else otherwise
