"""What the API server is asked about callers and runs, what its answers mean, and for how long they are kept."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from reactor_operator.encryption import NO_KEYS
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.cluster import ACCESS_REVIEWS, TOKEN_REVIEWS, ClusterReactors, ClusterReviews, ClusterRuns
from reactor_operator.gateway.reviews import KEPT_SECONDS, Caller, KeptReviews, Right
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiUnavailable
from reactor_operator.kube.paths import REACTOR, REACTOR_RUN
from reactor_operator.running.gateway import api_access, api_server, mirror_of, signal_access, webhook_access
from reactor_operator.settings import GatewaySettings
from tests.contract.people import SIGNAL, People
from tests.unit.kube.api_server import ApiServer, Json

ANN = Caller(name="ann", uid="7", groups=("shop", "system:authenticated"), extra={"scopes": ("a", "b")})
RIGHT = Right(verb="update", resource="reactorruns", subresource="approval", namespace="shop")
SETTINGS = GatewaySettings(
    installation="reactor",
    redis_url="redis://nowhere",
    token_key=b"k" * 16,
    keys=NO_KEYS,
    log_level="info",
    pod_name="gateway-1",
    pod_namespace="system",
    signals=True,
)
USER = {"username": "ann", "uid": "7", "groups": list(ANN.groups), "extra": {"scopes": ["a", "b"]}}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().serve() as serving:
        yield serving


@pytest_asyncio.fixture
async def client(server: ApiServer) -> AsyncIterator[KubeClient]:
    async with server.client(timeout_seconds=1.0) as opened:
        yield opened


def answer(server: ApiServer, code: int, document: Json) -> None:
    """Have the server give this answer next."""
    server.script.append((code, document, {}))


class TestClusterReviews:
    async def test_a_token_is_whose_the_review_says(self, server: ApiServer, client: KubeClient) -> None:
        answer(server, 201, {"status": {"authenticated": True, "user": USER}})
        assert await ClusterReviews(client).identify("secret") == ANN
        ((method, path, body),) = server.requests
        assert (method, path, body["spec"]) == ("POST", TOKEN_REVIEWS, {"token": "secret"})

    @pytest.mark.parametrize(
        "status",
        [
            {},
            {"authenticated": False, "user": USER},
            {"user": USER},
            {"authenticated": "true", "user": USER},
            {"authenticated": True},
            {"authenticated": True, "user": {"username": ""}},
            {"authenticated": False, "error": "the webhook is away"},
        ],
    )
    async def test_what_is_not_plainly_somebody_s_is_nobody_s(
        self, server: ApiServer, client: KubeClient, status: Json
    ) -> None:
        answer(server, 201, {"kind": "TokenReview", "status": status})
        assert await ClusterReviews(client).identify("secret") is None

    async def test_a_right_is_asked_for_as_the_caller(self, server: ApiServer, client: KubeClient) -> None:
        answer(server, 201, {"status": {"allowed": True}})
        assert await ClusterReviews(client).allows(ANN, RIGHT)
        ((method, path, body),) = server.requests
        assert (method, path) == ("POST", ACCESS_REVIEWS)
        assert body["spec"] == {
            "user": "ann",
            "uid": "7",
            "groups": ["shop", "system:authenticated"],
            "extra": {"scopes": ["a", "b"]},
            "resourceAttributes": {
                "group": "reactor.run",
                "resource": "reactorruns",
                "subresource": "approval",
                "verb": "update",
                "namespace": "shop",
            },
        }

    @pytest.mark.parametrize("status", [{}, {"allowed": False}, {"allowed": "true"}, {"allowed": True, "denied": True}])
    async def test_what_is_not_plainly_allowed_is_refused(
        self, server: ApiServer, client: KubeClient, status: Json
    ) -> None:
        answer(server, 201, {"kind": "SubjectAccessReview", "status": status})
        assert not await ClusterReviews(client).allows(ANN, RIGHT)

    @pytest.mark.parametrize("code", [400, 403, 404, 500, 503])
    async def test_a_review_that_is_refused_lets_nobody_in(
        self, server: ApiServer, client: KubeClient, code: int
    ) -> None:
        for ask in (ClusterReviews(client).identify("secret"), ClusterReviews(client).allows(ANN, RIGHT)):
            answer(server, code, {"kind": "Status", "message": "no"})
            with pytest.raises(ApiUnavailable) as refused:
                await ask
            assert "secret" not in str(refused.value)


class TestClusterRuns:
    async def test_a_run_is_found_by_its_name(self, server: ApiServer, client: KubeClient) -> None:
        made = await server.put(REACTOR_RUN.object("shop", "r"), {})
        assert await ClusterRuns(client).find_run("shop", "r") == made["metadata"]["uid"]
        assert await ClusterRuns(client).find_run("shop", "other") is None

    async def test_a_namespace_that_the_gateway_may_not_look_into_is_not_watched(
        self, server: ApiServer, client: KubeClient
    ) -> None:
        answer(server, 403, {"kind": "Status", "reason": "Forbidden", "message": "cannot get reactorruns"})
        with pytest.raises(Refusal, match="namespace bank is not one that this installation watches") as refused:
            await ClusterRuns(client).find_run("bank", "r")
        assert refused.value.code == 404

    @pytest.mark.parametrize("code", [404, 500])
    async def test_where_runs_cannot_be_read_nothing_is_said_of_them(
        self, server: ApiServer, client: KubeClient, code: int
    ) -> None:
        answer(server, code, {"kind": "Status", "reason": "Other", "message": "no CRD"})
        with pytest.raises(ApiUnavailable):
            await ClusterRuns(client).find_run("shop", "r")


def use(server: ApiServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a server the one that the process asks."""
    named = {"name": "here", "context": {"cluster": "here", "user": "gateway"}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [named],
        "clusters": [{"name": "here", "cluster": {"server": server.url}}],
        "users": [{"name": "gateway", "user": {"token": server.token}}],
    }
    (folder / "config").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(folder / "config"))


