"""Manifests judged offline: each by itself, and runs against the Reactors they name.

In: `Manifests`. Out: `Checked`: what is sound, and a finding with file and line for everything that is not.
Never here: printing, or an exit code.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reactor_operator.api.blueprint import Blueprint, CannotLayOut, blueprint_of, composed_names
from reactor_operator.api.check import CheckedReactor, check_reactor
from reactor_operator.api.inputs import apply_inputs
from reactor_operator.api.pool import check_pool_spec
from reactor_operator.api.problems import Problem, nearest
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.api.run import RunSpec, check_run
from reactor_operator.api.sensitivity import mentions_sensitive
from reactor_operator.api.shared_schema import BASE, parse_shared_schema
from reactor_operator.api.signal import check_signal_spec
from reactor_operator.api.taint import sensitive_problems, sensitivity_of
from reactor_operator.cli.manifests import Manifest, Manifests
from reactor_operator.cli.modules import ModuleFolder, handlers_of
from reactor_operator.cli.places import Finding
from reactor_operator.cli.sizes import too_large
from reactor_operator.engine.plan import ROOT


@dataclass(frozen=True, slots=True)
class SoundReactor:
    """A Reactor without problems, with those that it composes laid out inside it.

    `schema` is that of its inputs, wherever it was written.
    """

    manifest: Manifest
    spec: ReactorSpec
    blueprint: Blueprint
    schema: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class SoundRun:
    """A run without problems of its own, with its Reactor. Whether the inputs fit is another question."""

    manifest: Manifest
    spec: RunSpec
    reactor: SoundReactor


@dataclass(slots=True)
class Checked:
    """What came of it. `findings` are errors and warnings; those of inputs that break a schema are apart."""

    reactors: list[SoundReactor] = field(default_factory=list)
    runs: list[SoundRun] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    inputs_findings: list[Finding] = field(default_factory=list)


def check_manifests(manifests: Manifests, *, runs: Iterable[Manifest] | None = None) -> Checked:
    """Check all that the user named, or (`runs`) only these runs and the Reactors they name."""
    checked = Checked(findings=list(manifests.findings))
    chosen = [run for run in manifests.runs if run.target] if runs is None else list(runs)
    wanted = [reactor for reactor in manifests.reactors if reactor.target] if runs is None else []
    named = [reactor for run in chosen if (reactor := manifests.reactor(run.reactor_name, run.namespace)) is not None]
    sound: dict[int, SoundReactor | None] = {}
    for reactor in [*wanted, *named]:
        if id(reactor) not in sound:
            found = sound[id(reactor)] = check_one_reactor(reactor, manifests, checked.findings)
            if found is not None:
                checked.reactors.append(found)
    for run in chosen:
        _check_run(run, manifests, sound, checked)
    if runs is None:
        _check_pools_and_signals(manifests, checked.findings)
    return checked


def _check_pools_and_signals(manifests: Manifests, findings: list[Finding]) -> None:
    """Check what stands by itself. The run of a signal may come later than the signal."""
    for pool in manifests.pools:
        if pool.target:
            answer = check_pool_spec(pool.value.get("spec", {}))
            findings.extend(_located(pool, answer.problems))
            findings.extend(_located(pool, answer.warnings, warning=True))
    for signal in manifests.signals:
        if signal.target:
            findings.extend(_located(signal, check_signal_spec(signal.value.get("spec", {})).problems))
            findings.extend(_large(signal))


def check_one_reactor(manifest: Manifest, manifests: Manifests, findings: list[Finding]) -> SoundReactor | None:
    """Return the Reactor where it is sound; add what is wrong or doubtful about it to `findings`."""
    answer: CheckedReactor = check_reactor(manifest.value)
    findings.extend(_located(manifest, answer.problems))
    findings.extend(_located(manifest, answer.warnings, warning=True))
    findings.extend(_large(manifest))
    if answer.spec is None:
        return None
    findings.extend(_missing_handlers(manifest, answer.spec))
    problems = len(findings)
    schema = _schema_of(manifest, answer.spec, manifests, findings)
    blueprint = _blueprint_of(manifest, answer.spec, manifests, findings)
    if blueprint is not None and mentions_sensitive([one.value for one in manifests.reactors], schema):
        blueprint = replace(blueprint, sensitive=sensitivity_of(blueprint, {ROOT: schema}))
        findings.extend(_located(manifest, _not_told(answer, sensitive_problems(blueprint, blueprint.sensitive))))
    if blueprint is None or len(findings) > problems:
        return None
    return SoundReactor(manifest, answer.spec, blueprint, schema)


def _not_told(answer: CheckedReactor, problems: Iterable[Problem]) -> Iterator[Problem]:
    return (problem for problem in problems if problem not in answer.problems)


def _blueprint_of(
    manifest: Manifest, spec: ReactorSpec, manifests: Manifests, findings: list[Finding]
) -> Blueprint | None:
    """Return the Reactor with those that it composes; where that cannot be, say what is missing or wrong."""
    composed: dict[str, ReactorSpec] = {}
    waiting = list(composed_names(spec))
    while waiting:
        name = waiting.pop(0)
        other = manifests.reactor(name, manifest.namespace)
        if name in composed or other is None:
            continue
        answer = check_reactor(other.value)
        if answer.spec is None:
            findings.append(manifest.finding("spec.steps", f"Reactor '{name}', which it composes, is not sound"))
            findings.extend(each for each in _located(other, answer.problems) if each not in findings)
            return None
        composed[name] = answer.spec
        waiting += composed_names(answer.spec)
    try:
        return blueprint_of(spec, composed)
    except CannotLayOut as problem:
        findings.extend(_located(manifest, problem.problems))
        return None


def _located(manifest: Manifest, problems: Iterable[Problem], *, warning: bool = False) -> Iterator[Finding]:
    for problem in problems:
        yield manifest.finding(problem.path, problem.message, warning=warning)


def _large(manifest: Manifest) -> Iterator[Finding]:
    problem = too_large(manifest.value)
    yield from _located(manifest, [problem] if problem is not None else [], warning=True)


def _missing_handlers(manifest: Manifest, spec: ReactorSpec) -> Iterator[Finding]:
    """Yield a warning for each handler that is not beside the manifest and that no image was named for."""
    folder = ModuleFolder(manifest.folder)
    told: set[tuple[str, str]] = set()
    for handler in handlers_of(spec):
        if handler.image is None and (handler.module, handler.function) not in told:
            told.add((handler.module, handler.function))
            missing = folder.missing(handler.module, handler.function)
            if missing is not None:
                found = f"handler '{handler.module}:{handler.function}' not found: {missing}"
                yield manifest.finding(handler.path, found, warning=True)


def _schema_of(
    manifest: Manifest, spec: ReactorSpec, manifests: Manifests, findings: list[Finding]
) -> Mapping[str, object] | None:
    """Return the schema of inputs; one that a ConfigMap holds is read from the manifests, if it is there."""
    if spec.inputs_schema_from is None:
        return spec.inputs_schema
    reference = spec.inputs_schema_from.config_map_key_ref
    path = "spec.inputsSchemaFrom.configMapKeyRef"
    text = (manifests.config("ConfigMap", reference.name, manifest.namespace) or {}).get(reference.key)
    if text is None:
        message = (
            f"no ConfigMap '{reference.name}' with key '{reference.key}' among the manifests: inputs go unchecked here"
        )
        findings.append(manifest.finding(path, message, warning=True))
        return None
    schema, problems = parse_shared_schema(text)
    for problem in problems:
        where = problem.path.removeprefix(BASE).lstrip(".")
        found = f"{where}: {problem.message}" if where else problem.message
        findings.append(manifest.finding(path, f"ConfigMap '{reference.name}', key '{reference.key}': {found}"))
    return schema


def _check_run(run: Manifest, manifests: Manifests, sound: Mapping[int, SoundReactor | None], checked: Checked) -> None:
    answer = check_run(_named(run))
    checked.findings.extend(_located(run, answer.problems))
    checked.findings.extend(_large(run))
    if not run.reactor_name:
        return
    written = manifests.reactor(run.reactor_name, run.namespace)
    if written is None:
        checked.findings.append(run.finding("spec.reactorRef.name", _no_reactor(run, manifests)))
        return
    reactor = sound[id(written)]
    if reactor is None or answer.spec is None:
        return
    checked.runs.append(SoundRun(run, answer.spec, reactor))
    if reactor.schema is not None:
        _, problems = apply_inputs(reactor.schema, answer.spec.inputs)
        checked.inputs_findings.extend(_located(run, problems))


def _named(run: Manifest) -> Mapping[str, object]:
    """Return the run with the name that a `generateName` stands for here."""
    metadata = run.value.get("metadata")
    if isinstance(metadata, dict) and "name" not in metadata:
        return {**run.value, "metadata": {**metadata, "name": run.name}}
    return run.value


def _no_reactor(run: Manifest, manifests: Manifests) -> str:
    name = run.reactor_name
    elsewhere = [f"'{reactor.namespace}'" for reactor in manifests.reactors if reactor.name == name]
    if elsewhere:
        return (
            f"no Reactor '{name}' in the run's namespace '{run.namespace}', found it in {', '.join(elsewhere)}; "
            "a run and its Reactor share a namespace"
        )
    known = [reactor.name for reactor in manifests.reactors]
    meant = nearest(name, known)
    if meant is not None:
        return f"no Reactor '{name}' among the manifests, did you mean '{meant}'?"
    return f"no Reactor '{name}' among the manifests, found {', '.join(known) or 'none at all'}"
