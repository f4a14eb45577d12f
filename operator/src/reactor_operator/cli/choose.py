"""Which of several Reactors or runs a command is about, and the run of a Reactor for which nobody wrote one.

In: manifests and the names from the command line. Out: the chosen ones. Raises CommandError naming the choices.
"""

from collections.abc import Sequence

from reactor_operator.api.problems import nearest
from reactor_operator.api.run import check_run
from reactor_operator.cli.check import SoundReactor, check_one_reactor
from reactor_operator.cli.errors import CommandError, refuse_errors
from reactor_operator.cli.manifests import API_VERSION, Manifest, Manifests, composed_in, load_manifests
from reactor_operator.cli.places import Finding

NAME_LIMIT = 253


def choose_reactor(path: str, name: str | None) -> SoundReactor:
    """Return the one Reactor of `path`, or the one of this name, where it is sound."""
    manifests = load_manifests([path])
    manifest = one_reactor(manifests, path, name)
    findings: list[Finding] = []
    chosen = check_one_reactor(manifest, manifests, findings)
    if chosen is None:
        refuse_errors(findings)
        raise AssertionError(f"Reactor '{manifest.name}' is not sound and nothing was found wrong with it")
    return chosen


def one_reactor(manifests: Manifests, path: str, name: str | None) -> Manifest:
    """Return the Reactor of this name; without a name, the only one, or the only one that no other composes."""
    targets = [reactor for reactor in manifests.reactors if reactor.target]
    if name is not None:
        return by_name(name, manifests.reactors, "Reactor", path)
    composed = {name for reactor in targets for name in composed_in(reactor.spec) if name != reactor.name}
    outermost = [reactor for reactor in targets if reactor.name not in composed]
    for only in (targets, outermost):
        if len(only) == 1:
            return only[0]
    if not targets:
        refuse_errors(manifests.findings)
        raise CommandError(f"{path}: found no Reactor, expected one: name the file or folder that has it")
    names = ", ".join(reactor.name for reactor in targets)
    raise CommandError(f"{path}: found {len(targets)} Reactors ({names}), expected one: choose with --reactor NAME")


def by_name(name: str, manifests: Sequence[Manifest], kind: str, path: str) -> Manifest:
    """Return the object of this name."""
    found = next((manifest for manifest in manifests if manifest.name == name), None)
    if found is not None:
        return found
    known = [manifest.name for manifest in manifests]
    meant = nearest(name, known)
    hint = f"did you mean '{meant}'?" if meant is not None else f"found {', '.join(known) or 'none at all'}"
    raise CommandError(f"{path}: no {kind} '{name}', {hint}")


def make_run(reactor: Manifest, name: str | None) -> Manifest:
    """Return a run of a Reactor that nobody wrote, named after it; its findings point to the Reactor."""
    named = name if name is not None else f"{reactor.name}-run"[:NAME_LIMIT].rstrip("-.")
    value = {
        "apiVersion": API_VERSION,
        "kind": "ReactorRun",
        "metadata": {"name": named},
        "spec": {"reactorRef": {"name": reactor.name}},
    }
    for problem in check_run(value).problems if name is not None else ():
        if problem.path == "metadata.name":
            raise CommandError(f"--run: {problem.message}")
    return Manifest(
        kind="ReactorRun",
        namespace=reactor.namespace,
        name=named,
        value=value,
        file=reactor.file,
        folder=reactor.folder,
        place=reactor.place,
    )
