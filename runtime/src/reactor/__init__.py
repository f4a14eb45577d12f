"""What the author of a handler imports: `from reactor import Failure, Skipped, Halt, Continue, Context`.

In: nothing. Out: the exceptions a handler may raise, the context it may ask for, and the results of a map.
Never here: anything that costs import time; every Python pod pays for it before its handler is called.
"""

from reactor.context import Cancellation, Context
from reactor.outcomes import Continue, Failure, Halt, Skipped
from reactor.results import ElementResult, ResultEnumerator

__all__ = [
    "Cancellation",
    "Context",
    "Continue",
    "ElementResult",
    "Failure",
    "Halt",
    "ResultEnumerator",
    "Skipped",
]
