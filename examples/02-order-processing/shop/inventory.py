"""The warehouse: takes goods off the shelf, and puts them back.

A handler gets the arguments of its step by name, in undo and compensate too; `result` is what the step returned.
"""


def reserve(order_id: str, items: list[dict]) -> dict:
    total = sum(item["quantity"] * item["price"] for item in items)
    parcels = [f"{item['quantity']} × {item['sku']}" for item in items]
    print(f"reserved {', '.join(parcels)} for {order_id}")
    return {"id": f"reservation-{order_id}", "parcels": parcels, "total": total}


def release_partial(order_id: str, items: list[dict]) -> None:
    """Clean up after a reservation that failed half-way: safe to call whatever it managed to do."""
    print(f"released whatever was reserved for {order_id}")


def release(order_id: str, items: list[dict], result: dict | None) -> None:
    parcels = ", ".join(result["parcels"]) if result else "everything"
    print(f"put {parcels} of {order_id} back on the shelf")
