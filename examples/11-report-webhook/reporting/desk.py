"""Whoever publishes reports."""

from reactor import Failure


def publish(report: dict) -> dict:
    if report["status"] == "failed":
        why = report.get("reason", "no reason given")
        raise Failure(f"there is no report of {report['month']}: {why}", retryable=False)
    print(f"the report of {report['month']} is published, {report.get('rows', 0)} rows")
    return {"month": report["month"], "rows": report.get("rows", 0)}
