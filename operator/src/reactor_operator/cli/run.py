"""`reactor run`: which runs, with which inputs, kept where; then driven one after the other.

In: what the command line says. Out: progress or one document on stdout, and an exit code by how the runs ended.
Never here: how a run is driven (`drive.py`) or shown (`progress.py`).
"""

import asyncio
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reactor_operator.api.digest import digest_spec
from reactor_operator.api.sensitivity import mentions_sensitive
from reactor_operator.cli.asked import Asked, find_answer, refuse_rejected, render_dry_run
from reactor_operator.cli.check import Checked, SoundRun, check_manifests
from reactor_operator.cli.choose import by_name, make_run, one_reactor
from reactor_operator.cli.drive import Driver, Killed, interrupts, nobody_looks
from reactor_operator.cli.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_PAUSED, CommandError, refuse_errors
from reactor_operator.cli.inputs import Inputs, read_given
from reactor_operator.cli.laptop import NAMESPACE, LaptopRun, WallClock, run_uid
from reactor_operator.cli.manifests import Manifest, Manifests, load_manifests
from reactor_operator.cli.options import InputOptions, Output
from reactor_operator.cli.progress import Progress, Silence
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.screen import progress_for
from reactor_operator.cli.state_file import open_keys, open_store
from reactor_operator.cli.stored import delete_undone, load_inputs, load_known, load_tracebacks
from reactor_operator.cli.traced import tracing
from reactor_operator.encryption import Keyring
from reactor_operator.engine.events import SpecChanged
from reactor_operator.engine.identity import digest_of
from reactor_operator.engine.state import ENDED, suspended_in_spec
from reactor_operator.notifications.observers import observing
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.meter import Meter
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry, Store
from reactor_operator.tasks.laptop.worker import spawn_worker

