"""The token of a task fits its task alone."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.gateway.tokens import lease_proof, task_token, verify

KEY = b"k" * 32
FENCE = "uid/ship.run.1.1.1"


def test_a_token_is_an_hmac_in_hex() -> None:
    assert task_token(KEY, FENCE) == hmac.digest(KEY, FENCE.encode(), "sha256").hex()


def test_a_token_fits_its_task_and_key_alone() -> None:
    token = task_token(KEY, FENCE)
    assert verify(KEY, FENCE, token)
    assert not verify(KEY, "uid/ship.run.1.1.2", token)
    assert not verify(b"j" * 32, FENCE, token)


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_can_be_checked(fence: str, token: str) -> None:
    assert not verify(KEY, fence, token)


def test_a_proof_is_of_one_worker_and_one_task() -> None:
    proof = lease_proof(KEY, "pool/a/b/w", "run", "task")
    assert len(proof) == 32
    assert proof == lease_proof(KEY, "pool/a/b/w", "run", "task")
    others = [
        lease_proof(KEY, "pool/a/b/v", "run", "task"),
        lease_proof(KEY, "pool/a/b/w", "run2", "task"),
        lease_proof(KEY, "pool/a/b/w", "run", "task2"),
        lease_proof(KEY, "pool/a/b/w", "runtask", ""),
        lease_proof(b"another key of 32 bytes, or so...", "pool/a/b/w", "run", "task"),
    ]
    assert proof not in others
