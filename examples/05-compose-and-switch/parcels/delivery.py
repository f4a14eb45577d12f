"""A printer of labels and a courier who does not go everywhere."""

from typing import Any

from reactor import Failure


def print_label(order: str, address: str) -> dict[str, str]:
    """Print a label."""
    print(f"label for {order} printed")
    return {"order": order, "address": address}


def void_label(**_: Any) -> None:
    """Make the label worthless."""
    print("label voided")


def call_courier(label: dict[str, str], attempts: int) -> dict[str, str]:
    """Call the courier."""
    if "Stormhaven" in label["address"]:
        raise Failure(f"no courier goes to {label['address']}, asked {attempts} of them", retryable=False)
    print(f"courier called for {label['order']}")
    return {"by": "courier", "tracking": f"track-{label['order']}"}


def cancel_courier(**_: Any) -> None:
    """Tell the courier not to come."""
    print("courier cancelled")
