"""How to reach the API server and who we are there: the pod's service account, else a kubeconfig.

In: the environment and files, read by `kubernetes` (imported here only, and late: it is heavy). Out: `Access`.
Never here: a request to the API server, except those a kubeconfig's own credential plugin makes.
"""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class NoAccess(Exception):
    """There is no usable service account and no usable kubeconfig."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the API server is and how to speak to it.

    namespace:     the one meant where none is said.
    authorization: gives the Authorization header, fresh each time; None where a client certificate is all.
    renew:         makes the credentials anew after a 401. Raises OSError.
    """

    server: str
    namespace: str
    tls: ssl.SSLContext | None
    proxy: str | None
    authorization: Callable[[], Awaitable[str | None]]
    renew: Callable[[], Awaitable[None]]


async def load_access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """Return the way to the API server. Raises NoAccess.

    A kubeconfig named here or in KUBECONFIG comes first, then the service account of the pod, then ~/.kube/config.
    """
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

    in_cluster = kubeconfig is None and "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ
    kubeconfig = kubeconfig or os.environ.get("KUBECONFIG")  # the library reads the variable when it is imported
    configuration = Configuration()

    async def load() -> None:
        if in_cluster:
            load_incluster_config(client_configuration=configuration)
        else:
            await load_kube_config(config_file=kubeconfig, context=context, client_configuration=configuration)

    try:
        await load()
        tls = await asyncio.to_thread(_tls_of, configuration) if configuration.host.startswith("https") else None
        namespace = await asyncio.to_thread(_namespace_of, kubeconfig, context, in_cluster)
    except (ConfigException, OSError, ssl.SSLError, ValueError, KeyError, TypeError) as problem:
        source = (
            "the pod's service account" if in_cluster else f"kubeconfig {kubeconfig or 'KUBECONFIG or ~/.kube/config'}"
        )
        raise NoAccess(f"no access to a cluster: {source}: {problem}") from problem

    async def renew() -> None:
        try:
            await load()
        except (ConfigException, ValueError, KeyError, TypeError) as problem:
            raise OSError(f"the credentials cannot be renewed: {problem}") from problem

    async def authorization() -> str | None:
        return await configuration.get_api_key_with_prefix("BearerToken")

    return Access(
        server=configuration.host.rstrip("/"),
        namespace=namespace,
        tls=tls,
        proxy=configuration.proxy,
        authorization=authorization,
        renew=renew,
    )


def _tls_of(configuration: "Configuration") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # many clusters' certificates lack key identifiers
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _namespace_of(kubeconfig: str | None, context: str | None, in_cluster: bool) -> str:
    if in_cluster:
        return _NAMESPACE_FILE.read_text().strip() if _NAMESPACE_FILE.exists() else "default"
    from kubernetes.aio.config import list_kube_config_contexts

    contexts, active = list_kube_config_contexts(config_file=kubeconfig)
    chosen = next((item for item in contexts if item["name"] == context), active)
    return str((chosen or {}).get("context", {}).get("namespace") or "default")
