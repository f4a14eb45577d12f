"""`reactor graph`: a reactor drawn on stdout.

In: a path. Out: Mermaid or SVG text. Never here: how a graph is laid out or rendered.
"""

import sys

from reactor_operator.api.planning import plan_of
from reactor_operator.cli.choose import choose_reactor
from reactor_operator.cli.errors import EXIT_OK
from reactor_operator.cli.graph import graph_of, render_mermaid
from reactor_operator.cli.options import Picture
from reactor_operator.cli.svg import render_svg


def graph_command(path: str, *, reactor: str | None, picture: Picture) -> int:
    """Print the picture. Raises CommandError."""
    chosen = choose_reactor(path, reactor)
    graph = graph_of(chosen.manifest.name, chosen.blueprint, plan_of(chosen.blueprint, pending_timeout_ms=0))
    sys.stdout.write(render_svg(graph) if picture is Picture.SVG else render_mermaid(graph))
    return EXIT_OK
