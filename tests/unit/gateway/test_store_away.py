"""A store that is away: a task is asked to repeat, and is told nothing that is not on disk."""

import httpx
import pytest

from reactor_operator.engine.identity import Action, Task
from reactor_operator.gateway.app import create_app
from reactor_operator.gateway.requests import METHODS
from reactor_operator.gateway.tokens import task_token
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Entry, OpenTask, StoreUnavailable
from tests.unit.outcomes.stores import FixedClock

KEY = b"0123456789abcdef0123456789abcdef"
TASK = Task("ship", Action.RUN, 1, 1, 1)


class Away(MemoryStore):
    """Answers nothing."""

    async def open_task(self, run: str, task: str) -> OpenTask | None:
        raise StoreUnavailable("away")

    async def append(self, entry: Entry) -> Appended:
        raise StoreUnavailable("away")


@pytest.mark.parametrize(("verb", "method"), METHODS.items())
async def test_a_task_is_asked_to_repeat_its_request_while_the_store_is_away(verb: str, method: str) -> None:
    transport = httpx.ASGITransport(create_app(Away(), KEY, FixedClock(0)))
    headers = {"Authorization": f"Bearer {task_token(KEY, f'uid/{TASK.key}')}", "Reactor-Nonce": "a" * 32}
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.request(
            method, f"/v1/tasks/uid/{TASK.key}/{verb}", headers=headers, content=b'{"type":"succeeded","result":1}'
        )
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
