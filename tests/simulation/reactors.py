"""Random reactors as users write them, for the simulation: small graphs with every policy.

In: a seeded random, and whether runs must end the same whatever happens to their pods. Out: specs.
"""

from random import Random

UNSOUND = {"steps": [{"name": "a", "run": {"python": {"handler": "m:f"}}, "waitFor": ["a"]}]}
"""Waits for itself: it must fail, and stop nobody else."""


def random_reactor(random: Random, *, comparable: bool) -> dict[str, object]:
    """Return the spec of a reactor. A comparable one has one order of completion, and no clock decides its end."""
    count = random.randint(1, 5)
    spec: dict[str, object] = {
        "parallelism": random.randint(1, 3),
        "onFailure": random.choice(["drain", "terminate"]),
        "infrastructureRetries": 1000,
        "rollback": {"retries": {"maxAttempts": 2, "baseDelay": "10ms"}},
        "steps": random_steps(random, count, "s", comparable=comparable),
    }
    if random.random() < 0.4:
        spec["maxActiveRuns"] = random.randint(1, 2)
    if random.random() < 0.25:
        spec["finally"] = [random_final(random, f"end{number}") for number in range(random.randint(1, 2))]
    if not comparable:
        spec["infrastructureRetries"] = random.choice([0, 1, 5, 1000])
        if random.random() < 0.5:
            spec["defaults"] = {"timeout": random.choice(["5s", "10m"])}
        if random.random() < 0.25:
            spec["timeout"] = random.choice(["3s", "5m", "1h"])
        if random.random() < 0.25:
            deadline = random.choice(["2s", "1m"])
            spec["rollback"] = {"deadline": deadline, "retries": {"maxAttempts": 3, "baseDelay": "900ms"}}
    return spec


def random_final(random: Random, name: str) -> dict[str, object]:
    """Return a step that runs at every end, and knows how that is."""
    step: dict[str, object] = {
        "name": name,
        "arguments": {"phase": {"expr": "run.phase"}},
        "run": random_action(random),
    }
    if name != "end0":
        step["waitFor"] = ["end0"]
    if random.random() < 0.4:
        step["retries"] = {"maxAttempts": 2, "baseDelay": "100ms"}
    return step


def random_steps(random: Random, count: int, prefix: str, *, comparable: bool) -> list[dict[str, object]]:
    """Return the steps of one scope; names inside another begin with the name that this is inside of."""
    names = [f"{prefix}{number}" for number in range(count)]
    return [random_step(random, name, names[:number], comparable=comparable) for number, name in enumerate(names)]


def random_step(random: Random, name: str, before: list[str], *, comparable: bool) -> dict[str, object]:
    """Return one step that needs some of those before it: a task, a value, or one with steps inside."""
    step: dict[str, object] = {"name": name}
    if comparable:
        step["waitFor"] = before[-1:]
    elif before:
        step["waitFor"] = random.sample(before, random.randint(0, min(2, len(before))))
    dice = random.random()
    if dice < 0.05:
        return step | {"transform": {"value": 7}}
    may_nest = name.count("x") < 2
    if dice < 0.12 and may_nest:
        cases = [{"when": random.choice(["true", "false"]), **random_body(random, name, comparable=comparable)}]
        return step | {"switch": {"cases": cases, "default": random_body(random, name, comparable=comparable)}}
    if random.random() < 0.15:
        step["onError"] = {"action": "Continue", "value": 7}
    if random.random() < 0.5:
        step["compensate"] = random_action(random)
    if random.random() < 0.4:
        step["retries"] = {"maxAttempts": random.randint(2, 3), "baseDelay": "100ms"}
    if dice < 0.25 and may_nest:
        inside = random_steps(random, random.randint(1, 3), f"{name}x", comparable=comparable)
        return step | {"compose": {"steps": inside}}
    step["run"] = random_action(random)
    if not comparable and before and random.random() < 0.4:
        step["arguments"] = {"x": {"result": random.choice(before), "default": 1}}
    if random.random() < 0.7:
        step["undo"] = random_action(random)
    return step


def random_body(random: Random, name: str, *, comparable: bool) -> dict[str, object]:
    """Return a body of a switch."""
    if random.random() < 0.4:
        return {"run": random_action(random)}
    return {"steps": random_steps(random, random.randint(1, 2), f"{name}x", comparable=comparable)}


def random_action(random: Random) -> dict[str, object]:
    """Return a Python action, a container or a request; the simulated cluster never looks inside."""
    if random.random() < 0.3:
        return {"container": {"image": "shop:1", "command": ["/work"]}}
    if random.random() < 0.3:
        return {"http": {"method": "POST", "url": {"value": "http://shop/"}, "body": {"value": {"sold": 1}}}}
    return {"python": {"handler": "shop:work"}}
