"""The commands that ask something of a run: `reactor cancel`, `undo`, `retry`, `skip`, `resume` and `suspend`.

In: the command line. Out: an exit code. What all of them take is here once: the run, the reason, and where the run is.
Each adds what only it says, and returns that as the fields of its request.
Never here: how a request is handed in (`signals.py`), which is imported when a command is called.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from reactor_operator.cli.options import ClusterOptions, StateOptions
from reactor_operator.cli.typed import Context, Kubeconfig, ManifestsOption, Namespace, Reason, RunName, StateFile

Said = Mapping[str, object]
"""The fields of a request but for its reason."""


def cancel() -> Said:
    """Stop a run and keep everything: nothing is undone."""
    return {}


def undo(
    delete: Annotated[bool, typer.Option("--delete", help="Delete the run once it is undone.")] = False,
) -> Said:
    """Take a whole run back, newest first, also one that has succeeded; what could not be undone is tried again."""
    return {"delete": True} if delete else {}


def retry(
    step: Annotated[str | None, typer.Option("--step", help="The failed step that --arguments are for.")] = None,
    arguments: Annotated[
        str | None, typer.Option("--arguments", metavar="JSON", help="Other arguments for the step, as an object.")
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option("--assume", metavar="STEP=standing|undone", help="What became of a step that was not undone."),
    ] = None,
) -> Said:
    """Go on with a failed run: what failed or was undone, and all that depends on it, runs again."""
    from reactor_operator.cli.asked import parse_assumed, parse_json

    said = {
        "step": step or None,
        "arguments": parse_json("--arguments", arguments),
        "assume": parse_assumed(assume or []) or None,
    }
    return {name: one for name, one in said.items() if one is not None}


def skip(
    step: Annotated[
        str,
        typer.Argument(metavar="STEP", help="The step that failed, or waits: for its next attempt, or for a signal."),
    ],
    payload: Annotated[
        str,
        typer.Option(
            "--payload",
            metavar="JSON|@FILE",
            help="The value that the step is given; - is standard input. Unset: null.",
        ),
    ] = "null",
) -> Said:
    """Give a step that failed a value, and go on with the run."""
    from reactor_operator.cli.asked import parse_payload

    return {"step": step, "payload": parse_payload(payload)}


def resume(
    step: Annotated[str, typer.Option("--step", help="The interrupt: approve, or rows[7]/approve in a map.")],
    payload: Annotated[
        str,
        typer.Option("--payload", metavar="JSON|@FILE", help="What it waits for; - is standard input. Unset: null."),
    ] = "null",
    flexible: Annotated[
        bool, typer.Option("--flexible", help="An invalid payload does not fail the step, even where it is strict.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the payload, and change nothing.")] = False,
) -> Said:
    """Send an interrupt the payload that it waits for."""
    from reactor_operator.cli.asked import parse_payload

    said: dict[str, object] = {"step": step, "payload": parse_payload(payload)}
    return said | ({"mode": "flexible"} if flexible else {}) | ({"dryRun": True} if dry_run else {})


def suspend(
    off: Annotated[bool, typer.Option("--off", help="Let the run go on, also where spec.suspend is true.")] = False,
) -> Said:
    """Hold a run still: nothing new starts and nothing is rolled back until it goes on. What is in flight ends."""
    return {"suspend": False} if off else {}


def add_requests(app: typer.Typer) -> None:
    """Add a command for each request."""
    for says in (cancel, undo, retry, skip, resume, suspend):
        app.command(says.__name__)(_command(says.__name__, says))


def _command(action: str, says: Callable[..., Said]) -> Callable[..., None]:
    """Return the command: it takes what `says` takes, and what all of them take around it."""

    def command(
        run: RunName,
        reason: Reason = "",
        state: StateFile = None,
        path: ManifestsOption = ".",
        namespace: Namespace = None,
        context: Context = None,
        kubeconfig: Kubeconfig = None,
        **own: object,
    ) -> None:
        from reactor_operator.cli.asked import Asked
        from reactor_operator.cli.signals import signal_command

        asked = Asked(run=run, action=action, said={**says(**own), **({"reason": reason} if reason else {})})
        target = ClusterOptions(namespace, context, kubeconfig)
        raise typer.Exit(signal_command(asked, target, StateOptions(state, path)))

    run, *shared = list(inspect.signature(command).parameters.values())[:-1]
    added = inspect.signature(says).parameters.values()
    command.__signature__ = inspect.Signature([run, *added, *shared])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in (run, *added, *shared)}
    command.__doc__ = says.__doc__
    return command
