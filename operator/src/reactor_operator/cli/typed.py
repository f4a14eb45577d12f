"""What several commands take from the command line in the same words: their arguments and options.

In: nothing. Out: annotated types, as typer reads them. Never here: what a command does with them.
"""

from pathlib import Path
from typing import Annotated

import typer

from reactor_operator.cli.options import Output

Paths = Annotated[list[str], typer.Argument(metavar="FILE|DIR...", help="Manifests; `-` reads standard input.")]
OnePath = Annotated[str, typer.Argument(metavar="FILE|DIR", help="Manifests; `-` reads standard input.")]
InputsFile = Annotated[
    str | None, typer.Option("--inputs", metavar="FILE|-", help="Inputs as YAML or JSON, over the run's.")
]
SetInputs = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One input: a.b=1. JSON if it parses, else text. May be repeated."),
]
ReactorName = Annotated[
    str | None, typer.Option("--reactor", metavar="NAME", help="Which Reactor, where there are several.")
]
Namespace = Annotated[str | None, typer.Option("-n", "--namespace", help="Namespace. Default: that of the context.")]
Context = Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")]
Kubeconfig = Annotated[
    str | None, typer.Option("--kubeconfig", metavar="FILE", help="Default: KUBECONFIG or ~/.kube/config.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of the ReactorRun.")]
Reason = Annotated[str, typer.Option("--reason", help="Shown in the run's status.")]
StateFile = Annotated[
    Path | None, typer.Option("--state", metavar="FILE", help="The run is in this file of `reactor run --state`.")
]
ManifestsOption = Annotated[
    str, typer.Option("--manifests", metavar="FILE|DIR", help="With --state: where the manifests of the run are.")
]
Format = Annotated[Output, typer.Option("-o", "--output", help="How to print it.")]
