"""Reactors that wait for people, for the simulation: a step of theirs, or one of each element, is an interrupt.

In: a seeded random and a reactor. Out: the same reactor, one of whose tasks or values waits for a payload instead.
"""

from random import Random

Step = dict[str, object]
SCHEMA: Step = {
    "type": "object",
    "required": ["approved"],
    "properties": {"approved": {"type": "boolean"}, "note": {"type": "string", "default": "none"}},
}
_OF_TASKS = ("run", "transform", "undo", "compensate", "retries", "arguments")


def with_interrupts(random: Random, spec: Step, *, comparable: bool) -> Step:
    """Return a reactor whose steps wait: one for sure, others now and then, also inside of composes and maps."""
    steps = spec["steps"]
    assert isinstance(steps, list)
    sure = random.randrange(len(steps))
    changed = [_changed(random, one, comparable=comparable, sure=place == sure) for place, one in enumerate(steps)]
    return spec | {"steps": changed}


def _changed(random: Random, step: Step, *, comparable: bool, sure: bool) -> Step:
    for kind in ("compose", "map"):
        body = step.get(kind)
        if isinstance(body, dict) and "steps" in body:
            return step | {kind: with_interrupts(random, body, comparable=comparable)} if sure else step
    if ("run" in step or "transform" in step) and (sure or random.random() < 0.15):
        kept = {name: said for name, said in step.items() if name not in _OF_TASKS}
        return kept | {"interrupt": random_interrupt(random, comparable=comparable)}
    return step


def random_interrupt(random: Random, *, comparable: bool) -> Step:
    """Return how a step waits. A comparable one takes anything, and for as long as it may be."""
    interrupt: Step = {}
    if random.random() < 0.75:
        interrupt["payloadSchema"] = SCHEMA
    if comparable:
        return interrupt
    if random.random() < 0.7:
        interrupt["timeout"] = random.choice(["2s", "20s", "20s", "5m"])
        interrupt["strategy"] = random.choice(["lazy", "active", "active"])
        if random.random() < 0.5:
            interrupt["onTimeout"] = {"action": "Continue", "value": {"approved": False}}
    if random.random() < 0.2:
        interrupt["mode"] = "strict"
    if random.random() < 0.4:
        interrupt["maxAttempts"] = random.randint(1, 3)
    return interrupt
