"""`reactor dashboard`: the dashboard of a cluster's gateway in a browser, with the user's own kubeconfig.

In: a kubeconfig. Out: a dashboard until Ctrl-C, and an exit code. Raises ClusterError saying what is missing. Never
here: a right that the user has not, or a port that another machine reaches.
"""

import secrets
from dataclasses import dataclass

import httpx

from reactor_operator.cli.cluster import Cluster, on_cluster
from reactor_operator.cli.dashboard.bearers import Bearer, OfAServiceAccount, OfTheUser
from reactor_operator.cli.dashboard.browser import open_browser
from reactor_operator.cli.dashboard.gateway_pods import find_gateway
from reactor_operator.cli.dashboard.proxy import Proxy
from reactor_operator.cli.dashboard.serving import serving
from reactor_operator.cli.drive import interrupts
from reactor_operator.cli.errors import EXIT_OK, ClusterError
from reactor_operator.cli.options import ClusterOptions
from reactor_operator.kube.fields import parse_object, text_at
from reactor_operator.kube.forward import Forward

_ENABLE = "helm upgrade … --reuse-values --set gateway.{}.enabled=true"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDashboard:
    """The command as it was typed. `gateway_namespace`: None: wherever the gateway is."""

    target: ClusterOptions
    gateway_namespace: str | None
    service_account: str | None
    port: int
    browser: bool

    def execute(self) -> int:
        """Do it and return the exit code. Raises ClusterError."""
        on_cluster(self.target, self.serve)
        return EXIT_OK

    async def serve(self, cluster: Cluster) -> None:
        """Serve until Ctrl-C. Raises ClusterError."""

        def say(text: str) -> None:
            print(text, flush=True)

        bearer = self._bearer(cluster)
        await bearer.header()  # without one there is nothing to begin
        service = await find_gateway(cluster.client, self.gateway_namespace)
        forward = Forward(cluster.access, service.find)
        async with forward.listening() as path, gateway_client(path.as_posix()) as gateway, interrupts(say) as stops:
            stops.first = ""
            user = await _greet(gateway, bearer, forward)
            proxy = Proxy(gateway, bearer, lambda: forward.problem)
            async with serving(proxy, secrets.token_urlsafe(32), self.port, say) as guard:
                say(f"dashboard of {service.namespace}/{service.name}, as {user}: {guard.address}")
                say("it stays until Ctrl-C")
                if self.browser:
                    open_browser(guard.address)
                await stops.next()

    def _bearer(self, cluster: Cluster) -> Bearer:
        if self.service_account is None:
            return OfTheUser(cluster.access)
        namespace, _, name = self.service_account.rpartition("/")
        return OfAServiceAccount(cluster.client, namespace or cluster.namespace, name)


def gateway_client(path: str) -> httpx.AsyncClient:
    """Return a client of the gateway at the other end of a socket. A stream may be silent for long."""
    return httpx.AsyncClient(
        base_url="http://gateway",
        transport=httpx.AsyncHTTPTransport(uds=path, limits=httpx.Limits(max_connections=None)),
        timeout=httpx.Timeout(30.0, read=None, pool=None),
        follow_redirects=False,
    )


async def _greet(gateway: httpx.AsyncClient, bearer: Bearer, forward: Forward) -> str:
    """Return who the gateway says that we are. Raises ClusterError where it does not serve us, saying why."""
    try:
        headers = {"Authorization": await bearer.header()}
        told = await gateway.get("/api/v1/session", headers=headers, timeout=30.0)
        page = await gateway.get("/dashboard/", timeout=30.0)
    except httpx.TransportError as problem:
        words = forward.problem or str(problem) or type(problem).__name__
        raise ClusterError(f"the gateway was not reached: {words}") from None
    why = text_at(parse_object(told.content), "error")
    match told.status_code:
        case 200:
            pass
        case 401:
            raise ClusterError(f"the gateway does not know who asks: {why}")
        case 404 if not why:
            raise ClusterError(f"the API of this gateway is off: {_ENABLE.format('api')}")
        case _:
            raise ClusterError(f"the gateway answered {told.status_code}: {why or told.text[:200]}")
    if page.status_code != 200:
        raise ClusterError(f"this gateway serves no dashboard ({page.status_code}): {_ENABLE.format('dashboard')}")
    return text_at(parse_object(told.content), "user")
