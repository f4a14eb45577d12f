"""The agent and its helpers against the gateway itself, over a memory store."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reactor_operator.api.sensitivity import Sensitive
from reactor_operator.encryption import Key, Keyring
from reactor_operator.engine.events import TaskFailed, TaskStarted, TaskSucceeded, TaskUploaded
from reactor_operator.engine.failures import Certainty, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.app import create_app
from reactor_operator.gateway.record import OpenRecord, encode_record
from reactor_operator.gateway.serve import listen, serve
from reactor_operator.gateway.tokens import task_token
from reactor_operator.store.codec import decode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit
from tests.unit.runtime.peer import RUN_UID, Peer
from tests.unit.runtime.pod import DEADLINE_SECONDS, Pod
from tests.unit.runtime.service import Service, serving

pytestmark = pytest.mark.heavy

KEY = b"0123456789abcdef"
KEYS = Keyring((Key(b"k" * 32),))
TASK = Task("rows[7]/store", Action.RUN, 1, 1, 1)
ARGUMENTS = b'{"text": "\xc3\xa4 $(X)"}'


class Clock:
    def now(self) -> int:
        return 1_700_000_000_000


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    found = MemoryStore()
    record = OpenRecord(arguments=reference_to(ARGUMENTS))
    await found.commit(
        Commit(
            run=RUN_UID,
            revision=0,
            epoch=1,
            values={reference_to(ARGUMENTS).digest: ARGUMENTS},
            opens={TASK.key: encode_record(record)},
        )
    )
    yield found
    await found.close()


@pytest.fixture
async def gateway_pod(store: MemoryStore, tmp_path: Path) -> AsyncIterator[Pod]:
    listener = listen("127.0.0.1", 0)
    listener.listen()
    peer = Peer()
    peer.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    served = asyncio.create_task(serve(create_app(store, KEY, Clock(), keys=KEYS), "127.0.0.1", 0, listener))
    pod = Pod(tmp_path, peer)
    pod.variables["REACTOR_TOKEN"] = task_token(KEY, f"{RUN_UID}/{TASK.key}")
    try:
        yield pod
    finally:
        served.cancel()
        await asyncio.gather(served, return_exceptions=True)


async def events(store: MemoryStore) -> list[object]:
    snapshot = await store.load(RUN_UID)
    assert snapshot is not None
    return [decode_event(body) for _, body in snapshot.inbox]


async def test_a_task_checks_in_and_its_outcome_is_recorded(store: MemoryStore, gateway_pod: Pod) -> None:
    ended = await asyncio.to_thread(gateway_pod.run_source, "def main(text):\n    return [text]")
    assert ended.returncode == 0, ended.stderr
    result = '["ä $(X)"]'.encode()
    assert await events(store) == [
        TaskStarted(task=TASK, at=Clock().now()),
        TaskSucceeded(task=TASK, result=reference_to(result, f"{TASK.key} result")),
    ]


async def test_a_failure_with_its_details_is_recorded(store: MemoryStore, gateway_pod: Pod) -> None:
    source = "def main(text):\n    raise LookupError('\\ud800 no')"
    assert (await asyncio.to_thread(gateway_pod.run_source, source)).returncode == 1
    event = (await events(store))[1]
    assert isinstance(event, TaskFailed)
    assert (event.failure.kind.value, event.failure.exception) == ("Error", "LookupError")
    assert event.failure.detail is not None


async def test_a_request_comes_with_the_check_in_and_what_is_known_of_it_is_recorded(
    store: MemoryStore, gateway_pod: Pod
) -> None:
    with serving(Service(status=429, headers={"Retry-After": "7"}, body=b"slow down")) as service:
        request = json.dumps({"method": "POST", "url": service.address, "headers": [["X-A", "1"]]}).encode()
        ref = reference_to(request)
        again = Task("rows[7]/store", Action.RUN, 1, 2, 1)
        opens = {again.key: encode_record(OpenRecord(request=ref))}
        await store.commit(Commit(run=RUN_UID, revision=1, epoch=1, values={ref.digest: request}, opens=opens))
        gateway_pod.variables |= {
            "REACTOR_HTTP": "1",
            "REACTOR_TASK": f"{RUN_UID}/{again.key}",
            "REACTOR_TOKEN": task_token(KEY, f"{RUN_UID}/{again.key}"),
        }
        ended = await asyncio.to_thread(gateway_pod.run)
    assert ended.returncode == 1, ended.stderr
    assert [(asked.headers["X-A"], asked.headers["Idempotency-Key"]) for asked in service.asked] == [("1", "key-1")]
    event = (await events(store))[-1]
    assert isinstance(event, TaskFailed)
    failure = event.failure
    assert (failure.kind, failure.certainty, failure.may_retry) == (FailureKind.HTTP, Certainty.CERTAIN, True)
    assert failure.retry_after_ms == 7_000
    assert gateway_pod.termination["failure"]["certainty"] == "certain"


async def test_a_second_process_for_the_same_task_calls_nothing(store: MemoryStore, gateway_pod: Pod) -> None:
    source = "def main(text):\n    print('it ran')"
    first = await asyncio.to_thread(gateway_pod.run_source, source)
    second = await asyncio.to_thread(gateway_pod.run_source, source)
    assert (first.stdout, second.stdout, second.returncode) == ("it ran\n", "", 0)
    assert len(await events(store)) == 2


async def test_a_result_of_32_mib_arrives(store: MemoryStore, gateway_pod: Pod) -> None:
    source = "def main(text):\n    return 'x' * (32 * 1024 * 1024 - 100)"
    ended = await asyncio.to_thread(gateway_pod.run_source, source)
    assert ended.returncode == 0, ended.stderr
    assert isinstance((await events(store))[1], TaskSucceeded)


async def test_helpers_bring_documents_and_upload_output(store: MemoryStore, gateway_pod: Pod, tmp_path: Path) -> None:
    gateway_pod.variables["REACTOR_DIRECTORY"] = str(tmp_path)
    fetched = await asyncio.to_thread(gateway_pod.run, "fetch", "arguments")
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "arguments.json").read_bytes() == ARGUMENTS
    output = tmp_path / "out.json"
    output.write_bytes(b'{"a":1}')

    def upload() -> int:
        with gateway_pod.start("output", str(output)) as process:
            from tests.unit.runtime.test_helpers import stop

            stop(process, gateway_pod.peer)
        return process.wait(DEADLINE_SECONDS)

    assert await asyncio.to_thread(upload) == 0
    assert await events(store) == [TaskUploaded(task=TASK, result=reference_to(b'{"a":1}', f"{TASK.key} result"))]


async def test_a_sensitive_result_reaches_the_store_encrypted_and_neither_pod_nor_failure_shows_any_of_it(
    gateway_pod: Pod, store: MemoryStore
) -> None:
    again = Task("rows[7]/store", Action.RUN, 1, 2, 1)
    sensitive = Sensitive(arguments=frozenset({"text"}), result=True)
    encrypted = KEYS.encrypt(RUN_UID, "arguments", b'{"text": "CANARY-1"}')
    ref = reference_to(encrypted)
    opens = {again.key: encode_record(OpenRecord(arguments=ref, sensitive=sensitive))}
    await store.commit(Commit(run=RUN_UID, revision=1, epoch=1, values={ref.digest: encrypted}, opens=opens))
    gateway_pod.variables |= {
        "REACTOR_TASK": f"{RUN_UID}/{again.key}",
        "REACTOR_TOKEN": task_token(KEY, f"{RUN_UID}/{again.key}"),
    }
    source = "import os\ndef main(text):\n    assert 'REACTOR_ARGUMENTS' not in os.environ\n    return text + '!'"
    ended = await asyncio.to_thread(gateway_pod.run_source, source)
    assert ended.returncode == 0, ended.stderr
    assert gateway_pod.termination.keys() == {"digest"}
    event = (await events(store))[-1]
    assert isinstance(event, TaskSucceeded)
    assert event.result is not None
    values = await store.get_values(RUN_UID, frozenset({event.result.digest}))
    assert KEYS.decrypt(RUN_UID, values[event.result.digest]) == b'"CANARY-1!"'


async def test_a_failure_of_a_task_with_sensitive_arguments_is_masked_by_its_agent(
    gateway_pod: Pod, store: MemoryStore
) -> None:
    again = Task("rows[7]/store", Action.RUN, 1, 2, 1)
    encrypted = KEYS.encrypt(RUN_UID, "arguments", b'{"text": "CANARY-1"}')
    ref = reference_to(encrypted)
    opens = {again.key: encode_record(OpenRecord(arguments=ref, sensitive=Sensitive(arguments=frozenset({"text"}))))}
    await store.commit(Commit(run=RUN_UID, revision=1, epoch=1, values={ref.digest: encrypted}, opens=opens))
    gateway_pod.variables |= {
        "REACTOR_TASK": f"{RUN_UID}/{again.key}",
        "REACTOR_TOKEN": task_token(KEY, f"{RUN_UID}/{again.key}"),
    }
    ended = await asyncio.to_thread(gateway_pod.run_source, "def main(text):\n    raise ValueError(f'no {text}')")
    assert ended.returncode == 1, ended.stderr
    event = (await events(store))[-1]
    assert isinstance(event, TaskFailed)
    assert event.failure.message == "ValueError: no ***"
    assert event.failure.detail is not None
    details = await store.get_values(RUN_UID, frozenset({event.failure.detail.digest}))
    assert b"CANARY" not in details[event.failure.detail.digest]
    assert "CANARY" not in gateway_pod.termination_log.read_text()
