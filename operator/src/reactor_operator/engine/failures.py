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
    HTTP = "Http"
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
    KEY_CONFLICT = "KeyConflict"
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
    FailureKind.HTTP: KindRule(_U, True),
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
    FailureKind.KEY_CONFLICT: KindRule(_N, False),
    FailureKind.UNCERTAIN: KindRule(_U, False),
}
TELLS_CERTAINTY = frozenset({FailureKind.HTTP})
"""The kinds that leave it open: a failure says itself whether it is certain what the task did."""
RETRY_AFTER_LIMIT_MS = 3_600_000
RETRYABLE_KINDS = tuple(kind for kind, rule in RULES.items() if rule.retryable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure: its kind, one message of at most `MESSAGE_LIMIT` characters, and where the details are.

    `retryable` may narrow what the kind allows (`Failure(retryable=False)` in a handler), never widen it.
    `told` is what the task knows of its effects, where its kind leaves that open (`TELLS_CERTAINTY`).
    `retry_after_ms` is how long the service wants to be left alone, at most `RETRY_AFTER_LIMIT_MS`.
    `file` and `line` say where in the author's code. `detail` points to a JSON object that explains the failure:
    the lines around, the traceback, the last lines of a log, the `details` its author gave, or the answer to a request.
    """

    kind: FailureKind
    message: str
    retryable: bool = True
    exception: str | None = None
    file: str | None = None
    line: int | None = None
    detail: ValueRef | None = None
    told: Certainty | None = None
    retry_after_ms: int = 0

    @property
    def certainty(self) -> Certainty:
        """What is known of the effects of the task that failed so."""
        told = self.told if self.kind in TELLS_CERTAINTY else None
        return told or RULES[self.kind].certainty

    @property
    def may_retry(self) -> bool:
        """Whether another attempt may be made at all."""
        return self.retryable and RULES[self.kind].retryable


def render_message(text: str) -> str:
    """Cut a message to `MESSAGE_LIMIT` characters and drop what no terminal, log or API server accepts."""
    cut = text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"
    return printable(cut)


def printable(text: str, keep: str = "\n\t") -> str:
    """Return `text` with every letter that could move a cursor, or has no form in UTF-8, replaced by U+FFFD."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in text)
