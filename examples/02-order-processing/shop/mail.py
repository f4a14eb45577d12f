"""Mail to customers. Nobody's order is rolled back because a receipt could not be sent."""

from reactor import Skipped


def receipt(order_id: str, email: str, payment: dict, tracking: str) -> dict:
    if not email:
        raise Skipped
    if "@" not in email:
        raise ValueError(f"'{email}' is no mail address")
    print(f"mailed {email}: {payment['amount'] / 100:.2f} paid, follow {tracking}")
    return {"to": email}
