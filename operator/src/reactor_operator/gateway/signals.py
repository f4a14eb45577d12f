"""Signals by HTTP, from whoever may create signals in a namespace (docs/signals-http.md).

In: `POST /v1/signals`, and `GET /v1/signals/NAMESPACE/RUN/ID` to ask again. Out: what the run answers, or a `Refusal`.
Never here: a look at a run, or a word of whether it exists, for somebody whose right was not reviewed.
"""

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from starlette.requests import Request

from reactor_operator.api.model import DNS_LABEL, DNS_SUBDOMAIN
from reactor_operator.encryption import Keyring
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.bodies import Refusal, read_body
from reactor_operator.gateway.callers import Callers
from reactor_operator.gateway.handover import Ask, Handover, HandoverStore
from reactor_operator.gateway.posted import BODY_LIMIT, PostedRequest, PostedSignal, parse_posted
from reactor_operator.gateway.reviews import Caller, Reviews, Right
from reactor_operator.gateway.targets import Runs, Target, Targets
from reactor_operator.ports import RunRef
from reactor_operator.store.port import Correlations

WAIT_SECONDS = 10.0
_ADDRESS = "/v1/signals/NAMESPACE/RUN/ID"
_NAMESPACE = re.compile(DNS_LABEL.strip("^$") + r"(?<!.{64})", re.ASCII)
_RUN = re.compile(DNS_SUBDOMAIN.strip("^$") + r"(?<!.{254})", re.ASCII)


class SignalStore(HandoverStore, Correlations, Protocol):
    """What is needed of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAccess:
    """What signals by HTTP need of the cluster. `wait_seconds`: for how long an answer is waited for."""

    reviews: Reviews
    runs: Runs
    wait_seconds: float = WAIT_SECONDS


class SignalService:
    """Answers those who send signals."""

    def __init__(self, store: SignalStore, keys: Keyring, access: SignalAccess) -> None:
        self._callers = Callers(access.reviews)
        self._targets = Targets(access.runs, store)
        self._handover = Handover(store, keys, access.wait_seconds)

    async def post(self, http: Request) -> Answer:
        """Hand a signal in and wait for its answer. Raises Refusal, Unavailable, StoreUnavailable, CannotDecrypt."""
        _expect(http, "POST")
        caller = await self._callers.of(http)
        body = await read_body(http, BODY_LIMIT)
        posted = parse_posted(body, PostedSignal)
        await self._require(caller, posted.namespace, posted)
        return await self._hand_in(caller, posted, body, await self._target(posted))

    async def ask(self, caller: Caller, namespace: str, run: str, body: bytes) -> Answer:
        """Ask something of the run of a name. Raises Refusal, Unavailable, StoreUnavailable, CannotDecrypt."""
        posted = parse_posted(body, PostedRequest)
        await self._require(caller, namespace, posted)
        return await self._hand_in(caller, posted, body, await self._targets.by_name(namespace, run))

    async def _require(self, caller: Caller, namespace: str, posted: PostedRequest) -> None:
        await self._callers.require(caller, _to_create(namespace))
        if posted.as_approver:
            await self._callers.require(caller, _to_approve(namespace))

    async def _hand_in(self, caller: Caller, posted: PostedRequest, body: bytes, target: Target) -> Answer:
        if posted.run_uid not in (None, target.run):
            raise Refusal(409, f"runUid: found {posted.run_uid!r}, expected {target.run!r}: the run is another one")
        ask = Ask(
            id=posted.message_id or "",
            words=body,
            action=posted.asked,
            said=posted.said,
            by=caller.name,
            approved=posted.as_approver is True,
        )
        return await self._handover.hand_in(ask, target)

    async def look(self, http: Request) -> Answer:
        """Tell what became of a signal. Raises Refusal, Unavailable, StoreUnavailable."""
        parts = http.scope["raw_path"].decode("ascii", "replace").split("/")[3:]
        if len(parts) != len(_ADDRESS.split("/")[3:]) or not all(parts):
            raise Refusal(404, f"no such address; expected {_ADDRESS}")
        _expect(http, "GET")
        namespace, run, name = map(unquote, parts)
        if not (_NAMESPACE.fullmatch(namespace) and _RUN.fullmatch(run)):
            raise Refusal(404, f"no such address; expected {_ADDRESS}, names as Kubernetes has them")
        return await self.tell(await self._callers.of(http), namespace, run, name)

    async def tell(self, caller: Caller, namespace: str, run: str, name: str) -> Answer:
        """Tell what became of a request to a run. Raises Refusal, Unavailable, StoreUnavailable."""
        await self._callers.require(caller, _to_create(namespace))
        target = await self._targets.by_name(namespace, run)
        answer = await self._handover.look(name, RunRef(namespace, run, target.run))
        if answer is None:
            raise Refusal(404, f"run {namespace}/{run} knows no signal {name!r}: none came, or its answer is not kept")
        return answer

    async def _target(self, posted: PostedSignal) -> Target:
        if posted.reactor is not None and posted.correlation_id is not None:
            return await self._targets.by_correlation(posted.namespace, posted.reactor, posted.correlation_id)
        assert posted.run is not None
        return await self._targets.by_name(posted.namespace, posted.run)


def _expect(http: Request, method: str) -> None:
    if http.method != method:
        raise Refusal(405, f"found {http.method}, expected {method}", {"Allow": method})


def _to_create(namespace: str) -> Right:
    return Right(verb="create", resource="reactorsignals", namespace=namespace)


def _to_approve(namespace: str) -> Right:
    return Right(verb="update", resource="reactorruns", subresource="approval", namespace=namespace)
