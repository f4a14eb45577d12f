"""`reactor plan`: what a reactor would do, without doing it.

In: a path. Out: on stdout the order of starts and undos, or the pods as YAML or JSON.
Never here: an evaluation, a cluster, or a real token (what only a run knows is shown in angle brackets).
"""

import sys
from collections.abc import Iterator, Sequence

import orjson

from reactor_operator.api.blueprint import Blueprint
from reactor_operator.api.effective import effective
from reactor_operator.api.maps import CURSOR, LIMIT, Map
from reactor_operator.api.nodes import Node
from reactor_operator.api.planning import plan_of
from reactor_operator.api.reactor import Placement, ReactorSpec
from reactor_operator.api.sources import Source
from reactor_operator.api.spread import spread_out
from reactor_operator.api.step_words import words_of, words_of_node
from reactor_operator.api.templates import ANY, PAGE
from reactor_operator.cli.check import SoundReactor
from reactor_operator.cli.choose import choose_reactor
from reactor_operator.cli.documents import render_documents
from reactor_operator.cli.errors import EXIT_OK
from reactor_operator.cli.graph import edges_of
from reactor_operator.cli.layout import layers_of
from reactor_operator.cli.options import Output
from reactor_operator.cli.tables import counted, render_columns
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.plan import FINALLY, MapPlan, Plan, StepKind, StepPlan
from reactor_operator.ports import RunRef, TaskOrder

_SEALED = ("reactor.run/seal", "reactor.run/manifest")
RUNTIME_IMAGE = "<runtime image of the operator>"


def plan_command(path: str, *, reactor: str | None, output: Output) -> int:
    """Print the plan. Raises CommandError."""
    chosen = choose_reactor(path, reactor)
    if output is Output.TEXT:
        sys.stdout.write(render_plan(chosen))
    else:
        sys.stdout.write(render_documents(list(pods_of(chosen)), output))
    return EXIT_OK


def render_plan(reactor: SoundReactor) -> str:
    """Return the plan as text."""
    spec, name, blueprint = reactor.spec, reactor.manifest.name, reactor.blueprint
    plan = spread_out(plan_of(blueprint, pending_timeout_ms=0))
    levels = levels_of(plan)
    described = f"{name}  {render_message(spec.description)}" if spec.description else name
    lines = [described, _summary(spec, len(plan.steps), max(levels.values()) + 1), ""]
    lines += ["START ORDER  (steps of one number run side by side)", *_starts(blueprint, plan, levels)]
    undos = _undos(blueprint, levels)
    if undos:
        lines += [
            "",
            "UNDO ORDER  (newest completion first; shown as if all steps of a number had ended before the next)",
            *undos,
        ]
    kept = [
        path
        for path, node in blueprint.nodes.items()
        if node.kind is StepKind.TASK and node.step.undo is None and node.scope.path != FINALLY
    ]
    if kept:
        lines += ["", f"NOT UNDONE   {', '.join(kept)}"]
    cleanups = [
        ("", path, words_of(node.step.compensate))
        for path, node in blueprint.nodes.items()
        if node.step.compensate is not None and node.kind is not StepKind.SWITCH
    ]
    if cleanups:
        lines += ["", "WHEN A STEP ITSELF FAILS", *render_columns(cleanups)]
    return "\n".join(lines) + "\n"


def levels_of(plan: Plan) -> dict[str, int]:
    """Return for each step how many steps at least come before it, in order of levels and then of the manifest."""
    levels = layers_of(list(plan.steps), list(edges_of(plan)))
    return dict(sorted(levels.items(), key=lambda item: (item[1], plan.steps[item[0]].index)))


def _summary(spec: ReactorSpec, steps: int, levels: int) -> str:
    parts = [
        f"{counted(steps, 'step')} in {counted(levels, 'level')}",
        f"at most {spec.parallelism} at once",
        f"on failure: {spec.on_failure.value}",
        f"rollback within {spec.rollback.deadline}",
    ]
    if spec.timeout is not None:
        parts.append(f"times out after {spec.timeout}")
    return " · ".join(parts)


def _starts(blueprint: Blueprint, plan: Plan, levels: dict[str, int]) -> list[str]:
    rows = []
    for path, level in levels.items():
        node, planned = blueprint.nodes[path], plan.steps[path]
        after = f"after {', '.join(planned.needs)}" if planned.needs else ""
        rows.append((f"{level + 1}.", path, words_of_node(node), after, " · ".join(_notes(node, planned))))
    return render_columns(rows)


def _notes(node: Node, planned: StepPlan) -> Iterator[str]:
    step = node.step
    if node.scope.path == FINALLY:
        yield "at every end"
    for condition in (step.when, node.chosen_when):
        if condition is not None:
            yield f"when {' '.join(render_message(condition).split())}"
    if planned.run.retries.max_attempts > 1:
        yield f"{planned.run.retries.max_attempts} attempts"
    if step.timeout is not None:
        yield f"timeout {step.timeout}"
    if step.interrupt is not None and step.interrupt.timeout is not None:
        yield f"at most {step.interrupt.timeout}"
    if node.kind is StepKind.TASK and (pool := effective(node.scope.reactor, step).pool) is not None:
        yield f"pool {pool}"
    if planned.map is not None:
        yield from _notes_of_map(planned.map, step.map)
    if step.on_error is not None:
        yield "optional"


