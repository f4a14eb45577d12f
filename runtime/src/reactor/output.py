"""`python -m reactor output PATH`, beside a container: uploads its output file once the container has ended.

In: a path; SIGTERM, which kubelet sends to a native sidecar when the main container has ended. Out: the file at the
gateway. Never here: the outcome. Where the file is missing or too large there is nothing to upload, and the operator
reports it from the container's exit.
"""

import os
import sys
from errno import ELOOP
from stat import S_ISREG

from reactor.connection import BadAddress
from reactor.context import Cancellation
from reactor.documents import LIMIT
from reactor.environment import BadEnvironment
from reactor.gateway import JSON, Gateway, GatewayAway


def run_output(path: str) -> int:
    """Wait to be told that the container has ended, upload, and return the exit code."""
    from signal import SIGTERM, signal

    ended = Cancellation()
    signal(SIGTERM, lambda *_: ended.set())
    try:
        gateway = Gateway(os.environ)
    except (BadEnvironment, BadAddress) as problem:
        return _say(str(problem), 2)
    ended.wait()
    return _upload(gateway, path)


def _upload(gateway: Gateway, path: str) -> int:
    try:
        # The container may have made anything there: a link would lead to this container's files, a pipe never ends.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        found = os.fstat(descriptor)
        if not S_ISREG(found.st_mode):
            return _say(f"{path} is a folder, a pipe or a device, expected a plain file; it is not uploaded", 0)
        size = found.st_size
        if size > LIMIT:
            return _say(f"{path} has {size} bytes, expected at most {LIMIT} (32 MiB); it is not uploaded", 0)
        with open(descriptor, "rb") as file:
            content = file.read(LIMIT + 1)
    except FileNotFoundError:
        return _say(f"there is no {path}; nothing to upload", 0)
    except OSError as problem:
        if problem.errno == ELOOP:
            return _say(f"{path} is a symbolic link, expected a plain file; it is not uploaded", 0)
        return _say(f"{path} cannot be read: {problem}", 1)
    try:
        answer = gateway.ask("PUT", "output", content, JSON if _is_json(content) else "text/plain")
    except GatewayAway as problem:
        return _say(str(problem), 1)
    if answer.status == 200:
        return 0
    return _say(f"{path} was not taken: the gateway answered {answer.status}", 0 if answer.status in (410, 413) else 1)


def _is_json(content: bytes) -> bool:
    from json import loads

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        loads(content.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _say(message: str, code: int) -> int:
    print(f"reactor output: {message}", file=sys.stderr, flush=True)
    return code
