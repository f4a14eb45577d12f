"""What the processes have in common: names, the key, and how `reactor_operator.__main__` sets a process up."""

import gc

INSTALLATION = "bench"
KEY = b"0123456789abcdef0123456789abcdef"


def settle() -> None:
    """Collect garbage as rarely as the operator and the gateway do."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
