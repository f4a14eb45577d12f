"""What the raw client makes of an API server's answers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from reactor_operator.kube.client import KubeClient, PatchType, WatchEvent
from reactor_operator.kube.errors import (
    ApiError,
    ApiUnavailable,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    QuotaExceeded,
    error_of,
)
from reactor_operator.kube.paths import POD, REACTOR_RUN
from tests.unit.kube.api_server import ApiServer, Json

PODS = POD.collection("shop")
POD_X = POD.object("shop", "x")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().serve() as serving:
        yield serving


@pytest_asyncio.fixture
async def client(server: ApiServer) -> AsyncIterator[KubeClient]:
    async with server.client(timeout_seconds=2.0) as opened:
        yield opened


async def test_a_missing_object_is_none(client: KubeClient) -> None:
    assert await client.get(POD_X) is None
    assert await client.patch(POD_X, {}) is None
    assert await client.delete(POD_X) is False


async def test_an_object_is_created_read_and_deleted(client: KubeClient) -> None:
    made = await client.create(PODS, {"metadata": {"name": "x"}})
    assert (await client.get(POD_X) or {})["metadata"]["uid"] == made["metadata"]["uid"]
    assert await client.delete(POD_X, uid=made["metadata"]["uid"]) is True
    assert await client.get(POD_X) is None


async def test_a_name_that_is_taken_is_a_conflict(client: KubeClient) -> None:
    await client.create(PODS, {"metadata": {"name": "x"}})
    with pytest.raises(Conflict, match="already exists"):
        await client.create(PODS, {"metadata": {"name": "x"}})


async def test_applying_creates_changes_and_drops_what_is_said_no_more(server: ApiServer, client: KubeClient) -> None:
    made = await client.apply(POD_X, {"metadata": {"name": "x"}, "spec": {"a": 1, "b": 2}}, manager="us")
    assert made["spec"] == {"a": 1, "b": 2}
    await client.patch(POD_X, {"spec": {"c": 3}})
    changed = await client.apply(
        POD_X, {"metadata": {"name": "x", "uid": made["metadata"]["uid"]}, "spec": {"a": 5}}, manager="us"
    )
    assert changed["spec"] == {"a": 5, "c": 3}
    with pytest.raises(Conflict):
        await client.apply(POD_X, {"metadata": {"name": "x", "uid": "another"}, "spec": {}}, manager="us")
    assert server.writes == [f"PATCH {POD_X}"] * 4


async def test_a_delete_meant_for_another_uid_is_a_conflict(client: KubeClient) -> None:
    await client.create(PODS, {"metadata": {"name": "x"}})
    with pytest.raises(Conflict):
        await client.delete(POD_X, uid="somebody else")
    assert await client.get(POD_X) is not None


async def test_a_list_reads_every_page(server: ApiServer, client: KubeClient) -> None:
    for number in range(1203):
        server.objects[f"{PODS}/p{number:04}"] = {"metadata": {"name": f"p{number:04}"}}
    assert len((await client.list(PODS)).items) == 1203


async def test_a_json_patch_keeps_nulls_that_a_merge_patch_drops(server: ApiServer, client: KubeClient) -> None:
    path = REACTOR_RUN.object("shop", "r")
    await server.put(path, {})
    await client.patch(path + "/status", [{"op": "add", "path": "/status", "value": {"a": None}}], PatchType.JSON)
    assert server.objects[path]["status"] == {"a": None}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (409, b'{"reason":"Conflict"}', Conflict),
        (410, b"", Gone),
        (400, b'{"message":"strict decoding error: unknown field"}', Invalid),
        (422, b'{"reason":"Invalid"}', Invalid),
        (413, b"", Invalid),
        (403, b'{"message":"nope"}', Forbidden),
        (429, b"", ApiUnavailable),
        (500, b"<html>", ApiUnavailable),
        (503, b"", ApiUnavailable),
        (504, b"\xff\x00", ApiUnavailable),
    ],
)
def test_each_refusal_has_its_error(status: int, body: bytes, expected: type[Exception]) -> None:
    assert type(error_of(status, body)) is expected


def test_an_invalid_object_is_told_by_field() -> None:
    body = b'{"message":"no","details":{"causes":[{"field":"spec.x","reason":"FieldValueInvalid","message":"bad"}, 3]}}'
    error = error_of(422, body)
    assert isinstance(error, Invalid)
    assert [(cause.field, cause.message) for cause in error.causes] == [("spec.x", "bad")]


async def test_a_quota_is_told_from_other_refusals(server: ApiServer, client: KubeClient) -> None:
    server.script = [(403, {"message": "pods is forbidden: exceeded quota: small, requested: pods=1"}, {})]
    with pytest.raises(QuotaExceeded):
        await client.create(PODS, {"metadata": {"name": "x"}})
    server.script = [(403, {"message": "User cannot create pods"}, {})]
    with pytest.raises(Forbidden) as refused:
        await client.create(PODS, {"metadata": {"name": "x"}})
    assert type(refused.value) is Forbidden


async def test_a_server_that_asks_to_wait_is_asked_again(server: ApiServer, client: KubeClient) -> None:
    server.script = [(429, {}, {"Retry-After": "0"}), (429, {}, {})]
    await client.create(PODS, {"metadata": {"name": "x"}})
    assert server.writes == [f"POST {PODS}"] * 3


async def test_a_wait_longer_than_the_timeout_is_left_to_the_caller(server: ApiServer, client: KubeClient) -> None:
    server.script = [(429, {}, {"Retry-After": "30"})]
    with pytest.raises(ApiUnavailable) as found:
        await client.create(PODS, {"metadata": {"name": "x"}})
    assert found.value.retry_after_seconds == 30.0


async def test_a_server_that_does_not_say_how_long_to_wait_is_not_asked_all_the_time(server: ApiServer) -> None:
    server.script = [(429, {}, {})] * 1000
    async with server.client(timeout_seconds=4.0) as client:
        with pytest.raises(ApiUnavailable):
            await client.create(PODS, {"metadata": {"name": "x"}})
    assert len(server.writes) <= 4


@pytest.mark.parametrize("document", [{}, {"error": "page not found"}, {"kind": "Status", "reason": "ServiceUnknown"}])
async def test_a_404_that_is_not_the_api_servers_word_on_the_object_is_no_absence(
    server: ApiServer, client: KubeClient, document: Json
) -> None:
    for ask in (client.get, client.delete, client.text, lambda path: client.patch(path, {})):
        server.script = [(404, document, {})]
        with pytest.raises(ApiError):
            await ask(POD_X)


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"[]", b"{}", b""])
async def test_an_answer_that_is_no_object_is_no_answer(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    server = ApiServer()
    server.handle = answer  # type: ignore[method-assign,assignment]
    async with server.serve(), server.client() as client:
        for ask in (client.get, client.list):
            with pytest.raises(ApiUnavailable):
                await ask(PODS)


async def test_a_list_without_a_version_is_no_list(server: ApiServer, client: KubeClient) -> None:
    server.script = [(200, {"message": "welcome"}, {})]
    with pytest.raises(ApiUnavailable):
        await client.list(PODS)


async def test_a_failure_of_the_server_is_not_repeated_by_the_client(server: ApiServer, client: KubeClient) -> None:
    server.script = [(500, {}, {})]
    with pytest.raises(ApiUnavailable):
        await client.create(PODS, {"metadata": {"name": "x"}})
    assert len(server.writes) == 1


async def test_a_server_in_trouble_is_asked_at_a_bounded_rate_by_all_together(server: ApiServer) -> None:
    server.script = [(500, {}, {})] * 1000
    async with server.client(timeout_seconds=1.0) as client:
        with pytest.raises(ApiUnavailable):
            await client.get(POD_X)
        answers = await asyncio.gather(*(client.get(POD_X) for _ in range(200)), return_exceptions=True)
        assert all(isinstance(answer, ApiUnavailable) for answer in answers)
        assert len(server.requests) <= 15
        server.script = []
        await asyncio.sleep(0.5)  # those before have waited their turns
        assert await client.get(POD_X) is None
        assert await asyncio.gather(*(client.get(POD_X) for _ in range(200))) == [None] * 200


async def test_a_write_whose_answer_is_lost_is_unavailable_and_may_have_taken_effect(
    server: ApiServer, client: KubeClient
) -> None:
    server.lose_answers = 1
    with pytest.raises(ApiUnavailable):
        await client.create(PODS, {"metadata": {"name": "x"}})
    assert await client.get(POD_X) is not None


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    server = ApiServer()
    server.url = "http://127.0.0.1:1"
    async with server.client() as client:
        with pytest.raises(ApiUnavailable):
            await client.get(POD_X)


async def test_an_expired_token_is_renewed_once(server: ApiServer, client: KubeClient) -> None:
    await client.get(POD_X)
    server.token = "second"
    assert await client.get(POD_X) is None
    assert server.renewals == 1


async def test_nothing_is_written_when_the_lease_may_end_first(server: ApiServer) -> None:
    left = 5.0
    async with server.client(timeout_seconds=2.0, may_write_seconds=lambda: left) as client:
        await client.create(PODS, {"metadata": {"name": "x"}})
        left = 1.0
        with pytest.raises(ApiUnavailable, match="lease"):
            await client.delete(POD_X)
        assert await client.get(POD_X) is not None
    assert server.writes == [f"POST {PODS}"]


async def test_each_answer_is_observed_without_names(server: ApiServer) -> None:
    seen: list[tuple[str, str, int]] = []
    async with server.client(observe=lambda *answer: seen.append(answer)) as client:
        await client.create(PODS, {"metadata": {"name": "x"}}, strict=True)
        await client.get(REACTOR_RUN.object("namespaces", "r"))
        await client.patch(REACTOR_RUN.object("shop", "r", "status"), {})
        await client.list(POD.collection(None))
    assert seen == [
        ("POST", "pods", 201),
        ("GET", "reactorruns", 404),
        ("PATCH", "reactorruns/status", 404),
        ("GET", "pods", 200),
    ]


async def test_a_watch_yields_changes_of_any_size(server: ApiServer, client: KubeClient) -> None:
    await server.put(POD_X, {"spec": {"text": "é" * 400_000}})
    async with asyncio.timeout(5):
        async for event in client.watch(PODS, "0"):
            assert event.type == "ADDED"
            assert len(event.object["spec"]["text"]) == 400_000
            break


async def test_a_watch_from_too_far_back_is_gone(server: ApiServer, client: KubeClient) -> None:
    server.expire_watches = True
    with pytest.raises(Gone):
        async for _ in client.watch(PODS, "1"):
            pass


async def test_a_silent_watch_is_unavailable(client: KubeClient) -> None:
    with pytest.raises(ApiUnavailable, match="broke"):
        async for _ in client.watch(PODS, "1", idle_seconds=0.05):
            pass


async def test_watches_take_no_connection_from_calls(server: ApiServer) -> None:
    async with server.client(timeout_seconds=2.0, connections=2) as client:

        async def first() -> WatchEvent:
            return await anext(client.watch(PODS, "1"))

        async with asyncio.timeout(10), asyncio.TaskGroup() as watching:
            events = [watching.create_task(first()) for _ in range(5)]
            while sum(method == "GET" for method, _, _ in server.requests) < 5:  # noqa: ASYNC110 - a server's list
                await asyncio.sleep(0.002)
            assert await client.get(POD_X) is None
            await server.put(POD_X, {"metadata": {"name": "x", "namespace": "shop"}})
        assert {event.result().type for event in events} == {"ADDED"}
