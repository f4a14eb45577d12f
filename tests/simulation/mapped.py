"""Reactors with maps for the simulation: small ones, over a collection or over pages, with every policy.

In: a seeded random and a reactor. Out: the same reactor, one of whose steps goes over elements.
"""

from random import Random

from reactor_operator.engine.identity import digest_of

PAGE_SIZE = 2
Step = dict[str, object]


def with_map(random: Random, spec: dict[str, object], *, comparable: bool) -> dict[str, object]:
    """Return a reactor whose first task, or a task in a compose, goes over elements. Others read its result."""
    steps = spec["steps"]
    assert isinstance(steps, list)
    place = next((place for place, step in enumerate(steps) if "run" in step), 0)
    around = next((place for place, step in enumerate(steps) if "compose" in step), None)
    if around is not None and random.random() < 0.5:
        inside = with_map(random, steps[around]["compose"], comparable=comparable)
        changed = steps[around] | {"compose": inside}
        return spec | {"steps": [*steps[:around], changed, *steps[around + 1 :]]}
    if not comparable and "parallelism" in spec:
        spec = spec | {"parallelism": random.randint(2, 5)}
    kept = {name: steps[place][name] for name in ("name", "waitFor") if name in steps[place]}
    mapped = kept | random_map(random, str(kept["name"]), comparable=comparable)
    return spec | {"steps": [*steps[:place], mapped, *steps[place + 1 :]]}


def random_map(random: Random, name: str, *, comparable: bool, nested: bool = False) -> Step:
    """Return what a step with a map says. Elements of a comparable one come one after the other."""
    mapped: Step = {"batchSize": 1 if comparable else random.randint(1, 4)}
    if random.random() < 0.65 or nested:
        mapped["source"] = {"value": list(range(random.randint(1, 2 if nested else 7)))}
    else:
        mapped["pages"] = {"run": random_action(random) | {"retries": _attempts(3)}, "pageSize": PAGE_SIZE}
    if random.random() < 0.25:
        mapped["strategy"] = "batch"
    if random.random() < 0.6:
        mapped["failFast"] = False
        percent = (
            {} if comparable and "pages" in mapped else {"maxFailuresPercent": 40}
        )  # it matters when the total is known
        mapped |= random.choice([{}, {}, {"maxFailures": random.randint(0, 2)}, percent])
    if random.random() < 0.2:
        mapped["collect"] = random.choice([{"run": random_action(random)}, {"expr": "result.succeeded"}])
    if not comparable and random.random() < 0.2:
        mapped |= {"undoWindow": 2}
    if not comparable and random.random() < 0.1:
        mapped |= {"timeout": "30s"}
    step: Step = {
        "arguments": {"row": {"element": name}, "place": {"index": name}, "note": {"value": random_note(random)}}
    }
    if random.random() < 0.4:
        step["retries"] = _attempts(random.randint(2, 3))
    if random.random() < 0.4:
        step["compensate"] = random_action(random)
    if random.random() < 0.15 and not nested:
        step["onError"] = {"action": "Continue", "value": 7}
    dice = random.random()
    if dice < 0.6:
        mapped["run"] = random_action(random)
        if random.random() < 0.7:
            step["undo"] = random_action(random)
    elif dice < 0.65:
        mapped["transform"] = {"value": "x" * random.choice([1, 400])}
        step = {name: said for name, said in step.items() if name not in {"retries", "compensate"}}
    else:
        mapped["steps"] = _inside(random, name, comparable=comparable, nested=nested)
    return step | {"map": mapped}


def _inside(random: Random, name: str, *, comparable: bool, nested: bool) -> list[Step]:
    """Return the steps of each element: one after the other, the last may be a map of its own."""
    first: Step = {"name": f"{name}xa", "run": random_action(random), "undo": random_action(random)}
    first["arguments"] = {"row": {"element": name}, "note": {"value": random_note(random)}}
    second: Step = {"name": f"{name}xb", "waitFor": [f"{name}xa"]}
    if random.random() < 0.3 and not nested:
        return [first, second | random_map(random, f"{name}xb", comparable=comparable, nested=True)]
    second["run"] = random_action(random)
    if random.random() < 0.5:
        second["undo"] = random_action(random)
    if random.random() < 0.3:
        second["onError"] = {"action": "Continue", "value": "y" * 400}
    return [first, second][: random.randint(1, 2)]


def random_action(random: Random) -> Step:
    """Return a Python action, a container or a request; the simulated cluster never looks inside."""
    if random.random() < 0.2:
        return {"container": {"image": "shop:1", "command": ["/work"]}}
    if random.random() < 0.2:
        return {"http": {"method": "POST", "url": {"value": "http://shop/"}, "body": {"value": {"sold": 1}}}}
    return {"python": {"handler": "shop:work"}}


def random_note(random: Random) -> str:
    """Return an argument; a long one makes the arguments a document of their own, which is to be dropped."""
    return "z" * random.choice([1, 1, 400])


def _attempts(most: int) -> dict[str, object]:
    return {"maxAttempts": most, "baseDelay": "100ms"}


def page_of(seed: int, run: str, path: str) -> dict[str, object]:
    """Return what the task of a page gives: up to two elements, and what asks for the next page if there is one."""
    of, _, number = path.rpartition("[page-")
    page = int(number.removesuffix("]"))
    random = Random(digest_of("page", seed, run, of))
    sizes = [random.randint(0, PAGE_SIZE) for _ in range(random.randint(1, 4))]
    first = sum(sizes[:page])
    more = page + 1 < len(sizes)
    cursor = random.choice(["c", "c" * 400]) + str(page)
    return {"items": list(range(first, first + sizes[page])), "next": cursor if more else None}
