"""Correlation ids as the store keeps them: which name, and what is said of who holds it.

In: namespace, reactor and id; the path that a commit took a name for. Out: the name; the step. Never here: a look at
the store.
"""


def correlation_name(namespace: str, reactor: str, id_: str) -> str:
    """Return the name under which an interrupt is open: that of no other namespace or reactor is the same, for neither
    of them has a slash in its name."""
    return f"{namespace}/{reactor}/{id_}"


def held_path(path: str, round_: int) -> str:
    """Return what a commit takes a name for: a step, in a round of it."""
    return f"{path}.{round_}"


def step_of(held: str) -> str:
    """Return the path of the step that `held_path` was made of."""
    return held.rpartition(".")[0] or held
