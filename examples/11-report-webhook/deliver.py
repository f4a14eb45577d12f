"""Plays the service that makes reports: delivers what it is given to a webhook, signed as Standard Webhooks say.

    python deliver.py ADDRESS KEY '{"type": "report.finished", "data": {…}}' [ID]

KEY is what the Secret holds. ID names the delivery: the same one again changes nothing. Prints the code and the answer.
"""

import base64
import hashlib
import hmac
import sys
import time
import urllib.error
import urllib.request
import uuid


def deliver(address: str, key: bytes, body: bytes, name: str) -> tuple[int, str]:
    second = str(int(time.time()))
    made = hmac.new(key, f"{name}.{second}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "Content-Type": "application/json",
        "Webhook-Id": name,
        "Webhook-Timestamp": second,
        "Webhook-Signature": f"v1,{base64.b64encode(made).decode()}",
    }
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    address, key, body, *named = sys.argv[1:]
    code, said = deliver(address, key.encode(), body.encode(), named[0] if named else f"msg_{uuid.uuid4().hex}")
    print(code, said)
    sys.exit(0 if code < 300 else 1)
