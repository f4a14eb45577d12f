"""The steps of a reactor as the reference model sees them, read from what is written, and how each stands.

In: the steps of a spec (plain dicts). Out: `Node`s that `reference` moves. Never here: anything of `reactor_operator`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Node:
    """A step, or a body that a switch may choose, and how it stands. `inside` are the steps of a scope.

    `due` is when it may be attempted again, on a clock that only waiting moves. A scope that `is_kept` is entered where
    it was left.
    """

    path: str
    written: Mapping[str, Any]
    kind: str
    needs: tuple[str, ...] = ()
    inside: list["Node"] = field(default_factory=list)
    around: "Node | None" = None
    is_final: bool = False
    is_kept: bool = False
    phase: str = "Pending"
    round: int = 1
    attempt: int = 0
    due: int = 0
    begun: int = 0
    completed: int = 0
    cleanups: dict[str, int] = field(default_factory=dict)
    acted: bool = False
    uncertain: bool = False

    @property
    def contains_failures(self) -> bool:
        """Whether a failure inside stays inside at first (rule 6; an optional step is worth nothing without it)."""
        return self.kind == "compose" and any(key in self.written for key in ("retries", "compensate", "onError"))

    @property
    def may_need_cleanup(self) -> bool:
        """Whether it may have begun without succeeding."""
        return self.phase in {"Failed", "Cancelled"} or (self.phase == "Skipped" and self.uncertain)

    @property
    def can_be_undone(self) -> bool:
        """Whether it is in the undo log."""
        return self.phase == "Succeeded" and "undo" in self.written and self.kind == "run"

    def attempts_of(self, action: str) -> int:
        """How often the step, or what reverses it, may be attempted."""
        policy = self.written if action == "run" else self.written[action]
        return int(policy.get("retries", {}).get("maxAttempts", 1))

    def has_acted(self) -> None:
        """Remember that it may have changed the world, and so may what it is inside of."""
        self.acted = True
        if self.around is not None:
            self.around.has_acted()

    def all_around(self) -> "Iterator[Node]":
        """Every scope around, innermost first."""
        if self.around is not None:
            yield self.around
            yield from self.around.all_around()

    def all_inside(self) -> "Iterator[Node]":
        """Every step inside, however deep."""
        for node in self.inside:
            yield node
            yield from node.all_inside()


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


def is_startable(node: Node, scope: Node) -> bool:
    """Whether a step may start for the first time (rule 1)."""
    done = {other.path for other in scope.inside if other.phase in {"Succeeded", "Skipped", "Ignored"}}
    return node.phase == "Pending" and done.issuperset(node.needs)


def skip(node: Node) -> None:
    """Skip a step, and all inside it that is not done."""
    node.phase = "Skipped"
    for inside in node.all_inside():
        if inside.phase == "Pending":
            inside.phase = "Skipped"


def keep(scope: Node) -> None:
    """Begin a new round of a scope that keeps what stands inside."""
    renew(scope)
    scope.is_kept = True
    scope.acted = any(node.acted for node in scope.all_inside())


def renew(node: Node) -> None:
    """Begin a new round, of which nothing is known yet; a step that was never reached has its first one before it."""
    if node.phase == "Pending" and node.round == 1:
        return
    node.phase, node.round, node.attempt, node.begun, node.completed = "Pending", node.round + 1, 0, 0, 0
    node.cleanups = {}
    node.acted = node.uncertain = node.is_kept = False
