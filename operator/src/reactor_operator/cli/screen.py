"""Which progress suits a stream.

In: a stream, and whether it is for one document alone. Out: a `Progress`. Never here: how it looks.
"""

from typing import TextIO

from reactor_operator.cli.progress import Lines, Progress, Silence


def progress_for(out: TextIO, *, silent: bool) -> Progress:
    """Return the progress that suits a stream: a tree on a terminal, else lines."""
    if silent:
        return Silence()
    if out.isatty():
        from reactor_operator.cli.tree import Tree

        return Tree()
    return Lines(out)
