"""The till."""

from typing import Any

PRICES = {"letter": 2, "parcel": 9, "freight": 140}


def take(order: str, size: str) -> dict[str, Any]:
    """Take the price of the size."""
    print(f"{order}: {PRICES[size]} taken")
    return {"order": order, "paid": PRICES[size]}


def void(order: str, size: str) -> None:
    """Take back a payment of which nobody knows whether it went through."""
    print(f"{order}: payment voided")


def refund(order: str, size: str, result: dict[str, Any] | None) -> None:
    """Give the money back."""
    print(f"{order}: {result['paid'] if result else 'whatever was taken'} refunded")