def _notes_of_map(planned: MapPlan, mapped: Map | None) -> Iterator[str]:
    if planned.chunk > 1:
        yield f"{planned.chunk} elements a task"
    if not planned.fail_fast:
        many = f"{planned.max_failures} failures" if planned.max_failures is not None else "any number of failures"
        percent = planned.max_failures_percent
        yield f"at most {percent}% failures" if percent is not None else f"allows {many}"
    if mapped is not None and mapped.timeout is not None:
        yield f"timeout {mapped.timeout}"


def _undos(blueprint: Blueprint, levels: dict[str, int]) -> list[str]:
    undos = {path: node.step.undo for path, node in blueprint.nodes.items() if node.kind is not StepKind.SWITCH}
    newest_first = [name for name in reversed(levels) if undos.get(name) is not None]
    numbers = {level: number for number, level in enumerate(dict.fromkeys(levels[name] for name in newest_first), 1)}
    rows: list[Sequence[str]] = []
    for name in newest_first:
        undo = undos[name]
        if undo is not None:
            rows.append((f"{numbers[levels[name]]}.", name, words_of(undo), _order_of_undo(blueprint, name)))
    return render_columns(rows)


def _order_of_undo(blueprint: Blueprint, path: str) -> str:
    """Return in which order the elements of a map are undone; empty for a step that is in none."""
    around = blueprint.nodes[path].scope.map_path
    mapped = blueprint.nodes[around].step.map if around else None
    if mapped is None:
        return ""
    each = f" tasks of {mapped.elements_per_task}" if mapped.elements_per_task > 1 else ""
    at_once = f", {mapped.undo_window}{each} at once" if mapped.undo_window > 1 else ""
    return f"highest index first{at_once}"


def pods_of(reactor: SoundReactor) -> Iterator[object]:
    """Yield the pod or Job of every action of every step, run before compensate before undo.

    Of a map it is that of its first element and its first page. What a pool takes has none.
    """
    from reactor_operator.tasks.manifest import render_manifest
    from reactor_operator.tasks.manifest_spec import TaskSettings

    settings = TaskSettings(
        runtime_image=RUNTIME_IMAGE, runtime_pull_policy="IfNotPresent", gateway="<gateway>", key=b"<key>"
    )
    for node in reactor.blueprint.nodes.values():
        if effective(node.scope.reactor, node.step).placement is Placement.POOL:
            continue
        for action in Action:
            if node.step.action(action) is not None and node.kind is not StepKind.SWITCH:
                yield _hide_secrets(render_manifest(_order(reactor, node, action), settings))


def _order(reactor: SoundReactor, node: Node, action: Action) -> TaskOrder:
    step = node.step
    run = RunRef(reactor.manifest.namespace or "default", f"{reactor.manifest.name}-run", "<uid of the run>")
    arguments = {name: f"<{_words(source)}>" for name, source in step.arguments.items() if not source.by_reference}
    if node.path.endswith(PAGE):
        arguments |= {name: f"<{name}>" for name in (CURSOR, LIMIT)}
    path = node.path.replace(ANY, "[0]").replace(PAGE, "[page-0]")
    return TaskOrder(
        run=run,
        reactor=reactor.manifest.name,
        spec=node.scope.reactor,
        step=step,
        task=Task(path, action, 1, 1, 1),
        arguments=orjson.dumps(arguments),
        result=orjson.dumps(f"<result of {step.name}>") if action is Action.UNDO else None,
        failure=orjson.dumps(f"<failure of {step.name}>") if action is Action.COMPENSATE else None,
        uncertain=False,
        idempotency_key="<idempotency key>",
        forward_key="" if action is Action.RUN else "<idempotency key of run>",
        after=None,
        sensitive=reactor.blueprint.sensitive.of_task(node.path, action),
    )


def _words(source: Source) -> str:
    if source.has_value:
        return f"value: {source.value}"
    forms = {
        "input": source.input,
        "result": source.result,
        "element": source.element,
        "index": source.index,
        "expr": source.expr,
    }
    form, found = next(((form, found) for form, found in forms.items() if found is not None), ("expr", ""))
    return f"{form}: {found}" + (f", path: {source.path}" if source.path else "")


def _hide_secrets(manifest: object) -> object:
    """Replace what is signed with a key: a real one is known to the operator alone."""
    if isinstance(manifest, dict):
        if manifest.get("name") == "REACTOR_TOKEN":
            return {**manifest, "value": "<token>"}
        return {
            key: f"<{key.removeprefix('reactor.run/')}>" if key in _SEALED else _hide_secrets(value)
            for key, value in manifest.items()
        }
    return [_hide_secrets(item) for item in manifest] if isinstance(manifest, list) else manifest
