"""What people ask of a run that waits to be started: a cancel ends it, it may start suspended, all else is refused."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reactor_operator.engine.events import RetryRequested, SkipRequested, SuspendRequested, UndoRequested
from reactor_operator.kube.fields import maps_at
from reactor_operator.reconciling.signals import parse_annotations, parse_requests
from reactor_operator.reconciling.unstarted import is_kept
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry
from tests.unit.reconciling.conftest import RUN
from tests.unit.reconciling.test_places import STEPS, Shop

FINALLY = [{"name": "tell", "run": RUN, "arguments": {"total": {"input": "total"}}}]


async def waiting(spec: Mapping[str, Any] | None = None, /, **annotations: str) -> Shop:
    """A shop whose second run waits for its turn, and is asked for what the annotations say."""
    shop = Shop(runs=3, **(spec or {}))
    await shop.look()
    asked = {f"reactor.run/{action}": value for action, value in annotations.items()}
    shop.runs["r2"] = replace(shop.runs["r2"], annotations=asked)
    return shop


def answers(shop: Shop) -> list[tuple[object, object, object]]:
    signals = maps_at(shop.runs["r2"].status, "signals")
    return [(one["action"], one["phase"], one.get("reason")) for one in signals]


async def test_a_cancel_ends_it_before_it_starts_and_makes_room_for_the_next() -> None:
    shop = await waiting(cancel="too late")
    await shop.look("r2")
    assert shop.phases() == {"r1": "Running", "r2": "Cancelled", "r3": "Pending"}
    assert answers(shop) == [("cancel", "Accepted", "too late")]
    assert shop.told("r2") == "too late"
    await shop.end("r1")
    await shop.look()
    assert shop.phases() == {"r1": "Succeeded", "r2": "Cancelled", "r3": "Running"}
    assert [task.path for task in shop.started] == ["a", "a"]


async def test_it_stays_cancelled_over_a_restart() -> None:
    shop = await waiting(cancel="")
    await shop.look("r2")
    after = shop.restart()
    await after.look()
    assert after.phases()["r2"] == "Cancelled"


async def test_a_run_that_is_to_be_cancelled_never_starts_though_its_turn_has_come() -> None:
    shop = await waiting(cancel="")
    await shop.end("r1")
    await shop.look("r2", "r3")
    assert shop.phases() == {"r1": "Succeeded", "r2": "Cancelled", "r3": "Running"}


@pytest.mark.parametrize("action", ["undo", "retry", "skip"])
async def test_what_makes_no_sense_yet_is_refused_and_it_waits_on(action: str) -> None:
    shop = await waiting(**{action: '{"step": "a"}' if action == "skip" else "{}"})
    await shop.look("r2")
    assert shop.phases()["r2"] == "Pending"
    assert answers(shop) == [(action, "Rejected", "the run has not started")]


async def test_an_answer_stays_as_it_was_told_once_the_request_is_gone_and_while_it_is_not() -> None:
    shop = await waiting(undo="")
    await shop.look("r2")
    told = shop.runs["r2"].status["signals"]
    shop.clock.time += 7_000
    await shop.look("r2")
    assert shop.runs["r2"].status["signals"] == told  # else each look would write a status
    shop.runs["r2"] = replace(shop.runs["r2"], annotations={"reactor.run/retry": ""})
    await shop.look("r2")
    assert [action for action, _, _ in answers(shop)] == ["undo", "retry"]
    await shop.end("r1")
    await shop.look("r2")
    assert shop.phases()["r2"] == "Running"


async def test_what_was_refused_while_it_waited_is_not_answered_again_once_it_runs() -> None:
    """Its annotation may still stand then: it is taken away by whoever reads the answer."""
    shop = await waiting(undo="", skip="{{{")
    await shop.look("r2")
    told = answers(shop)
    await shop.end("r1")
    await shop.look("r2")
    assert shop.phases()["r2"] == "Running"
    for asked in parse_requests(shop.runs["r2"]):
        await shop.store.append(asked.entry_for(shop.runs["r2"].ref))
    await shop.look("r2")
    assert shop.phases()["r2"] == "Running"
    assert answers(shop) == told


async def test_what_cannot_be_read_is_refused_with_what_is_wrong() -> None:
    shop = await waiting(skip="{{{")
    await shop.look("r2")
    assert answers(shop) == [("skip", "Rejected", 'expected a JSON object such as {"step": "charge"}')]


async def test_one_that_waits_for_its_reactor_is_cancelled_too() -> None:
    shop = await waiting(cancel="")
    shop.spec = None
    await shop.look("r2")
    assert shop.phases()["r2"] == "Cancelled"


@pytest.mark.parametrize(
    "event",
    [
        UndoRequested(id="1"),
        UndoRequested(id="1", delete=True),
        RetryRequested(id="1"),
        SkipRequested(id="1", step="a"),
    ],
)
async def test_once_cancelled_it_can_neither_be_undone_nor_taken_up_for_it_never_began(event: Any) -> None:
    shop = await waiting({"steps": STEPS, "finally": FINALLY}, cancel="")
    await shop.look("r2")
    before = len(shop.started)
    await shop.store.append(Entry(run="uid-r2", digest="1", body=encode_event(event)))
    await shop.look("r2")
    assert shop.phases()["r2"] == "Cancelled"
    assert [one["phase"] for one in maps_at(shop.runs["r2"].status, "signals")] == ["Accepted", "Rejected"]
    assert len(shop.started) == before


def asks(shop: Shop, **annotations: str) -> None:
    """Let the annotations of the second run say so, as they do until they are taken away."""
    asked = {f"reactor.run/{action.replace('_', '.')}": value for action, value in annotations.items()}
    shop.runs["r2"] = replace(shop.runs["r2"], annotations=asked)


async def begin(shop: Shop) -> None:
    await shop.end("r1")
    await shop.look("r2")


async def test_one_that_is_asked_to_hold_still_does_so_from_its_start() -> None:
    shop = await waiting(suspend='{"reason": "look first"}')
    await shop.look("r2")
    assert (shop.phases()["r2"], answers(shop)) == ("Pending", [("suspend", "Accepted", "look first")])
    asks(shop, suspend='{"reason": "look first"}')
    await begin(shop)
    assert (shop.phases()["r2"], answers(shop)) == ("Suspended", [("suspend", "Accepted", "look first")])
    assert len(shop.started) == 1
    await shop.store.append(
        Entry(run="uid-r2", digest="on", body=encode_event(SuspendRequested(id="on", suspended=False)))
    )
    await shop.look("r2")
    assert shop.phases()["r2"] == "Running"


async def test_the_last_word_before_its_start_counts_in_the_order_of_the_answers() -> None:
    shop = await waiting(**{"suspend.2": ""})
    await shop.look("r2")
    asks(shop, suspend_2="", suspend_1="false")
    await shop.look("r2")
    assert [phase for _, phase, _ in answers(shop)] == ["Accepted", "Accepted"]
    asks(shop, suspend_2="", suspend_1="false")
    await begin(shop)
    assert shop.phases()["r2"] == "Running"


async def test_one_whose_spec_suspends_it_may_be_asked_to_go_on_before_its_start() -> None:
    shop = await waiting(suspend="false")
    spec = {**shop.runs["r2"].spec, "suspend": True}
    shop.runs["r2"] = replace(shop.runs["r2"], spec=spec)
    await shop.look("r2")
    asks(shop, suspend="false")
    await begin(shop)
    assert shop.phases()["r2"] == "Running"


async def test_asked_for_what_it_will_be_anyway_it_is_told_so() -> None:
    shop = await waiting(**{"suspend.1": "", "suspend.2": ""})
    await shop.look("r2")
    assert [reason for _, _, reason in answers(shop)] == [None, "the run is suspended already"]


async def test_what_it_was_told_of_suspending_stays_as_it_was_once_it_has_started() -> None:
    """Of both requests the older one is gone by then, and the other one is folded without it."""
    shop = await waiting(**{"suspend.1": "", "suspend.2": ""})
    await shop.look("r2")
    told = answers(shop)
    asks(shop, suspend_2="")
    await begin(shop)
    assert (shop.phases()["r2"], answers(shop)) == ("Suspended", told)


def test_only_the_last_word_about_suspending_stays_on_a_run_that_waits() -> None:
    requests = parse_annotations({f"reactor.run/suspend.{number}": "" for number in "123"} | {"reactor.run/undo.4": ""})
    told = [{"id": name, "action": "suspend"} for name in ("3", "1", "2")]
    status = {"phase": "Pending", "signals": [*told, {"id": "4", "action": "undo"}]}
    assert [one.id for one in requests if is_kept(one, requests, status)] == ["2"]
    assert not [one for one in requests if is_kept(one, requests, {**status, "phase": "Suspended"})]
    unanswered = {"phase": "Pending", "signals": told[:1]}
    assert [one.id for one in requests if is_kept(one, requests, unanswered)] == ["2"]
