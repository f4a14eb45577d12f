"""The API server as the gateway asks it, with rights of its own: callers, what they may do, runs by name, reactors.

In: tokens, rights, names. Out: the words of TokenReview and SubjectAccessReview, uids, reactors. Never here: a write, a
cache, or an answer to whoever did not prove to be allowed it.
"""

from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.reviews import Caller, Right
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.definitions import parse_reactor
from reactor_operator.kube.errors import Forbidden, refusals_as_unavailable
from reactor_operator.kube.fields import JsonObject, flag_at, map_at, text_at
from reactor_operator.kube.paths import REACTOR, REACTOR_RUN
from reactor_operator.ports import ReactorObject

TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_FORBIDDEN = 403


class ClusterReviews:
    """Reviews by the API server."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def identify(self, token: str) -> Caller | None:
        """Return whose token it is. Raises Unavailable, also where the gateway may not ask."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        with refusals_as_unavailable("review a token"):
            answer = await self._client.create(TOKEN_REVIEWS, review)
        user = map_at(answer, "status", "user")
        if not flag_at(answer, "status", "authenticated") or not text_at(user, "username"):
            return None
        extra = {name: _texts(values) for name, values in map_at(user, "extra").items()}
        return Caller(
            name=text_at(user, "username"), uid=text_at(user, "uid"), groups=_texts(user.get("groups")), extra=extra
        )

    async def allows(self, caller: Caller, right: Right) -> bool:
        """Tell whether somebody has a right. Raises Unavailable, also where the gateway may not ask."""
        asked = {
            "group": right.group,
            "resource": right.resource,
            "subresource": right.subresource,
            "verb": right.verb,
            "namespace": right.namespace,
        }
        spec: JsonObject = {
            "resourceAttributes": asked,
            "user": caller.name,
            "uid": caller.uid,
            "groups": caller.groups,
            "extra": caller.extra,
        }
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        with refusals_as_unavailable("review a right"):
            answer = await self._client.create(ACCESS_REVIEWS, review)
        return flag_at(answer, "status", "allowed") and not flag_at(answer, "status", "denied")


class ClusterRuns:
    """Runs by name, as the API server has them now."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def find_run(self, namespace: str, name: str) -> str | None:
        """Return the uid of a run. Raises Refusal where the gateway may not look there, Unavailable."""
        with refusals_as_unavailable(f"get ReactorRun {namespace}/{name}"):
            try:
                found = await self._client.get(REACTOR_RUN.object(namespace, name))
            except Forbidden as problem:
                if problem.status != _FORBIDDEN:
                    raise
                raise Refusal(404, f"namespace {namespace} is not one that this installation watches") from None
        return text_at(found, "metadata", "uid") or None


class ClusterReactors:
    """Reactors by name, as the API server has them now."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        """Return a reactor, None also where the gateway may not look. Raises Unavailable."""
        with refusals_as_unavailable(f"get Reactor {namespace}/{name}"):
            try:
                found = await self._client.get(REACTOR.object(namespace, name))
            except Forbidden as problem:
                if problem.status != _FORBIDDEN:
                    raise
                return None  # the namespace is not one that this installation watches
        return None if found is None else parse_reactor(found)


def _texts(found: object) -> tuple[str, ...]:
    return tuple(text for text in found if isinstance(text, str)) if isinstance(found, list) else ()
