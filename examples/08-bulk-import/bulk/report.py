"""What is done with the results of all rows. They are read page by page, so there may be any number of them."""

from pathlib import Path
from typing import Any

from reactor import Context, Failure, ResultEnumerator

FIRST = 3


def check(results: ResultEnumerator, total: int) -> int:
    """Compare what was imported with what the sender says that it adds up to."""
    found = sum(results.successes)
    if found != total:
        raise Failure(
            f"the balances of {results.succeeded:,} customers add up to {found / 100:,.2f}, the sender says "
            f"{total / 100:,.2f}",
            retryable=False,
        )
    return found


def write(results: ResultEnumerator, file: str, folder: str, context: Context) -> dict[str, Any]:
    """Write the report that goes back to the sender: what to mend, and in which line."""
    path = Path(folder, f"report-{context.run}.txt")
    first = []
    with path.open("w", encoding="utf-8") as report:
        print(f"{file}: {results.succeeded} of {results.total} rows imported, {results.failed} rejected", file=report)
        for row in results.failures:
            print(row.failure["message"], file=report)
            if len(first) < FIRST:
                first.append(row.failure["message"])
    print(f"{path}: {results.failed} lines to mend")
    return {"imported": results.succeeded, "rejected": results.failed, "first": first, "report": str(path)}
