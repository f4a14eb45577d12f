"""Folds seeded random runs and prints, for each, a digest of all that the engine answered, in order.

In: how many, as the argument. Out: one line for each run. Run as `python -m tests.unit.engine.fold_worlds 60`.
"""

import hashlib
import sys
from random import Random

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Evaluation
from reactor_operator.engine.draft import Decision
from reactor_operator.engine.plan import ActionPlan, OnFailure, Plan, RetryPolicy, StepKind
from reactor_operator.engine.state import RunState
from reactor_operator.store.codec import encode_action, encode_header, encode_step
from tests.property.world import World
from tests.unit.engine.driver import Written, compose, plan_of, step, switch


class RecordedWorld(World):
    """A world that digests every decision as the store would write it."""

    def __init__(self, plan: Plan, random: Random) -> None:
        super().__init__(plan, random)
        self.digest = hashlib.sha256()

    def perform(self, events: tuple[ev.Event, ...], before: RunState, decision: Decision) -> None:
        self.digest.update(bytes_of(decision))
        super().perform(events, before, decision)


def bytes_of(decision: Decision) -> bytes:
    """Everything a decision says, in the order in which it says it."""
    state = decision.state
    parts = [encode_header(state.header)]
    parts += [f"{path} ".encode() + encode_step(one) for path, one in state.steps.items()]
    for action in decision.actions:
        asked = isinstance(action, Evaluation)
        parts.append(repr(action).encode() if asked else encode_action(action))  # type: ignore[arg-type]
    rest = (
        state.ready,
        state.active,
        tuple(state.due.items()),
        sorted(state.remaining.items()),
        state.revert,
        decision.wake_at,
    )
    return b"\n".join([*parts, repr(rest).encode()])


def random_plan(random: Random) -> Plan:
    """A dozen steps with long names, so that sets of them are ordered differently under another hash seed."""
    return plan_of(
        *random_steps(random, 12, depth=0),
        parallelism=random.randint(1, 8),
        on_failure=random.choice(list(OnFailure)),
        infrastructure_retries=random.randint(0, 2),
        timeout_ms=random.choice([None, 3_000]),
    )


def random_steps(random: Random, count: int, depth: int) -> list[Written]:
    """Steps of one scope."""
    names = [f"step-{number}-{random.randrange(10**6)}" for number in range(count)]
    return [random_step(random, name, names[:number], depth) for number, name in enumerate(names)]


def random_step(random: Random, name: str, before: list[str], depth: int) -> Written:
    """A step that needs a few of those before it: mostly a task, sometimes one with steps inside."""
    needs = random.sample(before, min(len(before), random.randint(0, 2)))
    dice = random.random()
    if dice < 0.1:
        return step(name, needs, kind=StepKind.TRANSFORM)
    if dice < 0.2 and depth < 2:
        bodies = (f"[{number}]" for number in range(random.randint(1, 3)))
        return switch(name, *(random_step(random, body, [], depth + 1) for body in bodies), needs=needs)
    policies: dict[str, object] = {"compensate": random.choice([None, random_action(random)])}
    if random.random() < 0.2:
        policies["continues_on_error"] = True
    if dice < 0.4 and depth < 2:
        policies |= {"run": random_action(random)} if random.random() < 0.5 else {}
        contained = {name: policy for name, policy in policies.items() if policy is not None}
        return compose(name, *random_steps(random, random.randint(1, 3), depth + 1), needs=needs, **contained)
    return step(name, needs, run=random_action(random), undo=random.choice([None, random_action(random)]), **policies)


def random_action(random: Random) -> ActionPlan:
    """Policies of one action."""
    retries = RetryPolicy(max_attempts=random.randint(1, 3), base_delay_ms=random.choice([0, 100, 1000]))
    return ActionPlan(retries=retries, timeout_ms=random.choice([None, 500]), checks_in=random.random() < 0.7)


def main(count: int) -> None:
    """Print one digest for each seed."""
    for seed in range(count):
        random = Random(seed)
        world = RecordedWorld(random_plan(random), random)
        world.run()
        sys.stdout.write(world.digest.hexdigest() + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
