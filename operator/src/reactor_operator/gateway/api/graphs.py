"""A reactor as a graph of steps, for whoever draws it: containment by `parent`, order by edges inside a scope.

In: a blueprint and its plan, and of a run what its status says of steps. Out: a JSON object in the shape of `answers`.
Never here: where the reactor comes from (`pinned`), a value, an address with what is secret in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reactor_operator.api.blueprint import Blueprint
from reactor_operator.api.interrupts import Interrupt
from reactor_operator.api.nodes import Node
from reactor_operator.api.spread import spread_out
from reactor_operator.api.step_words import cut, words_of_node
from reactor_operator.engine.plan import FINALLY, OUTERMOST, Plan, StepPlan
from reactor_operator.gateway.api.rendering import Rendered
from reactor_operator.kube.fields import JsonObject, maps_at, text_at

_WORD = 253


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A reactor with all that is inside it. The plan has what is inside maps too."""

    blueprint: Blueprint
    plan: Plan


def laid_out(blueprint: Blueprint, plan: Plan) -> LaidOut:
    """Return a reactor with what is inside its maps beside the rest."""
    return LaidOut(blueprint, spread_out(plan))


def render_graph(found: LaidOut | None, status: JsonObject | None = None) -> Rendered:
    """Return nodes and edges; with the `status` of a run where each step is. None: it has no steps."""
    if found is None:
        return {"nodes": [], "edges": []}
    phases = {text_at(one, "name"): text_at(one, "phase") for one in maps_at(status, "steps")}
    steps = found.plan.steps.values()
    return {
        "nodes": [_node(found.blueprint.nodes[step.path], step, phases) for step in steps],
        "edges": [
            {"start": need, "end": step.path, "orderOnly": need not in step.reads}
            for step in steps
            for need in step.needs
        ],
    }


def _node(node: Node, plan: StepPlan, phases: Mapping[str, str]) -> Rendered:
    step = node.step
    composed = step.compose.reactor_ref if step.compose is not None else None
    rendered: Rendered = {
        "path": node.path,
        "kind": node.kind.value,
        "does": words_of_node(node)[:_WORD],
        "final": plan.scope == FINALLY,
        "undo": step.undo is not None,
        "compensate": step.compensate is not None,
        "optional": step.on_error is not None,
    }
    optional: Rendered = {
        "parent": plan.scope if plan.scope not in OUTERMOST else None,
        "reactor": composed.name if composed is not None else None,
        "when": cut(step.when or node.chosen_when or "") or None,
        "interrupt": _interrupt(step.interrupt) if step.interrupt is not None else None,
        "phase": phases.get(node.path) or None,
    }
    return rendered | {name: value for name, value in optional.items() if value is not None}


def _interrupt(interrupt: Interrupt) -> Rendered:
    rendered: Rendered = {"approvers": interrupt.approvers}
    if interrupt.payload_schema is not None:
        rendered["payloadSchema"] = interrupt.payload_schema
    return rendered if interrupt.timeout is None else rendered | {"timeout": interrupt.timeout}
