"""`reactor dashboard` over a cluster: a port-forward with the user's kubeconfig, the user's token at the gateway, a
page on this machine; and what it says where one of these is missing."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from reactor_operator.cli.cluster import connected
from reactor_operator.cli.dashboard import bearers
from reactor_operator.cli.dashboard.over_cluster import ClusterDashboard
from reactor_operator.cli.errors import ClusterError
from reactor_operator.cli.options import ClusterOptions
from reactor_operator.gateway import reviews
from reactor_operator.store.memory import MemoryStore
from tests.contract.forwarding import ForwardingCluster
from tests.contract.gateway_server import running_gateway
from tests.contract.looking import Looking, looking
from tests.unit.mirror.made import until

ASK = "/api/v1/runs/shop/r/requests"
RESUME = {"action": "resume", "step": "approve", "payload": {"approved": True}}
HEADERS = {"X-Reactor-Request": "1"}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "index.html").write_text("<p>the dashboard</p>")
    return folder


@dataclass(slots=True)
class Opened:
    """A dashboard that is served: its browser was let in, `stranger` was not."""

    browser: httpx.AsyncClient
    stranger: httpx.AsyncClient
    address: str
    words: str


async def serve(cluster: ForwardingCluster, folder: Path, **words: Any) -> None:
    """Be the command. Raises ClusterError."""
    target = ClusterOptions(kubeconfig=cluster.kubeconfig(folder))
    asked: dict[str, Any] = {"gateway_namespace": None, "service_account": None, "port": 0, "browser": False, **words}
    command = ClusterDashboard(target=target, **asked)
    async with connected(target) as found:
        await command.serve(found)


@contextlib.asynccontextmanager
async def opened(
    cluster: ForwardingCluster, folder: Path, capsys: pytest.CaptureFixture[str], **words: Any
) -> AsyncIterator[Opened]:
    """Serve the dashboard and let a browser in; at the end press Ctrl-C."""
    serving = asyncio.create_task(serve(cluster, folder, **words))
    said: list[str] = []

    def printed() -> bool:
        said.append(capsys.readouterr().out)
        return serving.done() or "it stays until Ctrl-C" in "".join(said)

    await until(printed)
    if serving.done():
        await serving
    (address,) = re.findall(r"as \S+: (http://127\S+)", "".join(said))
    base = address.partition("/dashboard")[0]
    try:
        async with (
            httpx.AsyncClient(base_url=base, timeout=20, trust_env=False) as browser,
            httpx.AsyncClient(base_url=base, timeout=20, trust_env=False) as stranger,
        ):
            assert (await browser.get(address)).status_code == 303
            yield Opened(browser, stranger, address, "".join(said))
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        await serving


@contextlib.asynccontextmanager
async def cluster_of(look: Looking) -> AsyncIterator[ForwardingCluster]:
    async with ForwardingCluster(look.gateway.port).serve() as cluster:
        yield cluster


@contextlib.asynccontextmanager
async def whole(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[tuple[Looking, ForwardingCluster, Opened]]:
    """Serve a gateway with a page, a cluster around it, and the dashboard of that."""
    async with looking(dashboard=page) as look, cluster_of(look) as cluster, opened(cluster, folder, capsys) as found:
        yield look, cluster, found


class TestThrough:
    async def test_the_page_sees_what_the_user_may_see_and_acts_as_the_user(
        self, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with whole(page, tmp_path, capsys) as (look, _, found), look.run.answering():
            assert "dashboard of reactor-system/reactor-operator-gateway, as ann: " in found.words
            assert (await found.browser.get("/dashboard/")).text == "<p>the dashboard</p>"
            assert (await found.browser.get("/api/v1/session")).json()["user"] == "ann"
            runs = await found.browser.get("/api/v1/runs", params={"namespace": "shop", "text": "r"})
            assert [run["name"] for run in runs.json()["items"]] == ["r"]
            assert (await found.browser.get("/api/v1/runs/bank/b")).status_code == 403
            own = {**HEADERS, "Origin": str(found.browser.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
            answer = await found.browser.post(ASK, json={**RESUME, "messageId": "1/2"}, headers=own)
            assert (answer.status_code, answer.json()["answer"]) == (200, "accepted")
            assert (await found.browser.get(f"{ASK}/1%2F2")).json()["answer"] == "accepted"
            assert not any("reactor-" in question for question in look.people.asked)

    async def test_nobody_else_on_this_machine_is_let_in(
        self, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with whole(page, tmp_path, capsys) as (look, _, found):
            before = len(look.people.asked)
            for headers in ({}, {"Authorization": "Bearer token-of-root"}):
                assert (await found.stranger.get("/api/v1/runs", headers=headers)).status_code == 403
                assert (await found.stranger.post(ASK, json=RESUME, headers=headers | HEADERS)).status_code == 403
            assert (await found.stranger.get(found.address)).status_code == 403
            for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
                assert (await found.browser.post(ASK, json=RESUME, headers=headers | HEADERS)).status_code == 403
            assert look.people.asked[before:] == []

    async def test_only_what_is_of_the_dashboard_is_passed_on(
        self, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with whole(page, tmp_path, capsys) as (_, _, found):
            cookie = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in found.browser.cookies.jar)}
            for path in ("/v1/signals", "/v1/tasks/x/y/check-in", "/api/v1x", "/dashboardx", "/metrics"):
                answer = await found.stranger.get(path, headers=cookie)
                assert (answer.status_code, answer.json()) == (404, {"error": "no such address"})

    async def test_changes_come_as_they_happen_and_a_page_that_is_gone_holds_nothing(
        self, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with whole(page, tmp_path, capsys) as (look, _, found):
            async with found.browser.stream("GET", "/api/v1/changes") as answer:
                assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
                lines = answer.aiter_lines()
                async with asyncio.timeout(20):
                    while await anext(lines) != "event: ready":
                        pass
                    await look.put_run("new")
                    while '"new"' not in await anext(lines):
                        pass
                assert len(look.mirror.feed) == 1
            await until(lambda: len(look.mirror.feed) == 0)

    async def test_a_large_body_and_a_large_answer_come_through_whole(
        self, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (page / "large.txt").write_bytes(bytes(range(256)) * 20_000)
        async with whole(page, tmp_path, capsys) as (_, _, found):
            assert (await found.browser.get("/dashboard/large.txt")).content == (page / "large.txt").read_bytes()
            answer = await found.browser.post(ASK, json={**RESUME, "payload": "x" * 900_000}, headers=HEADERS)
            assert "payload" in answer.text or "bytes of JSON" in answer.text
            assert answer.status_code == 422

    async def test_a_gateway_that_goes_is_told_and_one_that_comes_back_is_found(
        self, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with whole(page, tmp_path, capsys) as (_, cluster, found):
            there, cluster.gateway, cluster.ready = cluster.gateway, 1, False
            await cluster.drop()
            answer = await found.browser.get("/api/v1/session")
            assert answer.status_code == 502
            assert "no pod of Service reactor-system/reactor-operator-gateway is ready" in answer.json()["error"]
            cluster.ready = True
            assert "error forwarding port 8080" in (await found.browser.get("/api/v1/session")).json()["error"]
            cluster.gateway = there
            assert (await found.browser.get("/api/v1/session")).status_code == 200


class TestTokens:
    async def test_a_kubeconfig_without_one_needs_a_service_account(self, page: Path, tmp_path: Path) -> None:
        async with looking(dashboard=page) as look, ForwardingCluster(look.gateway.port, token="").serve() as cluster:
            with pytest.raises(ClusterError, match=r"has no token .* --service-account NAME"):
                await serve(cluster, tmp_path)

    async def test_as_a_service_account_it_asks_with_tokens_of_it_and_with_new_ones_in_time(
        self,
        page: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async with looking(dashboard=page) as look, ForwardingCluster(look.gateway.port, token="").serve() as cluster:
            cluster.accounts = {"shop/viewer": ["token-of-ann"], "bank/viewer": ["expired", "token-of-cy"]}
            async with opened(cluster, tmp_path, capsys, service_account="viewer") as found:
                assert (await found.browser.get("/api/v1/session")).json()["user"] == "ann"
            monkeypatch.setattr(bearers, "_LIFE_SECONDS", 0)  # each is of use once
            cluster.accounts["bank/viewer"] = ["token-of-cy", "token-of-cy", "token-of-ann"]
            async with opened(cluster, tmp_path, capsys, service_account="bank/viewer") as found:
                assert (await found.browser.get("/api/v1/session")).json()["user"] == "ann"

    async def test_one_that_the_gateway_refuses_is_made_anew(
        self,
        page: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(reviews, "KEPT_SECONDS", 0.0)
        async with looking(dashboard=page) as look, ForwardingCluster(look.gateway.port, token="").serve() as cluster:
            cluster.accounts = {"shop/viewer": ["token-of-ann", "token-of-cy"]}
            async with opened(cluster, tmp_path, capsys, service_account="viewer") as found:
                del look.people.tokens["token-of-ann"]
                assert (await found.browser.get("/api/v1/session")).json()["user"] == "cy"

    async def test_what_is_wrong_with_the_account_is_said(self, page: Path, tmp_path: Path) -> None:
        async with looking(dashboard=page) as look, cluster_of(look) as cluster:
            with pytest.raises(ClusterError, match="there is no ServiceAccount shop/none"):
                await serve(cluster, tmp_path, service_account="none")
            cluster.refused.add("/token")
            with pytest.raises(ClusterError, match="you may not create a token of ServiceAccount shop/none"):
                await serve(cluster, tmp_path, service_account="none")


class TestWhatIsMissing:
    async def test_no_gateway_in_the_cluster(self, tmp_path: Path) -> None:
        async with ForwardingCluster(1, services=0).serve() as cluster:
            with pytest.raises(ClusterError, match=r"no Service of a gateway in any namespace .*install the chart"):
                await serve(cluster, tmp_path)
            with pytest.raises(ClusterError, match="no Service of a gateway in namespace other"):
                await serve(cluster, tmp_path, gateway_namespace="other")

    async def test_several_of_which_one_is_to_be_chosen(
        self, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with looking(dashboard=page) as look, cluster_of(look) as cluster:
            cluster.services = 2
            with pytest.raises(ClusterError, match="in namespaces reactor-system, reactor-system-1: choose one"):
                await serve(cluster, tmp_path)
            async with opened(cluster, tmp_path, capsys, gateway_namespace="reactor-system"):
                pass

    async def test_who_may_not_look_everywhere_is_shown_the_usual_one(
        self, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with looking(dashboard=page) as look, cluster_of(look) as cluster:
            cluster.refused.add("/api/v1/services")
            async with opened(cluster, tmp_path, capsys):
                pass
            cluster.refused.add("/services")
            with pytest.raises(ClusterError, match=r"you may not list Services .* --gateway-namespace"):
                await serve(cluster, tmp_path)

    @pytest.mark.parametrize(
        ("refused", "told"),
        [
            ("/portforward", "you may not create and get pods/portforward in namespace reactor-system"),
            ("/pods", "pods is forbidden"),
        ],
    )
    async def test_a_right_of_the_user_is_missing(self, page: Path, tmp_path: Path, refused: str, told: str) -> None:
        async with looking(dashboard=page) as look, cluster_of(look) as cluster:
            cluster.refused.add(refused)
            with pytest.raises(ClusterError, match=f"the gateway was not reached: .*{told}"):
                await serve(cluster, tmp_path)

    async def test_no_pod_is_ready_or_nothing_listens(self, tmp_path: Path) -> None:
        async with ForwardingCluster(1, ready=False).serve() as cluster:
            with pytest.raises(
                ClusterError, match="no pod of Service reactor-system/reactor-operator-gateway is ready"
            ):
                await serve(cluster, tmp_path)
            cluster.ready = True
            with pytest.raises(ClusterError, match="not reached: error forwarding port 8080"):
                await serve(cluster, tmp_path)
            assert cluster.open == set()

    async def test_a_token_that_the_gateway_does_not_know(self, page: Path, tmp_path: Path) -> None:
        async with looking(dashboard=page) as look, cluster_of(look) as cluster:
            cluster.token = "token-of-nobody"
            with pytest.raises(ClusterError, match="the gateway does not know who asks"):
                await serve(cluster, tmp_path)

    async def test_the_api_or_the_dashboard_is_off(self, tmp_path: Path) -> None:
        async with running_gateway(MemoryStore()) as gateway, ForwardingCluster(gateway.port).serve() as cluster:
            with pytest.raises(ClusterError, match=r"the API of this gateway is off: .*gateway\.api\.enabled=true"):
                await serve(cluster, tmp_path)
        async with looking() as look, cluster_of(look) as cluster:
            with pytest.raises(ClusterError, match=r"serves no dashboard .*gateway\.dashboard\.enabled=true"):
                await serve(cluster, tmp_path)
