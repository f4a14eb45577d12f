"""As whom a dashboard asks the gateway of a cluster: as the user of the kubeconfig, or as a ServiceAccount of theirs.

In: access to a cluster. Out: an Authorization header, as it is good now. Never here: a token that is shown or written
down; a right that the user has not.
"""

import time
from typing import Protocol

from reactor_operator.cli.errors import ClusterError
from reactor_operator.kube.access import Access
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import Forbidden, NotFound
from reactor_operator.kube.fields import text_at
from reactor_operator.kube.paths import SERVICE_ACCOUNT

_LIFE_SECONDS = 3_600
_RENEWED_AFTER = 0.8
"""Of its life; a token is asked for again before it is of no use."""


class Bearer(Protocol):
    """Whoever knows the header."""

    async def header(self) -> str:
        """Return the Authorization header. Raises ClusterError, ApiError, Unavailable."""

    async def renew(self) -> None:
        """Make it anew, for it was refused. Raises OSError, ClusterError, ApiError, Unavailable."""


class OfTheUser:
    """The token of the kubeconfig, static or of its credential plugin."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def header(self) -> str:
        """Return the header. Raises ClusterError where there is no token."""
        found = await self._access.authorization()
        if found is None or not found.lower().startswith("bearer "):
            raise ClusterError(
                "the kubeconfig has no token that the gateway could have reviewed (a client certificate is shown to "
                "the API server alone): ask as a ServiceAccount, with --service-account NAME"
            )
        return found

    async def renew(self) -> None:
        """Have the kubeconfig make it anew."""
        await self._access.renew()


class OfAServiceAccount:
    """Tokens of a ServiceAccount, which the user asks the API server for with a right of their own."""

    def __init__(self, client: KubeClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._token = ""
        self._good_until = 0.0

    async def header(self) -> str:
        """Return the header. Raises ClusterError where the user may not have a token of that account."""
        if time.monotonic() >= self._good_until:
            await self.renew()
        return f"Bearer {self._token}"

    async def renew(self) -> None:
        """Ask for another token."""
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": _LIFE_SECONDS},
        }
        path = SERVICE_ACCOUNT.object(self._namespace, self._name, "token")
        account = f"ServiceAccount {self._namespace}/{self._name}"
        try:
            answer = await self._client.create(path, asked)
        except NotFound:
            raise ClusterError(f"--service-account: there is no {account}") from None
        except Forbidden as problem:
            words = f"you may not create a token of {account} (serviceaccounts/token): {problem.message}"
            raise ClusterError(f"--service-account: {words}") from None
        self._token = text_at(answer, "status", "token")
        self._good_until = time.monotonic() + _LIFE_SECONDS * _RENEWED_AFTER
