"""Rules of webhooks: expressions that read a delivery and nothing else, and interrupts that a delivery can resume.

In: sound webhooks, and the steps of their reactor. Out: problems. Never here: the shape of a webhook (`webhooks`).
"""

from collections.abc import Iterable, Iterator, Mapping

from reactor_operator.api.expressions import VARIABLES, expression_references
from reactor_operator.api.interrupts import Interrupt
from reactor_operator.api.problems import Problem, duplicate_names, nearest
from reactor_operator.api.reactor import Step
from reactor_operator.api.source_rules import expression_problems
from reactor_operator.api.webhooks import BODY, HEADERS, Webhook


def webhooks_problems(sound: Mapping[int, Webhook], steps: Iterable[Step], path: str) -> Iterator[Problem]:
    """Yield what is wrong with webhooks whose shape is right, by their place in the list at `path`.

    steps: all of the reactor, also those that are written inside others.
    """
    interrupts = {step.name: step.interrupt for step in steps if step.interrupt is not None}
    yield from duplicate_names({index: one.name for index, one in sound.items()}, path)
    for index, one in sound.items():
        at = f"{path}[{index}]"
        for field, text in one.expressions.items():
            yield from _expression_problems(text, f"{at}.{field}")
        yield from _target_problems(one, interrupts, at)


def _expression_problems(text: str, path: str) -> Iterator[Problem]:
    read = (BODY, HEADERS)
    wrong = list(expression_problems(text, path, beside=read))
    yield from wrong
    if wrong:
        return
    found = expression_references(text, beside=read)
    foreign = {name for name, _ in found.members if name in VARIABLES} | ({"results"} if found.results else set())
    for name in sorted(foreign):
        message = f"found the variable {name}, expected body or headers: a delivery comes to no run in particular"
        yield Problem(path, message, "InvalidExpression")


def _target_problems(one: Webhook, interrupts: Mapping[str, Interrupt], at: str) -> Iterator[Problem]:
    """Yield why no delivery could ever resume what is meant."""
    if one.step is not None and one.step not in interrupts:
        near = nearest(one.step, list(interrupts))
        hint = f"; did you mean {near}?" if near is not None else ""
        message = f"found {one.step!r}, expected an interrupt of this reactor{hint}"
        yield Problem(f"{at}.step", message, "UnknownReference")
        return
    meant = [interrupts[one.step]] if one.step is not None else list(interrupts.values())
    where = f"{at}.step" if one.step is not None else at
    if all(interrupt.correlation_id is None for interrupt in meant):
        message = "no interrupt that it may resume has a correlationId, expected one by which deliveries find it"
        yield Problem(where, message, "InvalidValue")
    elif all(interrupt.approvers for interrupt in meant if interrupt.correlation_id is not None):
        message = "what it may resume has approvers: true, expected none: nobody is behind a delivery who could approve"
        yield Problem(where, message, "InvalidValue")
