"""Sensitive values at the gateway: decrypted for their task alone, and encrypted before anything is recorded."""

import json

import httpx
import pytest

from reactor_operator.api.sensitivity import Sensitive
from reactor_operator.encryption import Key, Keyring
from reactor_operator.engine.events import TaskFailed, TaskSucceeded, TaskUploaded
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.app import create_app
from reactor_operator.gateway.record import OpenRecord, decode_record, encode_record
from reactor_operator.gateway.tokens import task_token
from reactor_operator.store.codec import decode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit
from tests.unit.outcomes.stores import FixedClock

TOKEN_KEY = b"0123456789abcdef0123456789abcdef"
KEYS = Keyring((Key(b"k" * 32),))
RUN, TASK = "uid", Task("pay", Action.RUN, 1, 1, 1)
ARGUMENTS = b'{"card":"CANARY"}'
SENSITIVE = Sensitive(arguments=frozenset({"card"}), result=True)


class Gateway:
    """A gateway over a store in memory, with one open task."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    async def open(self, sensitive: Sensitive = SENSITIVE) -> "Gateway":
        encrypted = KEYS.encrypt(RUN, "pay arguments", ARGUMENTS)
        ref = reference_to(encrypted)
        record = encode_record(OpenRecord(arguments=ref, sensitive=sensitive))
        commit = Commit(run=RUN, revision=0, epoch=1, values={ref.digest: encrypted}, opens={TASK.key: record})
        await self.store.commit(commit)
        return self

    async def ask(self, method: str, verb: str, keys: Keyring = KEYS, **sent: object) -> httpx.Response:
        app = create_app(self.store, TOKEN_KEY, FixedClock(0), keys=keys)
        headers = {
            "Authorization": f"Bearer {task_token(TOKEN_KEY, f'{RUN}/{TASK.key}')}",
            "Reactor-Nonce": "a" * 32,
            **(sent.pop("headers", {})),  # type: ignore[dict-item]
        }
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://g") as client:
            return await client.request(method, f"/v1/tasks/{RUN}/{TASK.key}/{verb}", headers=headers, **sent)  # type: ignore[arg-type]

    async def kept(self) -> bytes:
        """Return every byte of the run."""
        kept = repr(vars(self.store)).encode() + repr(await self.store.load(RUN)).encode()
        assert b"pay.run.1.1.1 result" in kept
        return kept

    async def last(self) -> object:
        snapshot = await self.store.load(RUN)
        assert snapshot is not None
        return decode_event(snapshot.inbox[-1][1])


async def test_a_check_in_brings_the_true_arguments_and_what_of_them_is_sensitive() -> None:
    answer = await (await Gateway().open()).ask("POST", "check-in")
    assert answer.json()["arguments"] == {"card": "CANARY"}
    assert answer.json()["sensitive"] == {"arguments": ["card"], "result": True, "request": False}


async def test_a_task_without_sensitive_values_is_told_nothing_of_them() -> None:
    gateway = await Gateway().open(Sensitive())
    assert "sensitive" not in (await gateway.ask("POST", "check-in")).json()
    assert b"sensitive" not in encode_record(OpenRecord())


async def test_a_sensitive_result_is_encrypted_before_it_is_recorded_and_may_be_repeated() -> None:
    gateway = await Gateway().open()
    document = b'{"type":"succeeded","result":"CANARY"}'
    for expected in ("recorded", "repeated"):
        answer = await gateway.ask("PUT", "outcome", content=document, headers={"Reactor-Sensitive": "true"})
        assert answer.json() == {"answer": expected}
    other = b'{"type":"succeeded","result":"other"}'
    refused = await gateway.ask("PUT", "outcome", content=other, headers={"Reactor-Sensitive": "true"})
    assert refused.status_code == 409
    event = await gateway.last()
    assert isinstance(event, TaskSucceeded)
    assert event.result is not None
    assert event.result.encrypted
    values = await gateway.store.get_values(RUN, frozenset({event.result.digest}))
    assert KEYS.decrypt(RUN, values[event.result.digest]) == b'"CANARY"'
    assert b"CANARY" not in await gateway.kept()


async def test_a_failure_of_a_sensitive_task_is_kept_as_it_was_told() -> None:
    gateway = await Gateway().open()
    document = json.dumps({"type": "failed", "failure": {"kind": "Error", "message": "no ***"}}).encode()
    await gateway.ask("PUT", "outcome", content=document, headers={"Reactor-Sensitive": "true"})
    event = await gateway.last()
    assert isinstance(event, TaskFailed)
    assert event.failure.message == "no ***"


async def test_an_uploaded_output_is_encrypted() -> None:
    gateway = await Gateway().open()
    for _ in range(2):
        assert (await gateway.ask("PUT", "output", content=b"CANARY")).status_code == 200
    event = await gateway.last()
    assert isinstance(event, TaskUploaded)
    assert event.result.encrypted
    assert b"CANARY" not in await gateway.kept()


@pytest.mark.parametrize(("method", "verb"), [("POST", "check-in"), ("GET", "arguments")])
async def test_without_the_key_the_task_is_asked_to_come_again(method: str, verb: str) -> None:
    answer = await (await Gateway().open()).ask(method, verb, keys=Keyring((Key(b"x" * 32),)))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "CANARY" not in answer.text


async def test_arguments_are_fetched_opened() -> None:
    assert (await (await Gateway().open()).ask("GET", "arguments")).content == ARGUMENTS


def test_a_record_says_what_is_sensitive() -> None:
    record = OpenRecord(sensitive=SENSITIVE)
    assert decode_record(encode_record(record)) == record
