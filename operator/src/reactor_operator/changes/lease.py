"""Who leads: one Lease, held by one operator at a time, and the epoch that fences all others off the store.

In: the API server and the store. Out: an epoch, and how long the lease is certain to be ours. Never here: work.

The epoch is 1 + the highest ever seen in the Lease's annotation or the store. It is written to the Lease by
compare-and-swap before anything is committed under it, so an emptied store cannot bring an old epoch back. Time is
counted on the monotonic clock from before the request that renewed, so a paused process finds its lease spent.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError, ApiUnavailable, Conflict
from reactor_operator.kube.fields import JsonObject, int_at, map_at, text_at, texts_at
from reactor_operator.kube.moments import render_micros
from reactor_operator.kube.paths import LEASE
from reactor_operator.ports import Clock
from reactor_operator.store.port import StoreUnavailable

EPOCH = "reactor.run/epoch"
ClaimEpoch = Callable[[int], Awaitable[int]]
_log = structlog.get_logger("reactor_operator.changes")


class LeaseLost(Exception):
    """Another operator leads, or the lease could not be renewed in time. The process must stop acting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """Which Lease, who we are, and for how long it is taken (seconds)."""

    namespace: str
    name: str
    holder: str
    seconds: float = 15.0
    renew_every: float = 4.0
    look_every: float = 1.0


class Leadership:
    """Takes the lease, keeps it, and gives it back."""

    def __init__(self, client: KubeClient, terms: LeaseTerms, clock: Clock) -> None:
        self._client = client
        self._terms = terms
        self._clock = clock
        self._path = LEASE.object(terms.namespace, terms.name)
        self._valid_until = 0.0
        self._held: JsonObject = {}

    def remaining_seconds(self) -> float:
        """Return for how long the lease is certainly ours from now on; 0 or less: not any more."""
        return self._valid_until - time.monotonic()

    async def acquire(self, claim_epoch: ClaimEpoch) -> int:
        """Wait until the lease is ours and return the epoch to commit under."""
        seen_version, seen_at = "", time.monotonic()
        while True:
            try:
                found = await self._client.get(self._path)
                version = text_at(found, "metadata", "resourceVersion")
                if version != seen_version:
                    seen_version, seen_at = version, time.monotonic()
                if found is None or self._is_free(found, time.monotonic() - seen_at):
                    return await self._take(found, claim_epoch)
            except (Conflict, ApiUnavailable) as problem:
                _log.info("the lease was not taken", problem=str(problem))
            except StoreUnavailable as problem:
                _log.warning("the lease was not taken, as the store gives no epoch", problem=str(problem))
            except ApiError as problem:
                _log.error("the lease cannot be taken; check the RBAC of leases", problem=str(problem))
            await asyncio.sleep(self._terms.look_every)

    async def keep(self) -> None:
        """Renew until cancelled, sooner again where that failed. Raises LeaseLost."""
        pause = self._terms.renew_every
        while True:
            await asyncio.sleep(pause)
            pause = self._terms.renew_every
            try:
                await self._renew()
            except LeaseLost:
                raise
            except (ApiUnavailable, ApiError) as problem:
                pause = self._terms.look_every
                _log.warning("the lease was not renewed", remaining=self.remaining_seconds(), problem=str(problem))
            if self.remaining_seconds() <= 0:
                raise LeaseLost(f"the lease was not renewed for {self._terms.seconds:g} s")

    async def release(self) -> None:
        """Give the lease back, so that the next operator need not wait. Whatever goes wrong, it runs out."""
        if self.remaining_seconds() <= 0:
            return
        self._valid_until = 0.0
        try:
            await self._write(holder="")
        except (ApiUnavailable, ApiError) as problem:
            _log.info("the lease was not given back and will run out", problem=str(problem))

    def _is_free(self, found: JsonObject, unchanged_seconds: float) -> bool:
        holder = text_at(found, "spec", "holderIdentity")
        if holder in ("", self._terms.holder):
            return True
        seconds = int_at(found, "spec", "leaseDurationSeconds") or self._terms.seconds
        return unchanged_seconds > seconds

    async def _take(self, found: JsonObject | None, claim_epoch: ClaimEpoch) -> int:
        """Write ourselves in, claim an epoch above all others, and write that too, before anyone acts on it."""
        self._held = found or {}
        if found is None:
            empty = {"metadata": {"name": self._terms.name, "namespace": self._terms.namespace}, "spec": {}}
            self._held = await self._client.create(LEASE.collection(self._terms.namespace), empty)
        await self._write(holder=self._terms.holder, taken=True)
        epoch = await claim_epoch(_epoch_of(self._held))
        await self._write(holder=self._terms.holder, epoch=epoch)
        _log.info("leading", lease=self._terms.name, epoch=epoch)
        return epoch

    async def _renew(self) -> None:
        """Renew; a write of ours whose answer was lost is not taken for somebody else's."""
        try:
            await self._write(holder=self._terms.holder)
        except Conflict:
            found = await self._client.get(self._path) or {}
            holder = text_at(found, "spec", "holderIdentity")
            if holder != self._terms.holder:
                raise LeaseLost(f"the lease is now held by {holder or 'nobody'}") from None
            self._held = found
            await self._write(holder=self._terms.holder)

    async def _write(self, *, holder: str, taken: bool = False, epoch: int | None = None) -> None:
        """Replace the Lease as we last saw it. Raises Conflict where somebody else wrote it since."""
        began = time.monotonic()
        now = render_micros(self._clock.now())
        spec = dict(map_at(self._held, "spec"))
        spec |= {"holderIdentity": holder, "renewTime": now, "leaseDurationSeconds": max(1, round(self._terms.seconds))}
        if taken:
            spec |= {"acquireTime": now, "leaseTransitions": (int_at(spec, "leaseTransitions") or 0) + 1}
        annotations = texts_at(self._held, "metadata", "annotations")
        if epoch is not None:
            annotations[EPOCH] = str(epoch)
        metadata = {
            "name": self._terms.name,
            "namespace": self._terms.namespace,
            "resourceVersion": text_at(self._held, "metadata", "resourceVersion"),
            "annotations": annotations,
        }
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata, "spec": spec}
        self._held = await self._client.replace(self._path, body)
        if holder:
            self._valid_until = began + self._terms.seconds


def _epoch_of(lease: JsonObject) -> int:
    text = texts_at(lease, "metadata", "annotations").get(EPOCH, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
