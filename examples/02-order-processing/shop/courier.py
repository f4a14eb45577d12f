"""The courier, whose office in Stormhaven is down."""

OFFLINE = {"Stormhaven"}


def ship(order_id: str, address: dict, parcels: list[str]) -> dict:
    if address["city"] in OFFLINE:
        raise ConnectionError(f"the courier's office in {address['city']} does not answer")
    print(f"booked a courier to {address['city']} for {len(parcels)} parcels")
    return {"tracking": f"track-{order_id}"}


def withdraw(order_id: str, **_: object) -> None:
    """Clean up after a booking that failed: it may have reached the courier all the same."""
    print(f"withdrew the booking for {order_id}, if there was one")


def cancel(order_id: str, result: dict | None, **_: object) -> None:
    tracking = result["tracking"] if result else order_id
    print(f"cancelled shipment {tracking}")
