"""Proofs of deliveries: two ways to sign, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.proofs import WINDOW_SECONDS, parse_proof, verify
from reactor_operator.notifications.signing import sign
from tests.contract.signed import signed

KEY = b"0123456789abcdef0123456789abcdef"
OTHER = b"another-key-another-key-another-"
SECOND = 1_700_000_000
NOW = SECOND * 1_000
BODY = b'{"id": "r-1"}'


def standard(
    body: bytes = BODY, *, key: bytes = KEY, name: str = "msg_1", second: object = SECOND, after: str = ""
) -> dict[str, str]:
    return signed(body, key, second, id_=name, after=after)


def ours(body: bytes = BODY, *, key: bytes = KEY, second: int = SECOND) -> dict[str, str]:
    return {"reactor-signature": sign(key, body, second)}


def proven(headers: dict[str, str], body: bytes = BODY, *, key: bytes = KEY, now: int = NOW) -> str:
    return verify(parse_proof(headers), body, key, now)


def refused(headers: dict[str, str], body: bytes = BODY, *, key: bytes = KEY, now: int = NOW) -> str:
    with pytest.raises(Refusal) as refusal:
        proven(headers, body, key=key, now=now)
    assert refusal.value.code == 401
    return str(refusal.value)


def test_the_published_example_of_standard_webhooks_is_proven() -> None:
    """The vector of the specification's own libraries."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    key = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert proven(headers, b'{"test": 2432232314}', key=key, now=1_614_265_330_000) == headers["webhook-id"]


def test_a_notification_of_ours_proves_itself_and_its_body_is_its_id() -> None:
    assert proven(ours()) == proven(ours(second=SECOND + 10), now=NOW + 10_000)
    assert proven(ours()) != proven(ours(b"{}"), b"{}")


def test_while_keys_change_one_signature_of_several_is_enough() -> None:
    two = standard(key=OTHER, after=" " + standard()["webhook-signature"] + " v1a,unknown v2,x")
    assert proven(two) == "msg_1"
    assert "no signature" in refused(standard(key=OTHER, after=" " + standard(key=b"x" * 16)["webhook-signature"]))


@pytest.mark.parametrize("headers", [standard(), ours()])
def test_with_another_key_or_body_nothing_is_proven(headers: dict[str, str]) -> None:
    assert "no signature" in refused(headers, key=OTHER)
    assert "no signature" in refused(headers, BODY + b" ")


@given(st.integers(-2 * WINDOW_SECONDS, 2 * WINDOW_SECONDS), st.booleans())
def test_a_delivery_counts_for_five_minutes_before_and_after(off: int, is_standard: bool) -> None:
    headers = standard(second=SECOND + off) if is_standard else ours(second=SECOND + off)
    if abs(off) <= WINDOW_SECONDS:
        assert proven(headers)
    else:
        assert "sign it anew" in refused(headers)


def test_what_is_signed_cannot_be_changed() -> None:
    for changed in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(SECOND + 1)}):
        assert "no signature" in refused({**standard(), **changed})


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({}, "expected Webhook-Id, Webhook-Timestamp and Webhook-Signature, or Reactor-Signature"),
        ({"webhook-signature": "v1,AAAA"}, "Webhook-Id"),
        (standard(name=""), "Webhook-Id"),
        (standard(name="two words"), "Webhook-Id"),
        (standard(name="x" * 97), "Webhook-Id"),
        (standard(second="now"), "Webhook-Timestamp"),
        (standard(second="-1"), "Webhook-Timestamp"),
        (standard(second="١٧٠٠"), "Webhook-Timestamp"),
        ({**standard(), "webhook-signature": ""}, "Webhook-Signature"),
        ({**standard(), "webhook-signature": "v1,not base64"}, "Webhook-Signature"),
        ({**standard(), "webhook-signature": "v1,é"}, "Webhook-Signature"),
        ({**standard(), "webhook-signature": "v1," + "A" * 100_000}, "no signature"),
        ({"reactor-signature": "v1=00"}, "Reactor-Signature"),
        ({"reactor-signature": f"t={SECOND},v1={'0' * 63}"}, "Reactor-Signature"),
        ({"reactor-signature": f"t={'9' * 30},v1={'0' * 64}"}, "Reactor-Signature"),
    ],
)
def test_what_proves_nothing_is_told_what_is_expected(headers: dict[str, str], word: str) -> None:
    assert word in refused(headers)


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "reactor-signature"]), st.text()
    )
)
def test_whatever_the_headers_are_a_delivery_is_proven_or_refused(headers: dict[str, str]) -> None:
    refused(headers)


def test_a_key_that_only_looks_encoded_is_taken_as_it_is() -> None:
    key = b"whsec_this is no base64 at all"
    assert proven(standard(key=key), key=key) == "msg_1"
