"""What a step does, in a few words: what pictures and lists of steps say under its name.

In: a node of a blueprint, an action, an address. Out: one short line. Never here: a value, or what is secret in an
address.
"""

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.maps import Map, Strategy
from reactor_operator.api.nodes import Node
from reactor_operator.api.sources import Source
from reactor_operator.engine.failures import render_message

LABEL_LIMIT = 42


def words_of(action: ActionSpec) -> str:
    """Return what an action does in a few words: its handler, its image, its request, or that it is a script."""
    if action.container is not None:
        return cut(action.container.image)
    if action.python is not None and action.python.handler is not None:
        return cut(action.python.handler)
    if action.http is not None:
        return cut(f"{action.http.method.value} {words_of_url(action.http.url)}")
    return "inline script"


def words_of_url(url: Source) -> str:
    """Return an address as it is written, a literal one without its query and credentials; else where it comes from."""
    if isinstance(url.value, str):
        scheme, _, rest = url.value.partition("?")[0].partition("#")[0].partition("://")
        authority, slash, path = rest.partition("/")
        return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    return url.expr or (f"(input {url.input})" if url.input is not None else f"(result of {url.result})")


def words_of_node(node: Node) -> str:
    """Return what a step does in a few words, whether it is a task or not."""
    step = node.step
    if step.run is not None:
        return words_of(step.run)
    if step.switch is not None:
        return "switch"
    if step.map is not None:
        return words_of_map(step.map)
    if step.compose is not None:
        return f"Reactor {step.compose.reactor_ref.name}" if step.compose.reactor_ref is not None else "compose"
    return "waits for a signal" if step.interrupt is not None else "transform"


def words_of_map(mapped: Map) -> str:
    """Return how a map goes over its elements in a few words."""
    if mapped.strategy is Strategy.BATCH:
        return f"map, batches of {mapped.batch_size}"
    return f"map, {mapped.batch_size} at once"


def cut(text: str) -> str:
    """Return a text as one line that fits under a step."""
    one_line = " ".join(render_message(text).split())
    return one_line if len(one_line) <= LABEL_LIMIT else one_line[: LABEL_LIMIT - 1] + "…"
