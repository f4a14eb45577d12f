"""What is going on, for who waits: lines on stderr, so that the table alone is on stdout."""

import sys
import time

_BEGAN = time.monotonic()


def tell(text: str) -> None:
    """Print one line with the seconds since the start."""
    print(f"{time.monotonic() - _BEGAN:7.1f}  {text}", file=sys.stderr, flush=True)