if TYPE_CHECKING:
    from reactor_operator.cli.dashboard.beside import Beside
    from reactor_operator.cli.dashboard.world import LaptopWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCommand:
    """`reactor run` as it was typed; or (`asked`) a request to one run of the state file, which goes on with it.

    namespace: that of `run`, where its manifest says one.
    ui_port: the dashboard is served at this port meanwhile (0: a free one), and then until Ctrl-C; None: it is not.
    """

    path: str
    inputs: InputOptions = field(default_factory=InputOptions)
    asked: Asked | None = None
    run: str | None = None
    namespace: str | None = None
    reactor: str | None = None
    state: Path | None = None
    output: Output = Output.TEXT
    verbose: bool = False
    ui_port: int | None = None

    def execute(self) -> int:
        """Do it and return the exit code. Raises CommandError."""
        if self.path == "-" and self.inputs.file == "-":
            raise CommandError("both the manifests and --inputs are `-`, expected standard input to be one of them")
        if self.asked is not None and self.state is not None and not self.state.exists():
            raise CommandError(f"--state {self.state}: found no file, expected that of the `reactor run` to ask")
        warm = spawn_worker()  # it starts while manifests are read and checked
        try:
            manifests = load_manifests([self.path])
            refuse_errors(manifests.findings)
            checked = check_manifests(manifests, runs=self._chosen(manifests))
            refuse_errors(checked.findings)
            given = read_given(self.inputs)
            runs = [(sound, given.over(sound.spec.inputs or {})) for sound in checked.runs]
            self._warn(checked)
            with tracing(os.environ) as traces:
                return asyncio.run(self._drive(manifests, runs, warm, traces))
        finally:
            with warm:  # where nobody took it, it still runs
                warm.kill()

    def _chosen(self, manifests: Manifests) -> list[Manifest]:
        runs = choose_runs(manifests, self.path, self.run, self.reactor)
        if self.namespace is not None and runs[0].namespace not in ("", self.namespace):
            where = f"in namespace '{self.namespace}', found it in '{runs[0].namespace}'"
            raise CommandError(f"{self.path}: no ReactorRun '{runs[0].name}' {where}")
        return runs

    def _warn(self, checked: Checked) -> None:
        for finding in checked.findings if self.verbose else ():
            print(finding, file=sys.stderr)

    async def _drive(
        self,
        manifests: Manifests,
        runs: Sequence[tuple[SoundRun, Inputs]],
        warm: subprocess.Popen[bytes],
        traces: Meter | None,
    ) -> int:
        progress = progress_for(sys.stdout, silent=self.output is not Output.TEXT)
        done: list[RunView] = []
        killed = False
        async with open_store(self.state) as store, interrupts(progress.say) as stops, observing() as observers:
            keyring = open_keys(self.state, needed=_may_be_sensitive(manifests))
            world = self._world(store, keyring, manifests)
            driver = Driver(
                store=store,
                epoch=await store.claim_epoch(0),
                manifests=manifests,
                stops=stops,
                verbose=self.verbose,
                signing_keys=SigningKeys.of_laptop(os.environ),
                observers=observers,
                warm=warm,
                keyring=keyring,
                look=world.look if world is not None else nobody_looks,
                traces=traces,
            )
            found = [await self._find(store, sound, inputs, keyring) for sound, inputs in runs]
            async with self._dashboard(world, driver, progress, [run for run, _ in found]) as dashboard:
                for run, known in found:
                    if stops.cancelled:
                        break
                    asked = await self._ask(store, run, known, keyring)
                    try:
                        with dashboard.driving(run) if dashboard is not None else nullcontext():
                            await _drive_one(driver, run, known, progress, done, asked=self.asked)
                    except Killed:
                        killed = True
                        break
                    if self.verbose:
                        await _say_tracebacks(store, run, progress)
                    answer = find_answer(done[-1].status, asked) if asked is not None and done else None
                    if answer is not None:
                        refuse_rejected(answer)
                        if said := render_dry_run(answer, self.asked):
                            progress.say(said)
                    if await delete_undone(store, run.ref):
                        progress.say(f"{run.ref.name} is undone and deleted")
                        if world is not None:
                            world.forgotten(run.ref)
                if dashboard is not None:
                    await dashboard.stay(stops)
                    done = [dashboard.last(view) for view in done]
        for left in done:
            for line in self._how_to_resume(left):
                progress.say(line)
        self._print(done)
        if self.asked is not None and done and done[-1].phase == self.asked.wanted:
            return EXIT_OK
        return EXIT_INTERRUPTED if killed else exit_code_of(done)

    def _world(self, store: Store, keyring: Keyring, manifests: Manifests) -> "LaptopWorld | None":
        """Return what a dashboard shows, None where none is served: what serves one takes a moment to be imported."""
        if self.ui_port is None:
            return None
        from reactor_operator.cli.dashboard.world import LaptopWorld

        return LaptopWorld(store, keyring, manifests, self.path)

    @asynccontextmanager
    async def _dashboard(
        self, world: "LaptopWorld | None", driver: Driver, progress: Progress, runs: Sequence[LaptopRun]
    ) -> AsyncIterator["Beside | None"]:
        """Serve the dashboard, until the block ends, where it is asked for."""
        if world is None or self.ui_port is None:
            yield None
            return
        from reactor_operator.cli.dashboard.beside import beside

        for run in runs:
            world.give(run)
        async with beside(world, driver, self.ui_port, progress.say) as dashboard:
            progress.say(f"dashboard: {dashboard.guard.address}")
            yield dashboard

    def _how_to_resume(self, run: RunView) -> Iterator[str]:
        """Say how a run that waits for signals goes on."""
        for waits in run.interrupts:
            if self.state is None:
                yield f"{waits} of {run.name} waits for a signal: with --state FILE the run could go on later"
            else:
                where = (
                    "" if self.path == "." else f" --manifests {'FILE' if self.path == '-' else shlex.quote(self.path)}"
                )
                to_resume = f"reactor resume {run.name} --step {shlex.quote(waits)} --payload JSON"
                yield f"to go on: {to_resume} --state {shlex.quote(str(self.state))}{where}"

    async def _find(
        self, store: Store, sound: SoundRun, inputs: Inputs, keyring: Keyring
    ) -> tuple[LaptopRun, KnownRun | None]:
        """Return the run under its uid, and what the state file knows of it: then it has the inputs it started with."""
        namespace, name = sound.manifest.namespace or NAMESPACE, sound.manifest.name
        ref = RunRef(
            namespace, name, run_uid(await store.incarnation() if self.state is not None else None, namespace, name)
        )
        known = await load_known(store, ref)
        if known is None:
            return LaptopRun(sound=sound, inputs=inputs, ref=ref, created_at=WallClock().now()), None
        started, found = known.definition.reactor_name, sound.reactor.manifest.name
        if started != found:
            raise CommandError(
                f"--state {self.state}: run '{name}' is there already, as a run of Reactor '{started}', found Reactor "
                f"'{found}': choose another name with --run, or another file"
            )
        pinned = await load_inputs(store, known, keyring)
        return LaptopRun(
            sound=sound,
            inputs=inputs if pinned is None else pinned,
            ref=ref,
            created_at=known.definition.created_at,
        ), known

    async def _ask(self, store: Store, run: LaptopRun, known: KnownRun | None, keyring: Keyring) -> str | None:
        """Hand in what was asked for, and what `spec.suspend` says by now; return the name of the request."""
        if known is not None and suspended_in_spec(known.state.header) != (run.sound.spec.suspend is True):
            generation = known.state.header.generation + 1
            event = SpecChanged(suspended=run.sound.spec.suspend is True, generation=generation)
            name = f"suspend {generation}"
            await store.append(Entry(run=run.ref.uid, digest=digest_of(name), body=encode_event(event)))
        if self.asked is None:
            return None
        if known is None:
            raise CommandError(
                f"--state {self.state}: found no run '{run.ref.name}', expected one that was started with this file: "
                f"look at its name and its namespace (here {run.ref.namespace})"
            )
        from reactor_operator.reconciling.encrypted_requests import encrypted_request
        from reactor_operator.reconciling.signals import request_of

        request = request_of(f"cli-{secrets.token_hex(6)}", self.asked.action, self.asked.said, "command line")
        entry = await encrypted_request(request.entry_for(run.ref), request.event, store, keyring)
        if entry is not None:
            await store.append(entry)
        return request.id

    def _print(self, done: Sequence[RunView]) -> None:
        if self.output is not Output.TEXT:
            from reactor_operator.cli.documents import render_documents

            sys.stdout.write(render_documents([run.object for run in done], self.output))


