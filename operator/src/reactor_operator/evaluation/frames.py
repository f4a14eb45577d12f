"""Messages on the pipe between the evaluator and its worker: a length of four bytes, then JSON.

In: JSON values. Out: bytes, and back. Never here: what a message says.
"""

from typing import IO

import orjson

HEADER = 4


def render_frame(message: object) -> bytes:
    """Return `message` as one frame."""
    body = orjson.dumps(message)
    return len(body).to_bytes(HEADER, "big") + body


def read_frame(stream: IO[bytes]) -> object | None:
    """Return the next message, None where the pipe was closed."""
    header = stream.read(HEADER)
    if len(header) < HEADER:
        return None
    body = stream.read(int.from_bytes(header, "big"))
    message: object = orjson.loads(body)
    return message
