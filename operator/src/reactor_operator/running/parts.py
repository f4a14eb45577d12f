"""Parts of a process that run for ever: one that ends by itself ends the process.

In: a coroutine and its name. Out: nothing. Never here: what a part does.
"""

from collections.abc import Coroutine


class EndedEarly(Exception):
    """A part that runs for ever has ended; the process is of no use any more."""


async def forever(name: str, part: Coroutine[None, None, None]) -> None:
    """Run a part until it is cancelled. Raises EndedEarly, or what the part raises."""
    await part
    raise EndedEarly(f"{name}: ended by itself")
