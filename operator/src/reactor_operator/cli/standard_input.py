"""Standard input, where a command line says `-`.

In: nothing. Out: its text. Never here: what the text means.
"""

import sys

from reactor_operator.cli.errors import Unreadable

SHOWN = "stdin"


def read_standard_input() -> str:
    """Return all of standard input, which can be read once. Raises Unreadable."""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(SHOWN, 1, "not UTF-8 text, expected YAML or JSON") from None
