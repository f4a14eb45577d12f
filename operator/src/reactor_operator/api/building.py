"""Building many objects that all stay: the collector of cycles is asked to wait meanwhile.

In: a block that builds. Out: the same, in half the time where it builds hundreds of thousands. Never here: what is
built.

The collector looks through everything that lives each time it has grown by a quarter, and finds nothing in what is
being built: half of what checking 10,000 steps costs, and a jump at some sizes. Whoever turned it off turns it on
again; a thread that ends first only lets it work sooner, and nothing but time depends on that. What is many then goes
to the oldest generation at once (freezing and thawing does that, by moving lists): else it is walked through three
times on the way there. A process that has frozen what it began with keeps it frozen, and walks.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 50_000
"""Objects built: with fewer, a collection costs less than garbage that waits for a full one."""


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
        if gc.get_count()[0] > MANY and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        gc.enable()
