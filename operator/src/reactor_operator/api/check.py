"""Is a reactor sound: every problem of a whole document, found in time linear in its size.

In: a `Reactor` as parsed JSON or YAML. Out: `CheckedReactor`. Never here: the cluster, the clock, files.

The shape is judged by the models, then the rules that look across fields and steps by the parts that are sound
(`steps`, `graph`, `schemas`), so that one wrong field hides no other problem.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from reactor_operator.api.blueprint import CannotLayOut, blueprint_of, composed_names
from reactor_operator.api.bodies import MAX_STEPS
from reactor_operator.api.body_rules import final_problems, unbounded_finals
from reactor_operator.api.building import building
from reactor_operator.api.document import TOO_DEEP, document_problems
from reactor_operator.api.envelope import check_envelope, check_model
from reactor_operator.api.graph import Graph, Names, finals_graph, graph_of
from reactor_operator.api.hidden_mounts import hidden_mounts
from reactor_operator.api.map_rules import Inside
from reactor_operator.api.map_windows import narrowed_windows
from reactor_operator.api.model import Model
from reactor_operator.api.notifications import MAX_NOTIFICATIONS, Notification, notifications_problems
from reactor_operator.api.placement_rules import placement_problems, placement_warnings
from reactor_operator.api.problems import Problem
from reactor_operator.api.reactor import Defaults, ReactorSpec, Step
from reactor_operator.api.salvage import sound_part
from reactor_operator.api.schemas import schema_problems
from reactor_operator.api.sensitivity import mentions_sensitive
from reactor_operator.api.source_rules import returns_problems
from reactor_operator.api.sources import Source
from reactor_operator.api.steps import default_environment_problems, step_problems, step_warnings, steps_inside
from reactor_operator.api.taint import sensitive_problems, sensitivity_of
from reactor_operator.api.webhook_rules import webhooks_problems
from reactor_operator.api.webhooks import MAX_WEBHOOKS, Webhook

M = TypeVar("M", bound=Model)
_ABOUT_PLACES = re.compile(r"\.(placement|poolRef)\b")
"""Fields that are judged together: where one of them has a wrong shape, another one may only seem to lack."""


@dataclass(frozen=True, slots=True)
class CheckedReactor:
    """What came of a check: the spec where nothing is wrong with it, every problem, and what deserves a second look."""

    spec: ReactorSpec | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()


def check_reactor(document: Mapping[str, object]) -> CheckedReactor:
    """Check a whole Reactor: apiVersion, kind, metadata and spec."""
    around = check_envelope(document, kind="Reactor")
    if not isinstance(document, Mapping) or "spec" not in document:
        return CheckedReactor(None, tuple(around))
    inside = _check(document["spec"])
    problems = (*around, *inside.problems)
    return CheckedReactor(None if problems else inside.spec, problems, inside.warnings)


def check_spec(spec: Mapping[str, object]) -> CheckedReactor:
    """Check the spec of a Reactor alone (the API server has seen to the rest)."""
    wrong = document_problems(spec, "spec")
    if any(problem.reason == TOO_DEEP for problem in wrong):
        return CheckedReactor(None, tuple(wrong))
    inside = _check(spec)
    problems = (*wrong, *inside.problems)
    return CheckedReactor(None if problems else inside.spec, problems, inside.warnings)


@building()
def _check(document: object) -> CheckedReactor:
    spec, problems = check_model(ReactorSpec, document, base="spec")
    parts = _Parts.of_spec(spec) if spec is not None else _Parts.of_document(document)
    placed = not any(_ABOUT_PLACES.search(problem.path) for problem in problems)
    warnings: list[Problem] = []
    every = [*parts.steps.values(), *parts.finals.values()]
    within = [step for outer in every for step in steps_inside(outer)]
    maps = Inside(every=frozenset(step.name for step in within if step.map is not None))
    for index, step in parts.steps.items():
        problems += step_problems(step, f"spec.steps[{index}]", inside=maps)
        problems += placement_problems(step, parts.defaults, f"spec.steps[{index}]") if placed else ()
        warnings += step_warnings(step, f"spec.steps[{index}]")
        warnings += placement_warnings(step, parts.defaults, f"spec.steps[{index}]")
    problems += default_environment_problems(parts.defaults.env or (), every, "spec.defaults.env")
    graph: Graph = graph_of(parts.names, parts.steps, parts.returns)
    problems += graph.problems
    for index, step in parts.finals.items():
        problems += step_problems(step, f"spec.finally[{index}]", inside=maps)
        problems += placement_problems(step, parts.defaults, f"spec.finally[{index}]") if placed else ()
        problems += final_problems(step, f"spec.finally[{index}]")
        if step.undo is None:  # which is an error there, and no `compensate` would mend it
            warnings += step_warnings(step, f"spec.finally[{index}]")
        warnings += placement_warnings(step, parts.defaults, f"spec.finally[{index}]")
    problems += finals_graph(parts.final_names, parts.finals, Names(_texts(parts.names))).problems
    if parts.returns is not None:
        problems += returns_problems(parts.returns, "spec.returns")
    problems += notifications_problems(parts.notifications, "spec.notifications")
    problems += webhooks_problems(parts.webhooks, within, "spec.webhooks")
    if parts.two_schemas:
        message = "found it beside inputsSchema, expected only one of them"
        problems.append(Problem("spec.inputsSchemaFrom", message, "InvalidValue"))
    if parts.inputs_schema is not None:
        problems += schema_problems(parts.inputs_schema, "spec.inputsSchema")
    if spec is not None and "on_limit" in spec.model_fields_set and spec.max_active_runs is None:
        message = "found it without maxActiveRuns: there is no limit for it to be about"
        warnings.append(Problem("spec.onLimit", message, "NoLimit"))
    if spec is not None:
        warnings += unbounded_finals(spec)
        warnings += narrowed_windows(spec)
        warnings += hidden_mounts(spec)
    if spec is not None and not problems and mentions_sensitive(document) and not composed_names(spec):
        problems += _sensitive(spec)
    return CheckedReactor(None if problems else spec, tuple(dict.fromkeys(problems)), tuple(warnings))


def _sensitive(spec: ReactorSpec) -> list[Problem]:
    """Return sensitive values that would be seen. One that composes others is judged with them, when it is laid out."""
    try:
        blueprint = blueprint_of(spec)
    except CannotLayOut:
        return []  # said where it is laid out
    return list(sensitive_problems(blueprint, sensitivity_of(blueprint)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What can be judged further: names of all steps by place, the steps that are sound, the result and the schema."""

    names: Sequence[object]
    steps: Mapping[int, Step]
    final_names: Sequence[object]
    finals: Mapping[int, Step]
    defaults: Defaults
    returns: Source | None
    notifications: Mapping[int, Notification]
    webhooks: Mapping[int, Webhook]
    inputs_schema: Mapping[str, object] | None
    two_schemas: bool

    @classmethod
    def of_spec(cls, spec: ReactorSpec) -> "_Parts":
        return cls(
            names=[step.name for step in spec.steps],
            steps=dict(enumerate(spec.steps)),
            final_names=[step.name for step in spec.finally_],
            finals=dict(enumerate(spec.finally_)),
            defaults=spec.defaults,
            returns=spec.returns,
            notifications=dict(enumerate(spec.notifications)),
            webhooks=dict(enumerate(spec.webhooks)),
            inputs_schema=spec.inputs_schema,
            two_schemas=spec.inputs_schema is not None and spec.inputs_schema_from is not None,
        )

    @classmethod
    def of_document(cls, document: object) -> "_Parts":
        """Salvage what is sound in a spec that as a whole is not."""
        spec = document if isinstance(document, Mapping) else {}
        names, steps = _salvage(spec.get("steps"))
        final_names, finals = _salvage(spec.get("finally"))
        schema = spec.get("inputsSchema")
        defaults = check_model(Defaults, spec.get("defaults"), base="")[0]
        return cls(
            names=names,
            steps=steps,
            final_names=final_names,
            finals=finals,
            defaults=defaults or Defaults(),
            returns=check_model(Source, spec["returns"], base="")[0] if "returns" in spec else None,
            notifications=_sound(Notification, spec.get("notifications"), MAX_NOTIFICATIONS),
            webhooks=_sound(Webhook, spec.get("webhooks"), MAX_WEBHOOKS),
            inputs_schema=schema if isinstance(schema, dict) else None,
            two_schemas=schema is not None and spec.get("inputsSchemaFrom") is not None,
        )


def _salvage(listed: object) -> tuple[list[object], dict[int, Step]]:
    """Return the names of all steps in a list, and those that are sound, by place."""
    written = listed[:MAX_STEPS] if isinstance(listed, list) else []
    sound = {index: sound_part(one, index) for index, one in enumerate(written)}
    names = [one.get("name") if isinstance(one, Mapping) else None for one in written]
    return names, {index: step for index, step in sound.items() if step is not None}


def _sound(model: type[M], listed: object, most: int) -> dict[int, M]:
    """Return the first `most` objects of a list that are sound, by place."""
    written = listed[:most] if isinstance(listed, list) else []
    judged = {index: check_model(model, one, base="")[0] for index, one in enumerate(written)}
    return {index: one for index, one in judged.items() if one is not None}


def _texts(names: Sequence[object]) -> list[str]:
    return [name for name in names if isinstance(name, str)]
