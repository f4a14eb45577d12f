"""Webhooks: deliveries of other services that resume interrupts (docs/webhooks.md).

In: `POST /v1/webhooks/NAMESPACE/REACTOR/NAME` from anyone. Out: what the run answers, `ignored`, or a `Refusal`.
Never here: a word of which reactors there are, or an expression, before the signature was found to be right.
"""

import asyncio
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

import orjson
import structlog
from starlette.requests import Request

from reactor_operator.api.model import DNS_LABEL, DNS_SUBDOMAIN
from reactor_operator.api.webhooks import Webhook
from reactor_operator.encryption import Keyring
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.bodies import Refusal, read_body
from reactor_operator.gateway.deliveries import Delivery, Expressions, read_delivery
from reactor_operator.gateway.handover import Ask, Handover, HandoverStore
from reactor_operator.gateway.known_webhooks import KnownWebhooks, Reactors
from reactor_operator.gateway.proofs import parse_proof, verify
from reactor_operator.gateway.rates import TokenBuckets
from reactor_operator.gateway.targets import Target, target_under
from reactor_operator.named_keys import KeyUnusable, long_enough, read_key
from reactor_operator.outcomes.members import has_too_many_members
from reactor_operator.ports import Clock
from reactor_operator.store.port import Correlations

BODY_LIMIT = 1024 * 1024
MEMBERS_LIMIT = 100_000
BODY_SECONDS = 10.0
BURSTS = 5
"""How many times the proven deliveries of a second an address takes at once."""
WAIT_SECONDS = 5.0
"""For how long an interrupt may take to open after what was asked for before it was delivered."""
AT_ONCE = 64
COMPLAINT_SECONDS = 60
NOT_PROVEN = "there is no such webhook, or the delivery is not signed with its key"
_KIND = "webhook key"
_LOOK_SECONDS = 0.1
_PATH = re.compile(
    rf"/v1/webhooks/(?P<namespace>{DNS_LABEL.strip('^$')})/(?P<reactor>{DNS_SUBDOMAIN.strip('^$')})"
    rf"/(?P<name>{DNS_LABEL.strip('^$')})",
    re.ASCII,
)
_log = structlog.get_logger("reactor_operator.gateway")


