"""An insurer who will not have everything."""

from typing import Any

from reactor import Failure

MOST = 1_000


def quote(value: int) -> dict[str, Any]:
    """Ask for a price; anything gets one."""
    print(f"quoted for {value}")
    return {"value": value, "premium": max(1, value // 100)}


def sign(quote: dict[str, Any]) -> dict[str, Any]:
    """Sign; only now somebody looks at the value."""
    if quote["value"] > MOST:
        raise Failure(f"the insurer takes nothing above {MOST}", retryable=False)
    print("signed")
    return {"policy": f"policy-{quote['value']}"}


def withdraw(**_: Any) -> None:
    """Tell the insurer that nothing came of it."""
    print("withdrawn")
