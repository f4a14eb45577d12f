"""The bank. Every call carries the idempotency key, so that charging twice takes the money once."""

from reactor import Context, Failure

DECLINED = {"4000000000000002": "insufficient funds"}


def charge(order_id: str, card: str, amount: int, context: Context) -> dict:
    if card in DECLINED:
        # Asking again will not help: no second attempt.
        raise Failure(f"card ending in {card[-4:]} was declined: {DECLINED[card]}", retryable=False)
    print(f"charged {amount / 100:.2f} to the card ending in {card[-4:]}")
    return {"id": f"payment-{context.idempotency_key[:8]}", "amount": amount}


def void(order_id: str, **_: object) -> None:
    """Clean up after a charge that failed: nothing to do when the bank knows of none."""
    print(f"voided open charges of {order_id}")


def refund(order_id: str, result: dict | None, **_: object) -> None:
    if result is None:
        print(f"refunded what was charged for {order_id}, if anything")
        return
    print(f"refunded {result['amount'] / 100:.2f} of {result['id']}")
