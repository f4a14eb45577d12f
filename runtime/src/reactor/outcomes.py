"""What a handler may raise instead of returning a value.

In: what the author of a handler wants said. Out: four exceptions. Never here: how they travel (`documents`).
"""


class Failure(Exception):
    """The action failed, and this is what to tell people: `raise Failure("card declined", retryable=False)`.

    retryable: False where another attempt cannot help.
    details:   any JSON, kept with the failure and handed to the step's compensate.
    """

    def __init__(self, message: str, retryable: bool = True, details: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = retryable
        self.details = details


class Skipped(Exception):
    """There was nothing to do: the step is Skipped with `value` as its result and is never undone."""

    def __init__(self, value: object = None) -> None:
        super().__init__(value)
        self.value = value


class Halt(Exception):
    """The run ends here on purpose: nothing new starts, all is kept, nothing is undone."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Continue(Exception):
    """In a compensate: the step is repaired and counts as succeeded with `value`; the run goes on."""

    def __init__(self, value: object = None) -> None:
        super().__init__(value)
        self.value = value


for _shown in (Failure, Skipped, Halt, Continue):
    _shown.__module__ = "reactor"  # the name that users import, in their tracebacks too
