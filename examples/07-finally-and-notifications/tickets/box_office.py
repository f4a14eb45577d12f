"""The box office: seats and money of one order."""

from typing import Any

from reactor import Failure

PRICE = 4000


def hold(order: str, seats: int) -> dict[str, Any]:
    return {"order": order, "seats": seats, "amount": PRICE * seats}


def free(order: str, **_: object) -> None:
    print(f"the seats of {order} are free again")


def charge(hold: dict[str, Any], card: str) -> dict[str, Any]:
    if card == "expired":
        raise Failure("the card has expired", retryable=False)
    return {"order": hold["order"], "paid": hold["amount"]}


def void(hold: dict[str, Any], **_: object) -> None:
    print(f"the payment of {hold['order']}, if there is one, is void")


def close_counter(order: str, phase: str, why: str) -> str:
    return f"{order}: {phase}" + (f" ({why})" if why else "")
