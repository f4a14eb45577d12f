"""What can go wrong with a task or a run: the closed set of failure kinds and what each implies.

In: nothing. Out: `FailureKind`, its `KindRule`, and the `Failure` that tasks report and runs keep.
Never here: a decision about what happens next; that is `decide`.
"""

from dataclasses import dataclass
from enum import StrEnum

from reactor_operator.engine.values import ValueRef

MESSAGE_LIMIT = 1024


class FailureKind(StrEnum):
    """The closed set of kinds, as users write them in `retryOn` and read them in status."""

    ERROR = "Error"
    EXIT_CODE = "ExitCode"
    FATAL = "Fatal"
    INVALID_PAYLOAD = "InvalidPayload"
    TIMEOUT = "Timeout"
    OUT_OF_MEMORY = "OutOfMemory"
    NO_OUTCOME = "NoOutcome"
    RESULT_LOST = "ResultLost"
    LOST = "Lost"
    INVALID_RESULT = "InvalidResult"
    INVALID_ARGUMENTS = "InvalidArguments"
    EXPRESSION = "Expression"
    CANNOT_START = "CannotStart"
    STORE_QUOTA = "StoreQuota"
    INVALID_INPUTS = "InvalidInputs"
    INVALID_REACTOR = "InvalidReactor"
    REACTOR_NOT_FOUND = "ReactorNotFound"
    RUN_TIMEOUT = "RunTimeout"
    TOO_MANY_RUNS = "TooManyRuns"
    UNCERTAIN = "Uncertain"


class Certainty(StrEnum):
    """Whether it is known what a task that failed this way did to the world."""

    CERTAIN = "certain"
    UNCERTAIN = "uncertain"
    NEVER_STARTED = "never started"


@dataclass(frozen=True, slots=True)
class KindRule:
    """How failures of one kind are treated: what is known of their effect, and whether trying again may help."""

    certainty: Certainty
    retryable: bool


_C, _U, _N = Certainty.CERTAIN, Certainty.UNCERTAIN, Certainty.NEVER_STARTED
RULES: dict[FailureKind, KindRule] = {
    FailureKind.ERROR: KindRule(_C, True),
    FailureKind.EXIT_CODE: KindRule(_C, True),
    FailureKind.FATAL: KindRule(_C, False),
    FailureKind.INVALID_PAYLOAD: KindRule(_C, False),
    FailureKind.TIMEOUT: KindRule(_U, True),
    FailureKind.OUT_OF_MEMORY: KindRule(_U, True),
    FailureKind.NO_OUTCOME: KindRule(_U, True),
    FailureKind.RESULT_LOST: KindRule(_U, True),
    FailureKind.LOST: KindRule(_U, False),
    FailureKind.INVALID_RESULT: KindRule(_U, False),
    FailureKind.INVALID_ARGUMENTS: KindRule(_N, False),
    FailureKind.EXPRESSION: KindRule(_N, False),
    FailureKind.CANNOT_START: KindRule(_N, False),
    FailureKind.STORE_QUOTA: KindRule(_N, False),
    FailureKind.INVALID_INPUTS: KindRule(_N, False),
    FailureKind.INVALID_REACTOR: KindRule(_N, False),
    FailureKind.REACTOR_NOT_FOUND: KindRule(_N, False),
    FailureKind.RUN_TIMEOUT: KindRule(_N, False),
    FailureKind.TOO_MANY_RUNS: KindRule(_N, False),
    FailureKind.UNCERTAIN: KindRule(_U, False),
}
RETRYABLE_KINDS = tuple(kind for kind, rule in RULES.items() if rule.retryable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure: its kind, one message of at most `MESSAGE_LIMIT` characters, and where the details are.

    `retryable` may narrow what the kind allows (`Failure(retryable=False)` in a handler), never widen it.
    `detail` points to a JSON object with the traceback, file, line and source of a Python exception, or the
    `details` its author gave.
    """

    kind: FailureKind
    message: str
    retryable: bool = True
    exception: str | None = None
    detail: ValueRef | None = None

    @property
    def certainty(self) -> Certainty:
        """What is known of the effects of the task that failed so."""
        return RULES[self.kind].certainty

    @property
    def may_retry(self) -> bool:
        """Whether another attempt may be made at all."""
        return self.retryable and RULES[self.kind].retryable


def render_message(text: str) -> str:
    """Cut a message to `MESSAGE_LIMIT` characters and drop what no terminal, log or API server accepts."""
    clean = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= MESSAGE_LIMIT else clean[: MESSAGE_LIMIT - 1] + "…"
