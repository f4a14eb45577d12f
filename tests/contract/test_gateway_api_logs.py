"""Logs of tasks: live from their pods, kept after these are gone, and for who may read logs of pods alone."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from reactor_operator.engine.identity import Action, Task, pod_name
from reactor_operator.gateway.api import worker_logs
from reactor_operator.gateway.api.logs import MOST_FOLLOWED
from reactor_operator.kube.paths import POD
from reactor_operator.ports import ReactorObject
from reactor_operator.store.kept_logs import LOG_BYTES, KeptLog, LogSettings, encode_log, end_of
from tests.contract.looking import READ, Looking, looking
from tests.contract.test_gateway_api_steps import Detailed
from tests.unit.reconciling.conftest import REF, RUN

TASK = "a.run.1.1.1"
LOG = POD.object("shop", pod_name("r", REF.uid, Task("a", Action.RUN, 1, 1, 1)), "log")
STEPS: list[dict[str, object]] = [
    {"name": "a", "run": RUN},
    {"name": "job", "run": RUN, "placement": "job"},
    {"name": "warm", "run": RUN, "placement": "pool", "poolRef": {"name": "fast"}},
]


class Placed(Detailed):
    """A run with a task in a pod, one in a Job and one on a pool."""

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        return ReactorObject(namespace=namespace, name=name, uid="x-uid", generation=1, spec={"steps": STEPS})


@pytest_asyncio.fixture
async def look() -> AsyncIterator[Looking]:
    async with looking(kind=Placed) as served:
        yield served


async def log_of(look: Looking, task: str = TASK, **query: str) -> tuple[str, str]:
    answer = await look.get("runs/shop/r/logs", task=task, **query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.headers["x-reactor-log"], answer.text


async def keep(look: Looking, text: bytes, task: str = TASK) -> None:
    """End the task, and keep its log."""
    assert isinstance(look.run, Placed)
    await look.run.succeed_with(task.partition(".")[0], 1)
    assert await look.run.store.put_log(REF.uid, task, encode_log(end_of(text)), 10**6)


async def test_that_of_a_task_that_runs_is_read_from_its_pod(look: Looking) -> None:
    look.server.logs[LOG] = ["grüße\n".encode(), b"\xff and more\n"]
    assert await log_of(look) == ("live", "grüße\n\N{REPLACEMENT CHARACTER} and more\n")


async def test_that_of_one_that_has_ended_is_the_one_that_was_kept(look: Looking) -> None:
    look.server.logs[LOG] = [b"of another pod"]
    await keep(look, b"one\ntwo\n")
    assert await log_of(look) == ("kept", "one\ntwo\n")
    assert (await look.get("runs/shop/r/step", path="a")).json()["tasks"][0]["logs"]


async def test_one_of_which_only_the_end_is_kept_says_so(look: Looking) -> None:
    await keep(look, b"x\n" * LOG_BYTES)
    what, text = await log_of(look)
    assert (what, len(text)) == ("cut", LOG_BYTES)


async def test_one_that_was_not_kept_is_read_from_the_pod_while_that_is_there(look: Looking) -> None:
    assert isinstance(look.run, Placed)
    await look.run.succeed_with("a", 1)
    what, why = await log_of(look)
    assert (what, why.startswith("nothing is kept of it"), "its pod is not there" in why) == ("none", True, True)
    look.server.logs[LOG] = [b"retained\n"]
    assert await log_of(look) == ("live", "retained\n")
    assert not (await look.get("runs/shop/r/step", path="a")).json()["tasks"][0]["logs"]


async def test_who_follows_gets_what_is_printed_until_the_task_ends(look: Looking) -> None:
    look.server.logs[LOG] = [b"one\n", b"two\n"]
    got: list[str] = []
    headers = {"Authorization": "Bearer token-of-ann"}
    query = {"task": TASK, "follow": "true"}
    async with look.client.stream("GET", "/api/v1/runs/shop/r/logs", params=query, headers=headers) as answer:
        assert answer.headers["x-reactor-log"] == "live"
        async for text in answer.aiter_text():
            got.append(text)
            look.server.log_goes_on.set()
    assert (got[0], "".join(got)) == ("one\n", "one\ntwo\n")


async def test_who_follows_a_task_that_prints_nothing_yet_is_answered_at_once(look: Looking) -> None:
    look.server.logs[LOG] = [b"", b"late\n"]
    headers = {"Authorization": "Bearer token-of-ann"}
    query = {"task": TASK, "follow": "true"}
    async with (
        asyncio.timeout(5),
        look.client.stream("GET", "/api/v1/runs/shop/r/logs", params=query, headers=headers) as answer,
    ):
        assert answer.headers["x-reactor-log"] == "live"
        look.server.log_goes_on.set()
        assert "".join([text async for text in answer.aiter_text()]) == "late\n"


async def test_more_than_so_many_do_not_follow(look: Looking) -> None:
    look.server.logs[LOG] = [b"one\n"]
    headers, query = {"Authorization": "Bearer token-of-ann"}, {"task": TASK, "follow": "true"}
    async with httpx.AsyncClient(base_url=look.client.base_url, limits=httpx.Limits(max_connections=None)) as many:
        opened = [
            await many.send(
                many.build_request("GET", "/api/v1/runs/shop/r/logs", params=query, headers=headers), stream=True
            )
            for _ in range(MOST_FOLLOWED)
        ]
        refused = await look.get("runs/shop/r/logs", task=TASK)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        look.server.log_goes_on.set()
        for one in opened:
            assert await one.aread() == b"one\n"
            await one.aclose()
    assert (await log_of(look))[0] == "live"


@pytest.mark.parametrize(
    ("task", "why"),
    [("warm.run.1.1.1", "into one log what all"), ("job.run.1.1.1", "kubectl logs -f -n shop job/r-job-")],
)
async def test_where_there_is_none_it_says_why(look: Looking, task: str, why: str) -> None:
    what, text = await log_of(look, task)
    assert (what, why in text) == ("none", True)


async def test_each_task_says_where_it_runs(look: Looking) -> None:
    found = {path: (await look.get("runs/shop/r/step", path=path)).json()["tasks"][0] for path in ("a", "job", "warm")}
    names = {path: {kind: task[kind] for kind in ("pod", "job") if task.get(kind)} for path, task in found.items()}
    assert names == {
        "a": {"pod": pod_name("r", REF.uid, Task("a", Action.RUN, 1, 1, 1))},
        "job": {"job": pod_name("r", REF.uid, Task("job", Action.RUN, 1, 1, 1))},
        "warm": {},
    }


async def test_where_logs_are_not_kept_a_task_on_a_worker_has_none(look: Looking) -> None:
    assert not (await look.get("runs/shop/r/step", path="warm")).json()["tasks"][0]["logs"]


WARM = "warm.run.1.1.1"


class TestOfTasksOnWorkers:
    @pytest_asyncio.fixture
    async def look(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Looking]:
        monkeypatch.setattr(worker_logs, "LOOK_SECONDS", 0.02)
        async with looking(kind=Placed, task_logs=LogSettings()) as served:
            yield served

    async def told(self, look: Looking, text: bytes, lines: int, *, cut: bool = False) -> None:
        """Keep what a worker told of its task."""
        assert await look.run.store.put_log(REF.uid, WARM, encode_log(KeptLog(text, cut, lines)), 10**6)

    async def test_while_it_runs_it_is_what_its_worker_told_last(self, look: Looking) -> None:
        assert await log_of(look, WARM) == ("live", "")
        assert (await look.get("runs/shop/r/step", path="warm")).json()["tasks"][0]["logs"]
        await self.told(look, b"one\ntwo\n", 2)
        assert await log_of(look, WARM) == ("live", "one\ntwo\n")

    async def test_who_follows_gets_each_line_once_until_it_ends(self, look: Looking) -> None:
        assert isinstance(look.run, Placed)
        await self.told(look, b"one\ntwo\n", 2)
        heard: list[str] = []
        headers, query = {"Authorization": "Bearer token-of-ann"}, {"task": WARM, "follow": "true"}
        async with (
            asyncio.timeout(10),
            look.client.stream("GET", "/api/v1/runs/shop/r/logs", params=query, headers=headers) as answer,
        ):
            parts = answer.aiter_text()

            async def hear(line: str) -> None:
                while line not in "".join(heard):
                    heard.append(await anext(parts))

            await hear("two")
            await self.told(look, b"two\ntwo\ntwo\n", 4, cut=True)
            await hear("two\ntwo\ntwo\n")
            await look.run.succeed_with("warm", 1)
            await self.told(look, b"two\nlast\n", 5, cut=True)
            heard += [part async for part in parts]
        assert "".join(heard) == "one\ntwo\ntwo\ntwo\nlast\n"
        assert await log_of(look, WARM) == ("cut", "two\nlast\n")

    async def test_once_it_has_ended_it_is_there_or_the_worker_has_it(self, look: Looking) -> None:
        assert isinstance(look.run, Placed)
        await look.run.succeed_with("warm", 1)
        what, text = await log_of(look, WARM)
        assert (what, "look at the log of its worker" in text) == ("none", True)
        await self.told(look, b"done\n", 1)
        assert await log_of(look, WARM) == ("kept", "done\n")


@pytest.mark.parametrize("code", [400, 403])
async def test_what_the_api_server_refuses_is_told_in_words(look: Looking, code: int) -> None:
    reason = {400: "BadRequest", 403: "Forbidden"}[code]
    refusal = {"kind": "Status", "code": code, "reason": reason, "message": "CANARY"}
    run = look.server.objects["/apis/reactor.run/v1alpha1/namespaces/shop/reactorruns/r"]
    look.server.script = [(200, run, {}), (code, refusal, {})]
    what, text = await log_of(look)
    assert (what, "CANARY" in text) == ("none", False)


@pytest.mark.parametrize("task", ["none.run.1.1.1", "a.undo.1.1.1", "rows[7].run.1.1.1", "a[.run.1.1.1"])
async def test_a_task_of_no_step_is_told(look: Looking, task: str) -> None:
    assert (await look.get("runs/shop/r/logs", task=task)).status_code == 404


async def test_what_is_no_key_of_a_task_is_refused(look: Looking) -> None:
    answer = await look.get("runs/shop/r/logs", task="a")
    assert (answer.status_code, "expected the key of a task" in answer.json()["errors"][0]) == (400, True)
    assert (await look.get("runs/shop/r/logs", task=TASK, follow="yes")).status_code == 400


async def test_it_is_for_who_may_read_logs_of_pods(look: Looking) -> None:
    rights = [f"{right} in namespace shop" for right in READ if right != "get pods/log"]
    token = look.people.let("viv", *rights)
    await keep(look, b"words\n")
    answer = await look.get("runs/shop/r/logs", token, task=TASK)
    assert (answer.status_code, "get pods/log in namespace shop" in answer.json()["error"]) == (403, True)
    assert (await look.get("runs/shop/r/logs", "token-of-cy", task=TASK)).status_code == 403
    assert (await look.get("runs/shop/r/logs", None, task=TASK)).status_code == 401


async def test_who_follows_for_long_has_to_come_back() -> None:
    async with looking(kind=Placed, stream_seconds=0.1) as look:
        look.server.logs[LOG] = [b"one\n", b"never\n"]
        assert await asyncio.wait_for(log_of(look, follow="true"), 5) == ("live", "one\n")
