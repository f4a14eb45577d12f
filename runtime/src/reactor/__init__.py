"""What the author of a handler imports: `from reactor import Failure, Skipped, Halt, Continue, Context`.

In: nothing. Out: the exceptions a handler may raise and the context it may ask for.
Never here: anything that costs import time; every Python pod pays for it before its handler is called.
"""

from reactor.context import Cancellation, Context
from reactor.outcomes import Continue, Failure, Halt, Skipped

__all__ = ["Cancellation", "Context", "Continue", "Failure", "Halt", "Skipped"]