class TestOfTheProcess:
    async def test_where_signals_are_on_it_asks_the_api_server_with_its_own_credentials(
        self, server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(server, tmp_path, monkeypatch)
        answer(server, 201, {"status": {"authenticated": True, "user": USER}})
        async with api_server(SETTINGS) as client:
            access = signal_access(SETTINGS, client)
            assert access is not None
            assert await access.reviews.identify("secret") == ANN
            assert await access.runs.find_run("shop", "r") is None
        assert [path for _, path, _ in server.requests] == [TOKEN_REVIEWS, REACTOR_RUN.object("shop", "r")]

    async def test_where_they_are_off_it_knows_of_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", "/nowhere")
        settings = replace(SETTINGS, signals=False)
        async with api_server(settings) as client:
            assert (client, signal_access(settings, client)) == (None, None)
            assert webhook_access(settings, client, ProcessEvaluator()) is None

    async def test_where_runs_may_be_looked_at_they_are_mirrored_over_connections_of_their_own(
        self, server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(server, tmp_path, monkeypatch)
        settings = replace(SETTINGS, signals=False, api=True, mirrored=("shop", "bank"))
        async with api_server(settings) as client, mirror_of(settings) as mirror:
            access = api_access(client, mirror)
            assert access is not None
            assert access.mirror.namespaces == ("shop", "bank")
            assert signal_access(settings, client) is None

    async def test_where_nobody_may_look_nothing_is_mirrored(
        self, client: KubeClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("KUBECONFIG", "/nowhere")
        async with mirror_of(SETTINGS) as mirror:
            assert (mirror, api_access(client, mirror)) == (None, None)

    async def test_of_signals_and_webhooks_each_is_on_for_itself(self, client: KubeClient, tmp_path: Path) -> None:
        settings = replace(SETTINGS, signals=False, webhook_keys=tmp_path, webhook_rate=3.0)
        assert signal_access(settings, client) is None
        access = webhook_access(settings, client, ProcessEvaluator())
        assert access is not None
        assert (access.folder, access.per_second) == (tmp_path, 3.0)
        assert webhook_access(SETTINGS, client, ProcessEvaluator()) is None


class TestClusterReactors:
    async def test_a_reactor_is_found_by_its_name(self, server: ApiServer, client: KubeClient) -> None:
        await server.put(REACTOR.object("shop", "order"), {"spec": {"webhooks": []}})
        found = await ClusterReactors(client).get_reactor("shop", "order")
        assert found is not None
        assert found.spec == {"webhooks": []}
        assert await ClusterReactors(client).get_reactor("shop", "other") is None

    async def test_one_of_a_namespace_that_is_not_watched_is_none(self, server: ApiServer, client: KubeClient) -> None:
        answer(server, 403, {"kind": "Status", "reason": "Forbidden", "message": "cannot get reactors"})
        assert await ClusterReactors(client).get_reactor("bank", "order") is None

    async def test_where_reactors_cannot_be_read_nothing_is_said_of_them(
        self, server: ApiServer, client: KubeClient
    ) -> None:
        answer(server, 500, {"kind": "Status", "reason": "Other", "message": "no"})
        with pytest.raises(ApiUnavailable):
            await ClusterReactors(client).get_reactor("shop", "order")


class TestKept:
    class Watch:
        time = 0.0

        def __call__(self) -> float:
            return self.time

    async def test_an_answer_is_kept_for_a_few_seconds_and_then_asked_for_again(self) -> None:
        people, watch = People(), self.Watch()
        token = people.let("ann", SIGNAL.format("shop"))
        kept = KeptReviews(people, watch)
        right = Right(verb="create", resource="reactorsignals", namespace="shop")

        async def ask() -> tuple[Caller | None, bool]:
            caller = await kept.identify(token)
            return caller, caller is not None and await kept.allows(caller, right)

        assert await ask() == await ask() == (Caller(name="ann"), True)
        assert len(people.asked) == 2
        people.rights.clear()
        watch.time = KEPT_SECONDS
        assert await ask() == (Caller(name="ann"), False)
        people.tokens.clear()
        watch.time *= 2
        assert await ask() == (None, False)

    async def test_a_refusal_is_not_kept(self) -> None:
        people = People()
        kept = KeptReviews(people, self.Watch())
        right = Right(verb="create", resource="reactorsignals", namespace="shop")
        assert await kept.identify("token-of-ann") is None
        people.let("ann")
        assert await kept.identify("token-of-ann") == Caller(name="ann")
        assert not await kept.allows(Caller(name="ann"), right)
        people.let("ann", str(right))
        assert await kept.allows(Caller(name="ann"), right)

    @pytest.mark.parametrize(
        ("caller", "right"),
        [
            (replace(ANN, name="bob"), RIGHT),
            (replace(ANN, groups=("shop",)), RIGHT),
            (replace(ANN, extra={}), RIGHT),
            (ANN, replace(RIGHT, namespace="bank")),
            (ANN, replace(RIGHT, subresource="")),
        ],
    )
    async def test_a_right_is_that_of_one_caller_in_one_namespace(self, caller: Caller, right: Right) -> None:
        people = People()
        people.let("ann", str(RIGHT))
        kept = KeptReviews(people, self.Watch())
        assert await kept.allows(ANN, RIGHT)
        await kept.allows(caller, right)
        assert len(people.asked) == 2

    async def test_what_is_kept_is_bounded(self) -> None:
        people = People()
        kept = KeptReviews(people, self.Watch())
        tokens = [people.let(f"user-{number}") for number in range(1_500)]
        for token in tokens:
            await kept.identify(token)
        await kept.identify(tokens[-1])
        assert len(people.asked) == 1_500
        await kept.identify(tokens[0])
        assert len(people.asked) == 1_501
