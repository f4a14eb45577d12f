"""The token of a task: proof that the operator gave the bearer the right to speak for this one launch.

In: the installation's key and the task's fence (`RUN-UID/TASK-KEY`, as in REACTOR_TASK). Out: the token.
Never here: expiry or state; a token is dead because its task is closed in the store.
"""

import hashlib
import hmac

SHORTEST_KEY = 16


def task_token(key: bytes, fence: str) -> str:
    """Return the token of the task that `fence` names: HMAC-SHA256 in 64 hex digits."""
    return hmac.new(key, fence.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def verify(key: bytes, fence: str, token: str) -> bool:
    """Say whether `token` (from outside, any text) is the one of `fence`, in time that tells nothing about it."""
    return hmac.compare_digest(task_token(key, fence).encode(), token.encode("utf-8", "surrogatepass"))
