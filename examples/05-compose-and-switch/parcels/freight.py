"""Lorries."""

from typing import Any


def book_lane(weight: float) -> dict[str, Any]:
    """Reserve room on a lorry."""
    lane = "north" if weight < 500 else "heavy"
    print(f"lane {lane} booked")
    return {"lane": lane}


def release_lane(**_: Any) -> None:
    """Give the room back."""
    print("lane released")


def load(lane: dict[str, Any], order: str) -> str:
    """Load the lorry."""
    print(f"{order} loaded")
    return f"lorry {lane['lane']}"
