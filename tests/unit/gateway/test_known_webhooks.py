"""Webhooks as the gateway knows them: read once in a while, and not for every name that somebody makes up."""

import pytest

from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.known_webhooks import KEPT_SECONDS, LOOKS_AT_ONCE, LOOKS_PER_SECOND, KnownWebhooks
from reactor_operator.ports import ReactorObject

SOUND = {"name": "reports", "secret": "reports", "correlationId": "body.id"}


class Reactors:
    """Reactors of a cluster, and which of them were looked for; and a monotonic clock that is moved by hand."""

    def __init__(self, *webhooks: object) -> None:
        self.spec: dict[str, object] = {"webhooks": list(webhooks)}
        self.asked: list[str] = []
        self.time = 0.0

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        self.asked.append(name)
        if name != "order":
            return None
        return ReactorObject(namespace=namespace, name=name, uid="u", generation=1, spec=self.spec)

    def __call__(self) -> float:
        return self.time


async def find(known: KnownWebhooks, reactor: str = "order", name: str = "reports") -> str | None:
    found = await known.find("shop", reactor, name)
    return found.secret if found is not None else None


async def test_a_webhook_is_found_by_its_name() -> None:
    known = KnownWebhooks(Reactors({**SOUND, "name": "other", "secret": "other"}, SOUND))
    assert await find(known) == "reports"
    assert await find(known, name="third") is None
    assert await find(known, reactor="other") is None


@pytest.mark.parametrize("unsound", [{**SOUND, "secret": "../token"}, {"name": "reports"}, "reports", None])
async def test_one_that_is_unsound_is_none_and_its_neighbour_is_one(unsound: object) -> None:
    known = KnownWebhooks(Reactors(unsound, {**SOUND, "name": "other"}))
    assert await find(known) is None
    assert await find(known, name="other") == "reports"


async def test_a_list_that_is_none_has_none() -> None:
    reactors = Reactors()
    reactors.spec["webhooks"] = "all"
    assert await find(KnownWebhooks(reactors)) is None


async def test_a_reactor_is_read_again_after_half_a_minute() -> None:
    reactors = Reactors(SOUND)
    known = KnownWebhooks(reactors, reactors)
    assert await find(known) == "reports"
    reactors.spec["webhooks"] = [{**SOUND, "secret": "changed"}]
    reactors.time += KEPT_SECONDS - 1
    assert await find(known) == "reports"
    reactors.time += 1
    assert await find(known) == "changed"
    assert reactors.asked == ["order", "order"]


async def test_names_that_are_made_up_do_not_wear_the_api_server() -> None:
    reactors = Reactors(SOUND)
    known = KnownWebhooks(reactors, reactors)
    assert await find(known) == "reports"
    for number in range(LOOKS_AT_ONCE - 1):
        assert await find(known, reactor=f"made-up-{number}") is None
    for number in range(LOOKS_AT_ONCE):
        with pytest.raises(Refusal, match="very many addresses") as refused:
            await find(known, reactor=f"more-{number}")
        assert (refused.value.code, refused.value.headers) == (429, {"Retry-After": "1"})
    assert len(reactors.asked) == LOOKS_AT_ONCE
    reactors.time += 1.0
    assert await find(known, reactor="later") is None
    assert len(reactors.asked) <= LOOKS_AT_ONCE + LOOKS_PER_SECOND


async def test_one_that_is_known_is_read_anew_whatever_names_are_made_up() -> None:
    reactors = Reactors(SOUND)
    known = KnownWebhooks(reactors, reactors)
    assert await find(known) == "reports"
    reactors.time += KEPT_SECONDS
    for number in range(LOOKS_AT_ONCE):
        assert await find(known, reactor=f"made-up-{number}") is None
    assert await find(known) == "reports"
    assert reactors.asked.count("order") == 2
