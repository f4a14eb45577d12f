"""The history of a run, its steps with their tasks, documents and elements: what the store has, and never a secret."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from reactor_operator.encryption import Key
from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task, pod_name
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.api.cursors import ELEMENTS, render_cursor
from reactor_operator.gateway.api.documents import LOOKED_INTO
from reactor_operator.ports import ReactorObject
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry
from tests.contract.looking import Looking, ShownRun, looking
from tests.unit.reconciling.conftest import REF, RUN

CANARY = "CANARY-4711"
LARGE = {"rows": [{"id": number, "name": "x" * 40} for number in range(1_000)], "a/b": {"m~n": [True, None, 1.5]}}
COUNT = 250
STEPS: list[dict[str, object]] = [
    {"name": "a", "run": RUN, "undo": RUN, "retries": {"maxAttempts": 3}},
    {"name": "login", "run": RUN, "sensitive": True, "waitFor": ["a"]},
    {"name": "rows", "waitFor": ["login"], "map": {"source": {"value": [0] * COUNT}, "batchSize": 250, "run": RUN}},
    {"name": "approve", "waitFor": ["rows"], "interrupt": {"payloadSchema": {"type": "object"}, "timeout": "1h"}},
]


class Detailed(ShownRun):
    """A run with a task that is attempted again, one that is sensitive, and a map."""

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        spec = {"parallelism": 300, "steps": STEPS}
        return ReactorObject(namespace=namespace, name=name, uid="x-uid", generation=1, spec=spec)

    async def evaluate_sources(self, sources: Any, environment: Any, subject: str) -> Any:
        return {name: [0] * COUNT if name == "map.source" else "order" for name in sources}

    async def tell(self, event: ev.TaskEvent, values: dict[str, bytes] | None = None) -> None:
        task = event.task
        entry = Entry(
            run=REF.uid, task=task.key, final=True, digest=task.key, body=encode_event(event), values=values or {}
        )
        assert await self.store.append(entry) is Appended.RECORDED
        self.clock.time += 1_500
        await self.reconcile()

    async def succeed_with(self, path: str, document: object, attempt: int = 1, *, secret: bool = False) -> None:
        body = orjson.dumps(document)
        if secret:
            body = Key(b"1" * 32).encrypt(REF.uid, f"{path} result", body)
        ref = reference_to(body)
        task = Task(path, Action.RUN, 1, attempt, 1)
        await self.tell(ev.TaskSucceeded(task=task, result=ref), {ref.digest: body})

    async def fail_with(self, path: str, message: str) -> None:
        failure = Failure(kind=FailureKind.ERROR, message=message)
        await self.tell(ev.TaskFailed(task=Task(path, Action.RUN, 1, 1, 1), failure=failure))


@pytest_asyncio.fixture
async def look() -> AsyncIterator[Looking]:
    async with looking(kind=Detailed) as served:
        yield served


@pytest_asyncio.fixture
async def run(look: Looking) -> Detailed:
    assert isinstance(look.run, Detailed)
    return look.run


async def told(look: Looking, what: str, **query: Any) -> dict[str, Any]:
    answer = await look.get(f"runs/shop/r/{what}", **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestHistory:
    async def test_it_tells_each_transition_with_its_cause(self, look: Looking, run: Detailed) -> None:
        await run.fail_with("a", "no stock")
        found = await told(look, "history")
        assert found["dropped"] == 0
        assert [(one["number"], one["path"], one["from"], one["to"]) for one in found["items"][:3]] == [
            (1, "", "Pending", "Running"),
            (2, "a", "Pending", "Running"),
            (3, "a", "Running", "Retrying"),
        ]
        assert found["items"][2] | {"at": ""} == {
            "number": 3,
            "at": "",
            "path": "a",
            "from": "Running",
            "to": "Retrying",
            "round": 1,
            "attempt": 1,
            "action": "run",
            "ended": "a.run.1.1.1",
            "cause": {"type": "TaskFailed", "text": "Error: no stock"},
        }
        assert found["items"][1]["launched"] == "a.run.1.1.1"
        assert found["items"][0]["at"].endswith("Z")

    async def test_it_is_read_page_by_page_and_of_one_step(self, look: Looking, run: Detailed) -> None:
        await run.succeed_with("a", 1)
        seen: list[int] = []
        cursor: dict[str, str] = {}
        while True:
            page = await told(look, "history", limit=2, **cursor)
            seen += [one["number"] for one in page["items"]]
            if "next" not in page:
                break
            cursor = {"cursor": page["next"]}
        assert seen == list(range(1, len(seen) + 1))
        of_a = await told(look, "history", path="a")
        assert [(one["from"], one["to"]) for one in of_a["items"]] == [("Pending", "Running"), ("Running", "Succeeded")]
        assert "next" in await told(look, "history", path="a", limit=1)

    async def test_a_run_that_was_not_opened_yet_has_none(self, look: Looking) -> None:
        await look.put_run("new")
        assert (await look.get("runs/shop/new/history")).json() == {"items": [], "dropped": 0}


class TestStep:
    async def test_it_has_its_tasks_with_their_ends_and_pods(self, look: Looking, run: Detailed) -> None:
        await run.fail_with("a", "no stock")
        run.clock.time += 60_000
        await run.reconcile()
        await run.succeed_with("a", {"id": 7}, attempt=2)
        found = await told(look, "step", path="a")
        assert (found["phase"], found["round"], found["attempt"], found["maxAttempts"]) == ("Succeeded", 1, 2, 3)
        first, second = found["tasks"]
        assert (first["task"], first["phase"], first["message"]) == ("a.run.1.1.1", "Failed", "Error: no stock")
        assert (second["task"], second["phase"], second["launch"]) == ("a.run.1.2.1", "Succeeded", 1)
        assert second["pod"] == pod_name("r", REF.uid, Task("a", Action.RUN, 1, 2, 1))
        assert first["startedAt"] < first["finishedAt"] < second["startedAt"]
        assert found["result"] == {"bytes": 8, "type": "object", "sensitive": False, "value": {"id": 7}}

    async def test_an_open_task_runs(self, look: Looking) -> None:
        (task,) = (await told(look, "step", path="a"))["tasks"]
        assert (task["phase"], "finishedAt" in task) == ("Running", False)

    async def test_a_large_result_is_described_and_not_shown(self, look: Looking, run: Detailed) -> None:
        await run.succeed_with("a", LARGE)
        result = (await told(look, "step", path="a"))["result"]
        assert result == {"bytes": len(orjson.dumps(LARGE)), "type": "unknown", "sensitive": False}

    async def test_a_sensitive_result_is_shown_to_nobody(self, look: Looking, run: Detailed) -> None:
        await run.succeed_with("a", 1)
        await run.succeed_with("login", CANARY, secret=True)
        answer = await look.get("runs/shop/r/step", path="login")
        assert CANARY not in answer.text
        assert answer.json()["result"] | {"bytes": 0} == {"bytes": 0, "type": "unknown", "sensitive": True}
        refused = await look.get("runs/shop/r/value", of="result", path="login")
        assert (refused.status_code, "is sensitive" in refused.json()["error"]) == (403, True)

    async def test_a_step_that_was_not_touched_is_pending(self, look: Looking) -> None:
        found = await told(look, "step", path="approve")
        assert (found["phase"], found["attempt"], found["tasks"]) == ("Pending", 0, [])

    async def test_one_that_is_not_there_is_told(self, look: Looking) -> None:
        answer = await look.get("runs/shop/r/step", path="none")
        assert (answer.status_code, answer.json()["error"]) == (404, "run 'r' has no step 'none'")
        assert (await look.get("runs/shop/r/step", path="rows[7]/x")).status_code == 404
        assert (await look.get("runs/shop/r/step")).status_code == 400

    async def test_a_map_tells_how_far_it_is_and_an_element_where_it_is(self, look: Looking, run: Detailed) -> None:
        await opened(run)
        await run.fail_with("rows[1]", "torn")
        found = await told(look, "step", path="rows")
        assert found["map"] | {"kept": 0} == {
            "total": COUNT,
            "opened": COUNT,
            "inFlight": COUNT - 1,
            "succeeded": 0,
            "failed": 1,
            "skipped": 0,
            "kept": 0,
            "undone": 0,
            "unreversed": 0,
        }
        assert (await told(look, "step", path="rows[0]"))["phase"] == "Running"
        failed = await told(look, "step", path="rows[1]")
        assert (failed["phase"], failed["failure"]["message"]) == ("Failed", "torn")
        assert [task["phase"] for task in failed["tasks"]] == ["Failed"]

    async def test_an_interrupt_that_waits_tells_for_what(self, look: Looking, run: Detailed) -> None:
        await opened(run)
        for index in range(COUNT):
            await run.succeed_with(f"rows[{index}]", index)
        waits = (await told(look, "step", path="approve"))["interrupt"]
        assert (waits["step"], waits["run"], waits["payloadSchema"]) == ("approve", "r", {"type": "object"})
        assert "expiresAt" in waits


async def opened(run: Detailed) -> None:
    """Bring a run to its map."""
    await run.succeed_with("a", 1)
    await run.succeed_with("login", 2, secret=True)


class TestValue:
    @pytest_asyncio.fixture(autouse=True)
    async def a_large_result(self, run: Detailed) -> None:
        await run.succeed_with("a", LARGE)

    async def test_a_level_is_shown_with_what_is_small(self, look: Looking) -> None:
        found = await told(look, "value", of="result", path="a")
        assert (found["type"], found["length"], [one["key"] for one in found["items"]]) == (
            "object",
            2,
            ["rows", "a/b"],
        )
        assert "value" not in found["items"][0]
        assert found["items"][1]["value"] == LARGE["a/b"]

    async def test_a_pointer_leads_deeper_and_pages_go_on(self, look: Looking) -> None:
        page = await told(look, "value", of="result", path="a", pointer="/rows", limit=400)
        seen = list(page["items"])
        while "next" in page:
            page = await told(look, "value", of="result", path="a", pointer="/rows", limit=400, cursor=page["next"])
            seen += page["items"]
        assert [one["value"] for one in seen] == LARGE["rows"]
        assert [one["key"] for one in seen] == [str(number) for number in range(1_000)]

    @pytest.mark.parametrize(
        ("pointer", "shown"),
        [
            ("/rows/3/id", {"type": "number", "bytes": 1, "value": 3}),
            ("/rows/0/name", {"type": "string", "bytes": 42, "length": 40, "text": "x" * 40}),
            ("/a~1b/m~0n/0", {"type": "boolean", "bytes": 4, "value": True}),
            ("/a~1b/m~0n/1", {"type": "null", "bytes": 4, "value": None}),
        ],
    )
    async def test_what_has_no_members_is_shown_itself(
        self, look: Looking, pointer: str, shown: dict[str, object]
    ) -> None:
        assert await told(look, "value", of="result", path="a", pointer=pointer) == shown

    @pytest.mark.parametrize("pointer", ["/none", "/rows/1000", "/rows/-1", "/rows/01", "/rows/x", "/rows/3/id/0"])
    async def test_where_there_is_nothing_it_is_told(self, look: Looking, pointer: str) -> None:
        answer = await look.get("runs/shop/r/value", of="result", path="a", pointer=pointer)
        assert (answer.status_code, "has nothing at" in answer.json()["error"]) == (404, True)

    async def test_a_pointer_that_is_none_is_refused(self, look: Looking) -> None:
        assert (await look.get("runs/shop/r/value", of="result", path="a", pointer="rows")).status_code == 400

    async def test_the_inputs_and_the_output_are_the_runs(self, look: Looking) -> None:
        assert (await told(look, "value", of="inputs"))["type"] == "object"
        assert (await look.get("runs/shop/r/value", of="output")).status_code == 404
        assert (await look.get("runs/shop/r/value", of="inputs", path="a")).status_code == 400
        assert (await look.get("runs/shop/r/value", of="result")).status_code == 400

    async def test_arguments_are_shown_and_a_result_that_is_not_there_is_told(self, look: Looking) -> None:
        assert (await told(look, "value", of="arguments", path="a"))["type"] == "object"
        assert (await look.get("runs/shop/r/value", of="result", path="login")).status_code == 404

    async def test_one_that_is_too_large_is_not_parsed(self, look: Looking, run: Detailed) -> None:
        await run.succeed_with("login", "x" * LOOKED_INTO)
        answer = await look.get("runs/shop/r/value", of="result", path="login")
        assert (answer.status_code, "too large" in answer.json()["error"]) == (404, True)


class TestElements:
    @pytest_asyncio.fixture(autouse=True)
    async def some_have_ended(self, run: Detailed) -> None:
        await opened(run)
        for index in range(100):
            await run.succeed_with(f"rows[{index}]", index)
        await run.fail_with("rows[120]", "torn")

    async def test_those_in_flight_and_those_that_ended_are_listed_by_index(self, look: Looking) -> None:
        page = await told(look, "elements", path="rows", limit=200)
        seen = list(page["items"])
        assert (page["total"], page["counts"]["succeeded"], page["counts"]["inFlight"]) == (COUNT, 100, 149)
        while "next" in page:
            page = await told(look, "elements", path="rows", limit=200, cursor=page["next"])
            seen += page["items"]
        assert [one["index"] for one in seen] == list(range(COUNT))
        assert [seen[index]["phase"] for index in (0, 99, 120, 121, 249)] == [
            "Succeeded",
            "Succeeded",
            "Failed",
            "Running",
            "Running",
        ]
        assert seen[120]["message"] == "Error: torn"

    async def test_they_are_found_by_phase(self, look: Looking) -> None:
        page = await told(look, "elements", path="rows", phase="Failed")
        assert ([one["index"] for one in page["items"]], "next" in page) == ([120], False)

    async def test_a_cursor_beyond_the_end_finds_nothing(self, look: Looking) -> None:
        page = await told(look, "elements", path="rows", cursor=render_cursor(ELEMENTS, (10**9,)))
        assert (page["items"], "next" in page) == ([], False)

    async def test_what_is_no_map_has_none(self, look: Looking) -> None:
        assert (await look.get("runs/shop/r/elements", path="a")).status_code == 404

    async def test_one_that_has_not_begun_has_none_yet(self, look: Looking) -> None:
        async with looking(kind=Detailed) as fresh:
            assert (await told(fresh, "elements", path="rows"))["items"] == []


@pytest.mark.parametrize(
    ("what", "query"),
    [
        ("history", {}),
        ("step", {"path": "a"}),
        ("value", {"of": "inputs"}),
        ("elements", {"path": "rows"}),
    ],
)
async def test_whoever_may_not_get_the_run_is_told_nothing(look: Looking, what: str, query: dict[str, str]) -> None:
    assert (await look.get(f"runs/shop/r/{what}", None, **query)).status_code == 401
    assert (await look.get(f"runs/shop/r/{what}", "token-of-cy", **query)).status_code == 403
    assert (await look.get(f"runs/shop/r/{what}", **query, odd="1")).status_code == 400
    assert (await look.get(f"runs/shop/none/{what}", **query)).status_code == 404
