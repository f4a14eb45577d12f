"""Deliveries signed as Standard Webhooks say."""

import base64
import hashlib
import hmac


def signed(body: bytes, key: bytes, second: object, *, id_: str = "msg_1", after: str = "") -> dict[str, str]:
    """Return the headers of a delivery. `after` stands behind its signature."""
    made = hmac.new(key, f"{id_}.{second}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(second),
        "webhook-signature": f"v1,{base64.b64encode(made).decode()}{after}",
    }
