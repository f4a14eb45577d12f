"""The proof of a delivery: who sent it has the key, and sent it now.

In: headers and body of a request from anyone, a key. Out: the id of the delivery, or a `Refusal` (401).
Never here: what the delivery says; a key in a message.

Two ways to sign are known, each HMAC-SHA256 with the key that both sides have. Standard Webhooks: over
`ID.SECONDS.BODY`, of the headers Webhook-Id, Webhook-Timestamp and Webhook-Signature (`v1,BASE64`, more of them after
spaces while keys change). Ours, as notifications are signed: over `SECONDS.BODY`, of `Reactor-Signature:
t=SECONDS,v1=HEX`; there the digest of the body is the id.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor_operator.gateway.bodies import Refusal
from reactor_operator.notifications.signing import HEADER as OUR_HEADER

WINDOW_SECONDS = 300
"""How far the second in which a delivery was sent may be from now, into the past and into the future."""
ENCODED_KEY = b"whsec_"
"""What stands before a key that is written in base64."""
_SIGNATURES_AT_MOST = 8
_DIGITS = 32
_ID = re.compile(r"[!-~]{1,96}", re.ASCII)
_SECOND = re.compile(r"[0-9]{1,12}", re.ASCII)
_OURS = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a delivery brings to prove itself. `id` is empty where the body alone tells it from others.

    before: what is signed in front of the body.
    """

    id: str
    second: int
    before: bytes
    signatures: tuple[bytes, ...] = field(repr=False)


def parse_proof(headers: Mapping[str, str]) -> Proof:
    """Return the proof in the headers of a delivery. Raises Refusal (401)."""
    if "webhook-signature" in headers:
        return _standard(headers)
    if OUR_HEADER.lower() in headers:
        found = _OURS.fullmatch(headers[OUR_HEADER.lower()])
        if found is None:
            raise _refused(f"{OUR_HEADER}: expected t=SECONDS,v1=HEX")
        return Proof(id="", second=int(found[1]), before=f"{found[1]}.".encode(), signatures=(bytes.fromhex(found[2]),))
    raise _refused(f"expected Webhook-Id, Webhook-Timestamp and Webhook-Signature, or {OUR_HEADER}")


def verify(proof: Proof, body: bytes, key: bytes, now_ms: int) -> str:
    """Return the id of a delivery whose proof holds. Raises Refusal (401)."""
    expected = hmac.new(_raw(key), proof.before + body, hashlib.sha256).digest()
    if not any([hmac.compare_digest(expected, one) for one in proof.signatures]):  # noqa: C419 - all, whichever it is
        raise _refused("no signature of the delivery is made with the key of this webhook over what arrived")
    if abs(now_ms // 1_000 - proof.second) > WINDOW_SECONDS:
        raise _refused(f"the delivery was signed more than {WINDOW_SECONDS} s before or after now: sign it anew")
    return proof.id or hashlib.sha256(body).hexdigest()[:_DIGITS]


def _standard(headers: Mapping[str, str]) -> Proof:
    name, second = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _ID.fullmatch(name):
        raise _refused("Webhook-Id: expected 1 to 96 printable ASCII characters")
    if not _SECOND.fullmatch(second):
        raise _refused("Webhook-Timestamp: expected seconds since the epoch")
    words = headers["webhook-signature"].split(" ", _SIGNATURES_AT_MOST)[:_SIGNATURES_AT_MOST]
    signatures = tuple(filter(None, map(_signature, words)))
    if not signatures:
        raise _refused("Webhook-Signature: expected v1,BASE64")
    return Proof(id=name, second=int(second), before=f"{name}.{second}.".encode(), signatures=signatures)


def _signature(word: str) -> bytes | None:
    """Return a signature of the version that is known here, None where it is another one."""
    version, _, text = word.partition(",")
    try:
        return base64.b64decode(text, validate=True) if version == "v1" else None
    except (binascii.Error, ValueError):
        return None


def _raw(key: bytes) -> bytes:
    """Return the bytes of a key, which may be written as Standard Webhooks write it."""
    if not key.startswith(ENCODED_KEY):
        return key
    try:
        return base64.b64decode(key[len(ENCODED_KEY) :], validate=True)
    except binascii.Error:
        return key


def _refused(message: str) -> Refusal:
    return Refusal(401, message)
