"""What a worker itself says in the log of its pod.

In: a line. Out: the line, to stderr. Never here: a line for each task.
"""

import sys


def say(message: str) -> None:
    """Print a line, if anybody reads."""
    try:
        print(f"reactor pool: {message}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
