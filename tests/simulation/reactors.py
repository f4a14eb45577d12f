"""Random reactors as users write them, for the simulation: small graphs with every policy that needs no clock."""

from random import Random


def random_reactor(random: Random, *, chain: bool) -> dict[str, object]:
    """Return the spec of a reactor. A chain has one order of completion whatever happens to its pods."""
    count = random.randint(1, 5)
    steps = [random_step(random, number, chain=chain) for number in range(count)]
    return {
        "parallelism": random.randint(1, 3),
        "onFailure": random.choice(["drain", "terminate"]),
        "infrastructureRetries": 1000,
        "rollback": {"retries": {"maxAttempts": 2, "baseDelay": "10ms"}},
        "steps": steps,
    }


def random_step(random: Random, number: int, *, chain: bool) -> dict[str, object]:
    """Return one step that needs some of those before it."""
    step: dict[str, object] = {"name": f"s{number}", "run": action(random)}
    before = [f"s{n}" for n in range(number)]
    if chain:
        step["waitFor"] = before[-1:]
    elif before:
        step["waitFor"] = random.sample(before, random.randint(0, min(2, len(before))))
        if random.random() < 0.4:
            step["arguments"] = {"x": {"result": random.choice(before), "default": 1}}
    if random.random() < 0.5:
        step["compensate"] = action(random)
    if random.random() < 0.7:
        step["undo"] = action(random)
    if random.random() < 0.4:
        step["retries"] = {"maxAttempts": random.randint(2, 3), "baseDelay": "100ms"}
    if random.random() < 0.15:
        step["onError"] = {"action": "Continue", "value": 7}
    return step


def action(_: Random) -> dict[str, object]:
    """Return a Python action; the simulated cluster never looks inside."""
    return {"python": {"handler": "shop:work"}}
