"""The command `reactor`, also `kubectl reactor`: what may be typed, and nothing of what it does.

In: the command line. Out: an exit code. Each command imports its own module when it is called, for `reactor run` is
to start within a fraction of a second.
Never here: reading files, or anything that a test would want to call.
"""

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from reactor_operator.cli.errors import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, CommandError
from reactor_operator.cli.options import ClusterOptions, InputOptions, Output, Picture
from reactor_operator.cli.requests import add_requests
from reactor_operator.cli.typed import (
    Context,
    Format,
    InputsFile,
    Kubeconfig,
    Namespace,
    OnePath,
    Paths,
    ReactorName,
    RunName,
    SetInputs,
)

_EPILOG = "Docs: docs/cli.md. Exit codes: 0 done, 1 failed, 2 wrong usage or manifests, 3 paused."

app = typer.Typer(
    name="reactor",
    epilog=_EPILOG,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

LAPTOP, CLUSTER = "Without a cluster", "On a cluster"


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"reactor {version('reactor-operator')}")
        raise typer.Exit


@app.callback()
def reactor(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Sagas on Kubernetes and on your laptop: run, check, draw, start and watch reactors."""


@app.command("run")
def run(
    path: OnePath,
    inputs: InputsFile = None,
    set_: SetInputs = None,
    name: Annotated[str | None, typer.Option("--run", metavar="NAME", help="Only this run of the manifests.")] = None,
    reactor: ReactorName = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="Keep runs here, and go on with them.")
    ] = None,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="text, or the finished runs as json or yaml.")
    ] = Output.TEXT,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show what steps print, and tracebacks.")] = False,
    ui: Annotated[bool, typer.Option("--ui", help="Serve the dashboard meanwhile, and then until Ctrl-C.")] = False,
    ui_port: Annotated[
        int, typer.Option("--ui-port", metavar="PORT", min=0, max=65_535, help="With --ui: its port. 0: a free one.")
    ] = 0,
) -> None:
    """Run reactors here, without a cluster, and show what happens.

    Every run in the manifests is executed, or the one that --run names; without a run one is made.
    """
    from reactor_operator.cli.run import RunCommand

    command = RunCommand(
        path=path, inputs=InputOptions(inputs, tuple(set_ or ())), run=name, reactor=reactor, state=state,
        output=output, verbose=verbose, ui_port=ui_port if ui else None,
    )  # fmt: skip
    raise typer.Exit(command.execute())


@app.command("dashboard")
def dashboard(
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="Show the runs of this file of `reactor run`.")
    ] = None,
    path: Annotated[
        str | None,
        typer.Option("--manifests", metavar="FILE|DIR", help="With --state: where the manifests of runs are."),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65_535, help="The port on this machine. 0: a free one.")
    ] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    service_account: Annotated[
        str | None,
        typer.Option(
            "--service-account", metavar="[NAMESPACE/]NAME", help="Ask as this ServiceAccount of the cluster."
        ),
    ] = None,
    gateway_namespace: Annotated[
        str | None, typer.Option("--gateway-namespace", metavar="NAMESPACE", help="Where the gateway is, if not found.")
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show runs in a browser, and let them be acted on there: those of a cluster, or of a state file."""
    if state is not None:
        from reactor_operator.cli.dashboard.state import StateDashboard

        raise typer.Exit(StateDashboard(state=state, path=path, port=port, browser=not no_browser).execute())
    from reactor_operator.cli.dashboard.over_cluster import ClusterDashboard

    command = ClusterDashboard(
        target=ClusterOptions(namespace, context, kubeconfig), gateway_namespace=gateway_namespace,
        service_account=service_account, port=port, browser=not no_browser,
    )  # fmt: skip
    raise typer.Exit(command.execute())


@app.command("results")
def results(
    run: RunName,
    step: Annotated[str, typer.Argument(metavar="STEP", help="The map, by its path in the run.")],
    state: Annotated[Path, typer.Option("--state", metavar="FILE", help="The run is in this file of `reactor run`.")],
    failed: Annotated[bool, typer.Option("--failed", help="Only elements that failed.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many elements.")] = None,
    output: Format = Output.TEXT,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show tracebacks, of those that are kept.")] = False,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Namespace of the run, where several have its name.")
    ] = None,
) -> None:
    """List what became of the elements of a map, in order, read as they are printed.

    So far of runs in a state file only: the gateway of a cluster cannot be asked for them yet.
    """
    from reactor_operator.cli.results import ResultsCommand

    command = ResultsCommand(
        run=run, step=step, state=state, namespace=namespace, failed=failed, limit=limit, output=output,
        verbose=verbose,
    )  # fmt: skip
    raise typer.Exit(command.execute())