async def _drive_one(
    driver: Driver,
    run: LaptopRun,
    known: KnownRun | None,
    progress: Progress,
    done: list[RunView],
    *,
    asked: Asked | None,
) -> None:
    """Drive one run and note how it was left, also where it was killed.

    One that has ended before is only shown, unless something is `asked` of it.
    """
    if known is not None and known.state.header.phase in ENDED and asked is None:
        view = await driver.drive(run, Silence())
        done.append(view)
        progress.recall(view)
        return
    nodes = run.sound.reactor.blueprint.nodes
    steps = [path for path, node in nodes.items() if not node.scope.map_path]  # of a map nobody knows how many it has
    progress.begin(run.ref.name, run.sound.reactor.manifest.name, steps)
    if known is not None:
        progress.say(_going_on(run, known, asked))
    view = run.view({})
    try:
        view = await driver.drive(run, progress, known)
    except Killed as killed:
        view = killed.left
        raise
    finally:
        done.append(view)
        progress.end(view)


async def _say_tracebacks(store: Store, run: LaptopRun, progress: Progress) -> None:
    for path, text in await load_tracebacks(store, run.ref):
        progress.say(f"{path} failed:")
        for line in text.splitlines():
            progress.say(f"  {line}".rstrip())


def _may_be_sensitive(manifests: Manifests) -> bool:
    """Return whether anything among the manifests may call a value sensitive: then keys are needed."""
    texts = (text for config in manifests.configs.values() for text in config.values() if text is not None)
    return mentions_sensitive([one.value for one in manifests.reactors]) or any("sensitive" in text for text in texts)


def _going_on(run: LaptopRun, known: KnownRun, asked: Asked | None) -> str:
    """Return a word about a run that was there: with what it was started with, whatever the manifests say now."""
    said = "goes on where it was" if asked is None else f"{asked.words} is asked of it"
    if known.definition.digest != digest_spec(run.sound.reactor.manifest.spec):
        said += ", with the Reactor as it was when the run started (the manifest has changed since)"
    return said


def choose_runs(manifests: Manifests, path: str, name: str | None, reactor: str | None) -> list[Manifest]:
    """Return the runs to drive: those the manifests have, the named one, or a made one where there is none."""
    written = [run for run in manifests.runs if run.target]
    if reactor is not None:
        by_name(reactor, manifests.reactors, "Reactor", path)
        written = [run for run in written if run.reactor_name == reactor]
    if not written:
        return [make_run(one_reactor(manifests, path, reactor), name)]
    return written if name is None else [by_name(name, written, "ReactorRun", path)]


def exit_code_of(runs: Sequence[RunView]) -> int:
    """Return the exit code for several runs: failed if any failed, else paused if any is, else done."""
    codes = {run.exit_code for run in runs}
    for code in (EXIT_FAILED, EXIT_PAUSED):
        if code in codes:
            return code
    return EXIT_OK
