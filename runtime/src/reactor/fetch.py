"""`python -m reactor fetch`, before a container: brings the documents that are too large for its environment.

In: names of documents (`arguments`, `result`, `failure`); none: those that the action has. Out: FOLDER/NAME.json, byte
for byte, readable by whatever user the container runs as. Never here: a container that starts without them: whatever
goes wrong is an exit code other than 0, and the pod's init container fails.
"""

import os
import sys

from reactor.connection import BadAddress
from reactor.environment import BadEnvironment, required
from reactor.gateway import Gateway, GatewayAway

NAMES = ("arguments", "result", "failure")


def run_fetch(names: list[str]) -> int:
    """Fetch documents and return the exit code."""
    folder = os.environ.get("REACTOR_DIRECTORY", "/reactor")
    try:
        wanted = names or _names_for(required(os.environ, "REACTOR_ACTION"))
        unknown = [name for name in wanted if name not in NAMES]
        if unknown:
            return _refuse(f"no document is called {', '.join(unknown)}; there are {', '.join(NAMES)}", 2)
        gateway = Gateway(os.environ)
        for name in wanted:
            answer = gateway.ask("GET", name)
            if answer.status == 404 and not names and name != "arguments":
                continue  # an uncertain step has no result
            if answer.status != 200:
                return _refuse(f"{name}: the gateway answered {answer.status}; the container is not started", 1)
            path = os.path.join(folder, f"{name}.json")
            with open(path, "wb") as file:
                file.write(answer.body)
            os.chmod(path, 0o644)
    except (BadEnvironment, BadAddress) as problem:
        return _refuse(str(problem), 2)
    except (GatewayAway, OSError) as problem:
        return _refuse(str(problem), 1)
    return 0


def _names_for(action: str) -> list[str]:
    return ["arguments", *{"undo": ["result"], "compensate": ["failure"]}.get(action, [])]


def _refuse(message: str, code: int) -> int:
    print(f"reactor fetch: {message}", file=sys.stderr, flush=True)
    return code
