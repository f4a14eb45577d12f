"""The service that makes reports. It takes its time, and calls back when one is there."""


def request(month: str) -> dict:
    print(f"the report of {month} is asked for")
    return {"request": f"report-{month}"}


def withdraw(month: str, **_: object) -> None:
    print(f"the report of {month} is not wanted any more")
