"""One result made of those of all users."""

from typing import Any

from reactor import ResultEnumerator

LISTED = 100


def summarize(results: ResultEnumerator) -> dict[str, Any]:
    """Return how many were archived and how large they are, and who was kept and why."""
    kept = [user.failure["message"] for user, _ in zip(results.failures, range(LISTED), strict=False)]
    size = sum(user["bytes"] for user in results.successes)
    return {"archived": results.succeeded, "bytes": size, "failed": results.failed, "kept": kept}
