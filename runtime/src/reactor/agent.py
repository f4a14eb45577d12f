"""The agent in a Python pod: check in, do the task, report, end.

In: the environment of the pod. Out: an outcome at the gateway and in the termination message; the exit code.
Never here: a handler called for a task that is closed, superseded or spoken for by another process.

The termination message is written before the outcome is sent: whatever ends this process between the two, kubelet hands
the operator the same outcome (or, above 3 KiB, its digest). Exit codes: 0 the handler succeeded, skipped, halted or
continued, or was not called because the task is closed · 1 it failed, so that kubectl shows `Error` · 2 the
environment makes no sense · 143 the pod was told to stop before the handler was called.

SIGTERM sets the handler's cancellation; a handler that ends within the pod's grace period still reports.
"""

import os
import sys

from reactor.connection import BadAddress
from reactor.context import Cancellation
from reactor.environment import TERMINATION_LOG, BadEnvironment
from reactor.gateway import Gateway, GatewayAway

TYPE_CHECKING = False
if TYPE_CHECKING:
    from reactor.connection import Answer
    from reactor.environment import TaskEnvironment
STOPPED = 143


def run_agent() -> int:
    """Do the task of this pod and return the exit code."""
    cancellation = _listen()
    try:
        gateway = Gateway(os.environ)
        answer = _check_in(gateway, cancellation)
        if answer is None:
            return STOPPED
        if answer.status in (409, 410):
            _say(f"nothing to do: {_text(answer)}")
            return 0
        environment = _environment()
    except (BadEnvironment, BadAddress) as problem:
        return _cannot_start(str(problem), 2)
    except GatewayAway as problem:
        return STOPPED if cancellation.requested else _cannot_start(str(problem), 1)
    if answer.status != 200:
        return _cannot_start(f"the gateway refused the check-in with status {answer.status}: {_text(answer)}", 1)
    if cancellation.requested:
        return STOPPED
    return _do(gateway, environment, answer.body, cancellation)


def _listen() -> Cancellation:
    from signal import SIGTERM, signal

    cancellation = Cancellation()
    signal(SIGTERM, lambda *_: cancellation.set())
    return cancellation


def _check_in(gateway: Gateway, cancellation: Cancellation) -> "Answer | None":
    """Check in; while the gateway answers, import what doing the task needs. None: told to stop meanwhile."""
    try:
        gateway.send("POST", "check-in")
        sent = True
    except OSError:
        sent = False
    from reactor import calling  # noqa: F401

    if cancellation.requested:
        return None
    return gateway.ask("POST", "check-in", sent=sent, pause=cancellation.wait)


def _environment() -> "TaskEnvironment":
    from reactor.environment import TaskEnvironment

    return TaskEnvironment(os.environ)


def _do(gateway: Gateway, environment: "TaskEnvironment", assignment: bytes, cancellation: Cancellation) -> int:
    from json import loads

    from reactor.calling import Call, has_sensitive_result, perform, publish, shown
    from reactor.documents import plain_failure
    from reactor.processes import end_children, lead_group

    lead_group()
    try:
        given = loads(assignment)
    except (ValueError, RecursionError) as problem:
        return _cannot_start(f"the gateway's answer to the check-in is not JSON: {problem}", 1)
    if not isinstance(given, dict):
        return _cannot_start("the gateway's answer to the check-in is not a JSON object", 1)
    publish(environment.action, given, os.environ)
    document = shown(perform(Call(environment, given, cancellation, gateway.read_page)), given)
    gateway.sensitive = sensitive = has_sensitive_result(given)
    write_termination_message(document, sensitive=sensitive)
    heard = _report(gateway, document)
    if heard == 413:
        document = plain_failure(
            "InvalidResult", f"the gateway refused an outcome of {len(document)} bytes as too large"
        )
        write_termination_message(document)
        _report(gateway, document)
    end_children()
    return 1 if document.startswith(b'{"type":"failed"') else 0


def _report(gateway: Gateway, document: bytes) -> int:
    """Send the outcome; whatever is answered, the termination message has it too. Return the status, 0 for none."""
    try:
        answer = gateway.ask("PUT", "outcome", document)
    except GatewayAway as problem:
        _say(f"{problem}; the outcome is in the termination message")
        return 0
    if answer.status != 200:
        _say(f"the outcome was not taken: {_text(answer)}")
    return answer.status


def write_termination_message(document: bytes, *, sensitive: bool = False) -> None:
    """Leave the outcome (or its digest) where kubelet finds it when this container has ended, for whatever reason.

    sensitive: anyone who may look at the pod would read the result there.
    """
    from reactor.documents import termination_message

    path = os.environ.get("REACTOR_TERMINATION_LOG", TERMINATION_LOG)
    try:
        with open(path, "wb") as file:
            file.write(termination_message(document, sensitive=sensitive))
    except OSError as problem:
        _say(f"the termination message cannot be written to {path}: {problem}")


def _cannot_start(message: str, code: int) -> int:
    """Report, in the only place that is left, that the handler was never called."""
    from reactor.documents import plain_failure

    _say(message)
    write_termination_message(plain_failure("CannotStart", message))
    return code


def _text(answer: "Answer") -> str:
    return f"{answer.status} {answer.body[:500].decode('utf-8', 'replace')}".rstrip()


def _say(message: str) -> None:
    try:
        print(f"reactor: {message}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return  # the handler closed it: what is left to do matters more than a line in the log


def end(code: int) -> None:
    """End this process now, with its exit hooks but without waiting for threads that a handler left running."""
    import atexit
    from signal import SIGTERM, signal

    # The outcome is known: whoever wants the pod gone gets it at once (as process 1 the default would be to ignore).
    signal(SIGTERM, lambda *_: os._exit(STOPPED))
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # the handler closed it, or nobody reads
    os._exit(code)
