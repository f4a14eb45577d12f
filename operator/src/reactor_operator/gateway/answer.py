"""What a service of the gateway answers with.

In: bytes. Out: an `Answer` for `app` to send. Never here: errors (`Refusal`).
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """A body to send with `code`. `held` is its turn, to be given back once it is sent.

    waited_seconds: for so long there was nothing to answer; no work of ours.
    """

    body: bytes
    content_type: str = "application/json"
    held: AsyncExitStack = field(default_factory=AsyncExitStack)
    waited_seconds: float = 0.0
    code: int = 200
