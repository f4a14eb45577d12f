"""Who a task is: names, keys and jitter are functions of its identity, so that doing a thing twice gives the same name.

In: a run's uid and a `Task`. Out: its key, the pod's name, the idempotency key, a number for jitter.
Never here: randomness, clocks, secrets (a token is an HMAC made in the shell).
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What a task does for its step: the step itself, cleaning up its own failure, or reversing its success."""

    RUN = "run"
    COMPENSATE = "compensate"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Task:
    """One launch that does one action for a step.

    `path` is the step's place in the run (`ship` or, nested, `ship/book-courier`, `rows[7]/store`); `round`,
    `attempt` and `launch` count from 1.
    """

    path: str
    action: Action
    round: int
    attempt: int
    launch: int

    @property
    def key(self) -> str:
        """The task in one word, unique in its run: `ship.run.1.1.1`."""
        return f"{self.path}.{self.action.value}.{self.round}.{self.attempt}.{self.launch}"


_TASK_KEY = re.compile(
    r"(?P<path>[^.\s]{1,1024})\.(?P<action>run|compensate|undo)\.(\d{1,19})\.(\d{1,9})\.(\d{1,9})", re.ASCII
)


def parse_task_key(key: str) -> Task | None:
    """Return the task that `key` names, or None where it names none (keys come from outside)."""
    found = _TASK_KEY.fullmatch(key)
    if found is None:
        return None
    path, action, round_, attempt, launch = found.groups()
    return Task(path, Action(action), int(round_), int(attempt), int(launch))


def digest_of(*parts: object) -> str:
    """Return 32 hex digits that name `parts`; a NUL between parts keeps ("a", "bc") apart from ("ab", "c")."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def pod_name(run_name: str, run_uid: str, task: Task) -> str:
    """Return the task's pod (or Job) name: a DNS label of at most 63 characters, readable first, unique by hash."""
    readable = re.sub(r"[^a-z0-9-]+", "-", f"{run_name[:24]}-{task.path.rsplit('/', 1)[-1][:20]}".lower()).strip("-")
    suffix = "" if task.action is Action.RUN else f"-{task.action.value[0]}"
    return f"{readable or 'task'}{suffix}-{digest_of(run_uid, task.key)[:12]}"


def idempotency_key(run_key: str, path: str, action: Action, round_: int) -> str:
    """Return the key a task hands to the services it calls: the same over attempts and launches, new after a retry.

    `run_key` is the run's uid, or names the business transaction that the run is.
    """
    return digest_of("idempotency", run_key, path, action.value, round_)


def jitter_fraction(run_uid: str, task: Task) -> float:
    """Return a number in [0, 1) that depends on the task alone."""
    return int(digest_of("jitter", run_uid, task.key)[:8], 16) / 2**32
