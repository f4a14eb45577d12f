"""Building many objects that all stay: the collector of cycles is asked to wait meanwhile.

In: a block that builds. Out: the same, in half the time where it builds hundreds of thousands. Never here: what is
built.

The collector looks through everything that lives each time it has grown by a quarter, and finds nothing in what is
being built: half of what checking 10,000 steps costs, and a jump at some sizes. Whoever turned it off turns it on
again; a thread that ends first only lets it work sooner, and nothing but time depends on that.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def building() -> Iterator[None]:
    """Let no cycles be collected inside the block."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
