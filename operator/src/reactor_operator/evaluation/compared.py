"""What a condition was compared with, for people: the condition, and the value of each place that it reads.

In: an expression and an `Environment`. Out: words such as `inputs.total > 100 (inputs.total is 42)`. Total: any text.
Never here: an evaluation.
"""

import re
from collections.abc import Iterator

from reactor_operator.api.expressions import ELEMENT, INDEX
from reactor_operator.api.problems import render_found
from reactor_operator.api.sensitivity import MASK, hidden
from reactor_operator.evaluation.environment import Environment

_MEMBER = r"""(?:\.[A-Za-z_]\w*|\[(?:'[^'\\]*'|"[^"\\]*"|\d{1,9})\])"""
_PLACE = re.compile(
    rf"(?<![\w.])(?:(?P<all>inputs|results|args)(?P<in_all>{_MEMBER}+)|(?P<one>element|index)\b(?P<in_one>{_MEMBER}*))"
    r"(?!\w*\s*\()"
)
_KEY = re.compile(r"""\.([A-Za-z_]\w*)|\[(?:'([^'\\]*)'|"([^"\\]*)"|(\d{1,9}))\]""")
_SHOWN = 5


def render_compared(condition: str, environment: Environment) -> str:
    """Return the condition with what stood at the places it names."""
    results = {**{name.replace("-", "_"): value for name, value in environment.told.items()}, **environment.told}
    told = environment.sensitive
    spoken = told.results | {name.replace("-", "_") for name in told.results}
    roots = {
        "inputs": hidden(environment.inputs, told.inputs),
        "results": hidden(results, spoken),
        "args": hidden(environment.arguments, told.arguments),
    }
    if environment.innermost is not None:
        at = environment.elements[environment.innermost]
        roots |= {ELEMENT: MASK if environment.innermost in told.elements else at.value, INDEX: at.index}
    words = dict.fromkeys(_found(condition, roots))
    said = " ".join(condition.split())
    return f"{said} ({', '.join(list(words)[:_SHOWN])})" if words else said


def _found(condition: str, roots: dict[str, object]) -> Iterator[str]:
    for match in _PLACE.finditer(condition):
        root, members = match["all"] or match["one"], match["in_all"] or match["in_one"] or ""
        if root not in roots:
            continue
        at = roots[root]
        for name, single, double, index in _KEY.findall(members):
            key = int(index) if index else name or single or double
            if at is MASK:
                continue  # what stands in it is as sensitive
            if (isinstance(at, dict) and key in at) or (
                isinstance(at, list) and isinstance(key, int) and key < len(at)
            ):
                at = at[key]
            else:
                yield f"{match.group(0)} is not there"
                break
        else:
            yield f"{match.group(0)} is {MASK if at is MASK else render_found(at)}"