class WebhookStore(HandoverStore, Correlations, Protocol):
    """What is needed of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAccess:
    """What webhooks need beside the store. `folder` has their keys, a file each by its name.

    per_second: how many proven deliveries each address takes, of one gateway.
    opening_seconds: for how long an interrupt is waited for, wait_seconds: then for its answer.
    """

    reactors: Reactors
    folder: Path
    expressions: Expressions
    per_second: float
    opening_seconds: float = WAIT_SECONDS
    wait_seconds: float = WAIT_SECONDS


@dataclass(frozen=True, slots=True)
class Address:
    """Where a delivery is posted."""

    namespace: str
    reactor: str
    name: str


class WebhookService:
    """Answers those who deliver."""

    def __init__(self, store: WebhookStore, keys: Keyring, clock: Clock, access: WebhookAccess) -> None:
        self._store = store
        self._clock = clock
        self._access = access
        self._webhooks = KnownWebhooks(access.reactors)
        self._handover = Handover(store, keys, access.wait_seconds)
        self._rates = TokenBuckets(access.per_second, math.ceil(access.per_second * BURSTS))
        self._complaints = TokenBuckets(1 / COMPLAINT_SECONDS, 1)
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def post(self, http: Request) -> Answer:
        """Hand a delivery in and wait for its answer. Raises Refusal, Unavailable, StoreUnavailable, CannotDecrypt."""
        address = _address_of(http)
        if self._slots.locked():
            raise Refusal(503, "very many deliveries arrive; repeat the request", {"Retry-After": "1"})
        async with self._slots:
            webhook, id_, body = await self._proven(http, address)
            wait = self._rates.take(address)
            if wait:
                message = f"more than {self._access.per_second:g} deliveries a second; repeat the request"
                raise Refusal(429, message, {"Retry-After": str(math.ceil(wait))})
            delivery = await read_delivery(webhook, _parsed(body), http.headers, self._access.expressions)
        if delivery is None:
            return Answer(orjson.dumps({"answer": "ignored"}), code=202)
        return await self._hand_in(address, webhook, id_, delivery)

    async def _proven(self, http: Request, address: Address) -> tuple[Webhook, str, bytes]:
        """Return the webhook of an address, and the id and body of a delivery that its key proves.

        Raises Refusal, the same for a webhook that is not there as for a key that is another one; Unavailable.
        """
        proof = parse_proof(http.headers)
        webhook = await self._webhooks.find(address.namespace, address.reactor, address.name)
        body = await read_body(http, BODY_LIMIT, BODY_SECONDS)
        key = self._key(webhook, address) if webhook is not None else None
        if webhook is None or key is None:
            raise Refusal(401, NOT_PROVEN)
        return webhook, verify(proof, body, key, self._clock.now()), body

    def _key(self, webhook: Webhook, address: Address) -> bytes | None:
        """Return the key of a webhook, None where there is none that is of use: whoever runs the gateway reads why."""
        try:
            key = read_key(self._access.folder, webhook.secret, _KIND)
            if key is not None:
                return long_enough(key, webhook.secret, _KIND)
            problem = f"there is no {_KIND} '{webhook.secret}': add it to the Secret of webhookKeys.existingSecret"
        except KeyUnusable as unusable:
            problem = str(unusable)
        if not self._complaints.take(address):
            where = f"{address.namespace}/{address.reactor}/{address.name}"
            _log.error("a webhook lacks its key; all that is delivered is refused", webhook=where, problem=problem)
        return None

    async def _hand_in(self, address: Address, webhook: Webhook, id_: str, delivery: Delivery) -> Answer:
        target = await self._target(address, delivery.correlation)
        if webhook.step is not None and step_name(target.step) != webhook.step:
            words = f"the id {delivery.correlation!r} is that of {target.step}, expected of {webhook.step}"
            raise Refusal(409, f"webhook {webhook.name}: {words}")
        ask = Ask(
            id=f"webhook.{webhook.name}.{id_}",
            words=b"",
            action="resume",
            said={"step": target.step, "payload": delivery.payload},
            by=f"webhook {webhook.name}",
        )
        return await self._handover.hand_in(ask, target)

    async def _target(self, address: Address, correlation: str) -> Target:
        """Return the run that waits under an id, or did; also one that only begins to. Raises Refusal (404)."""
        until = time.monotonic() + self._access.opening_seconds
        while True:
            found = await target_under(self._store, address.namespace, address.reactor, correlation)
            if found is not None:
                return found
            if time.monotonic() >= until:
                words = (
                    f"no interrupt of reactor {address.namespace}/{address.reactor} waits under the id {correlation!r}"
                )
                raise Refusal(404, words, {"Retry-After": "30"})
            await asyncio.sleep(_LOOK_SECONDS)


def _address_of(http: Request) -> Address:
    """Return where a delivery is posted. Raises Refusal (404, 405)."""
    found = _PATH.fullmatch(unquote(http.scope["raw_path"].decode("ascii", "replace")))
    if found is None or len(found["reactor"]) > 253 or max(len(found["namespace"]), len(found["name"])) > 63:
        raise Refusal(404, "no such address; expected /v1/webhooks/NAMESPACE/REACTOR/NAME")
    if http.method != "POST":
        raise Refusal(405, f"found {http.method}, expected POST", {"Allow": "POST"})
    return Address(found["namespace"], found["reactor"], found["name"])


def _parsed(body: bytes) -> object:
    if has_too_many_members(body, MEMBERS_LIMIT):
        raise Refusal(400, f"the body has more than {MEMBERS_LIMIT} members")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise Refusal(400, f"the body: {problem}; expected JSON") from None


def step_name(path: str) -> str:
    """Return the name of the step at a path: `approve` of `rows[7]/approve`."""
    return path.rpartition("/")[2].partition("[")[0]