@app.command("lint")
def lint(
    paths: Paths,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Check Reactors and runs, each by itself and against each other: every problem with file and line."""
    from reactor_operator.cli.lint import lint_command

    raise typer.Exit(lint_command(paths, strict=strict))


@app.command("plan")
def plan(
    path: OnePath,
    reactor: ReactorName = None,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="text; yaml and json print the pods of the steps.")
    ] = Output.TEXT,
) -> None:
    """Show what a reactor would do, and run nothing: the order of steps, how they are undone, their pods."""
    from reactor_operator.cli.plan import plan_command

    raise typer.Exit(plan_command(path, reactor=reactor, output=output))


@app.command("graph")
def graph(
    path: OnePath,
    reactor: ReactorName = None,
    format_: Annotated[Picture, typer.Option("--format", help="Mermaid text, or a picture.")] = Picture.MERMAID,
) -> None:
    """Draw a reactor: its steps and what waits for what."""
    from reactor_operator.cli.draw import graph_command

    raise typer.Exit(graph_command(path, reactor=reactor, picture=format_))


@app.command("apply")
def apply(
    paths: Paths,
    runs: Annotated[bool, typer.Option("--runs", help="Apply the runs too, which starts them.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Check manifests and apply the Reactors, with a ConfigMap of the Python modules beside them."""
    from reactor_operator.cli.apply import apply_command

    raise typer.Exit(apply_command(paths, ClusterOptions(namespace, context, kubeconfig), runs=runs))


@app.command("start")
def start(
    reactor: Annotated[str, typer.Argument(metavar="REACTOR", help="Name of the Reactor on the cluster.")],
    inputs: InputsFile = None,
    set_: SetInputs = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run. Default: made from the reactor's.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="idempotencyKey: names the business transaction, which acts once.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the run until it ends; the exit code tells how.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Start a run of a Reactor on the cluster."""
    from reactor_operator.cli.start import start_command

    target = ClusterOptions(namespace, context, kubeconfig)
    options = InputOptions(inputs, tuple(set_ or ()))
    raise typer.Exit(start_command(reactor, options, target, name=name, key=key, wait=wait))


@app.command("rerun")
def rerun(
    run: RunName,
    inputs: InputsFile = None,
    set_: SetInputs = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the new run. Default: RUN-rerun-xxxxx.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the run until it ends; the exit code tells how.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Start a new run of the same Reactor with the same inputs, or with some of them changed."""
    from reactor_operator.cli.rerun import rerun_command

    target = ClusterOptions(namespace, context, kubeconfig)
    raise typer.Exit(rerun_command(run, InputOptions(inputs, tuple(set_ or ())), target, name=name, wait=wait))


@app.command("list")
def list_(
    reactor: ReactorName = None,
    all_namespaces: Annotated[bool, typer.Option("-A", "--all-namespaces", help="Runs of all namespaces.")] = False,
    output: Format = Output.TEXT,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List runs, newest first."""
    from reactor_operator.cli.show import list_command

    target = ClusterOptions(namespace, context, kubeconfig)
    raise typer.Exit(list_command(target, reactor=reactor, all_namespaces=all_namespaces, output=output))


@app.command("inbox")
def inbox(
    reactor: ReactorName = None,
    all_namespaces: Annotated[bool, typer.Option("-A", "--all-namespaces", help="Runs of all namespaces.")] = False,
    output: Format = Output.TEXT,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List what waits for a signal, the longest wait first; as JSON or YAML with the schemas of the payloads."""
    from reactor_operator.cli.inbox import inbox_command

    target = ClusterOptions(namespace, context, kubeconfig)
    raise typer.Exit(inbox_command(target, reactor=reactor, all_namespaces=all_namespaces, output=output))


@app.command("get")
def get(
    run: RunName,
    output: Format = Output.TEXT,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show tracebacks.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Tell the story of one run on one screen."""
    from reactor_operator.cli.show import get_command

    target = ClusterOptions(namespace, context, kubeconfig)
    raise typer.Exit(get_command(run, target, output=output, verbose=verbose))


@app.command("watch")
def watch(run: RunName, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Show a run until it ends; the exit code tells how."""
    from reactor_operator.cli.watch import watch_command

    raise typer.Exit(watch_command(run, ClusterOptions(namespace, context, kubeconfig)))


@app.command("logs")
def logs(
    run: RunName,
    step: Annotated[str | None, typer.Option("--step", help="Only this step.")] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="The run is in this file of `reactor run`.")
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print what the pods of a run wrote, oldest pod first; or what a state file kept of its tasks."""
    from reactor_operator.cli.logs import kept_logs_command, logs_command

    if state is not None:
        raise typer.Exit(kept_logs_command(run, state, step=step, namespace=namespace))
    raise typer.Exit(logs_command(run, ClusterOptions(namespace, context, kubeconfig), step=step))


add_requests(app)


def _mend_streams() -> None:
    """Give standard streams that were closed a place to go, and write UTF-8 whatever the locale says, as kubectl."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # in this order each takes the lowest free number, which is its own
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def main() -> None:
    """Be the command: run it, print what it refuses, and exit."""
    _mend_streams()
    called = Path(sys.argv[0]).name
    try:
        app(prog_name="kubectl reactor" if called.startswith("kubectl") else "reactor")
    except CommandError as error:
        print(f"error: {error}" if "\n" not in str(error) else str(error), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        from reactor_operator.cli.progress import lose_output

        lose_output(sys.stdout)  # whoever read it (`| head`) has enough
        sys.exit(EXIT_BROKEN_PIPE)


if __name__ == "__main__":
    main()
