"""Reactors and runs of a small shop, one for each thing that a screen has to tell.

In: a stage. Out: runs on it. Never here: an assertion.
"""

from collections.abc import Mapping
from typing import Any

from reactor_operator.engine.identity import Action, Task
from tests.ui.stage import Stage
from tests.ui.staged import HANGS, Fails, Script, StagedRun

WORK: Mapping[str, Any] = {"python": {"handler": "shop:work"}}


def task(name: str, handler: str, *after: str, undo: bool = True, **more: Any) -> dict[str, Any]:
    """Return a step that calls a handler."""
    step: dict[str, Any] = {"name": name, "run": {"python": {"handler": handler}}, **more}
    if after:
        step["waitFor"] = list(after)
    if undo:
        step["undo"] = {"python": {"handler": f"{handler}_undo"}}
    return step


ORDER: Mapping[str, Any] = {
    "description": "Prepare the order, reserve the stock, charge the card, book the courier, mail a receipt.",
    "steps": [
        task("prepare", "shop.orders:prepare", arguments={"order": {"input": "orderId"}}),
        task("reserve", "shop.inventory:reserve", "prepare", arguments={"items": {"input": "items"}}),
        task("quote", "shop.courier:quote", "prepare", undo=False),
        task(
            "charge",
            "shop.payment:charge",
            "reserve",
            retries={"maxAttempts": 3, "baseDelay": "1ms"},
            arguments={"amount": {"input": "total"}, "reservation": {"result": "reserve"}},
            compensate={"python": {"handler": "shop.payment:void"}},
        ),
        task("ship", "shop.courier:ship", "charge", "quote"),
        task("receipt", "shop.mail:receipt", "ship", undo=False, onError={"action": "Continue", "value": None}),
    ],
    "finally": [task("tidy", "shop.orders:tidy", undo=False)],
}
INPUTS = {"orderId": "o-4711", "items": [{"sku": "lamp", "quantity": 2}], "total": 129}
PAYLOAD: Mapping[str, Any] = {
    "type": "object",
    "required": ["approved", "limit"],
    "properties": {
        "approved": {"type": "boolean", "title": "Approved?", "description": "Whether the order may be placed."},
        "limit": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10_000,
            "title": "Credit limit",
            "description": "In euros.",
        },
        "reason": {"type": "string", "title": "Reason", "maxLength": 500},
        "tier": {"enum": ["bronze", "silver", "gold"], "title": "Tier"},
        "contacts": {
            "type": "array",
            "title": "Contacts",
            "items": {
                "type": "object",
                "required": ["email"],
                "properties": {"email": {"type": "string", "format": "email", "minLength": 3}},
            },
        },
    },
    "additionalProperties": False,
}
APPROVAL: Mapping[str, Any] = {
    "description": "Ask for the budget, wait for a decision, then order.",
    "steps": [
        task("request", "purchasing.budget:request"),
        {
            "name": "approve",
            "waitFor": ["request"],
            "interrupt": {"payloadSchema": PAYLOAD, "timeout": "72h", "correlationId": "'order-' + inputs.orderId"},
        },
        {"name": "sign", "waitFor": ["request"], "interrupt": {"approvers": True}},
        task("order", "purchasing.supplier:order", "approve", "sign"),
    ],
}
DELIVERY: Mapping[str, Any] = {
    "description": "Pack, then choose a carrier, then hand each parcel over.",
    "steps": [
        {
            "name": "pack",
            "compose": {
                "steps": [
                    task("pick", "parcels:pick"),
                    task("box", "parcels:box", "pick"),
                    task("label", "parcels:label", "box"),
                ]
            },
        },
        {
            "name": "carrier",
            "waitFor": ["pack"],
            "switch": {
                "cases": [
                    {"when": "inputs.weight < 2", "run": WORK},
                    {
                        "when": "inputs.weight < 50",
                        "steps": [
                            task("book", "parcels.courier:book"),
                            task("pickup", "parcels.courier:pickup", "book"),
                        ],
                    },
                ],
                "default": {"steps": [task("freight", "parcels.freight:book")]},
            },
        },
        {
            "name": "parcels",
            "waitFor": ["carrier"],
            "map": {
                "source": {"input": "parcels"},
                "batchSize": 10,
                "failFast": False,
                "run": {"python": {"handler": "parcels:hand_over"}},
            },
            "undo": {"python": {"handler": "parcels:take_back"}},
        },
        task("invoice", "parcels:invoice", "parcels"),
    ],
}
UNSOUND: Mapping[str, Any] = {
    "steps": [
        {"name": "reserve", "run": WORK, "undoo": WORK},
        {"name": "charge", "run": WORK, "arguments": {"amount": {"result": "resrve"}}},
    ]
}
TRACEBACK = """Traceback (most recent call last):
  File "/app/shop/payment.py", line 42, in charge
    raise CardRefused(f"card refused: {reason}")
shop.payment.CardRefused: card refused: insufficient funds"""
SOURCE = """   40 |     answer = bank.authorize(card, amount)
   41 |     if not answer.approved:
>  42 |         raise CardRefused(answer.reason)
   43 |     return {"id": answer.id}"""
REFUSED = Fails(
    message="card refused: insufficient funds",
    file="shop/payment.py",
    line=42,
    detail={
        "function": "charge",
        "source": SOURCE,
        "origins": ["BankError: authorization 7781 was declined"],
        "traceback": TRACEBACK,
        "log": "authorizing 129 EUR\nthe bank answers: declined",
    },
)
RESULTS: Mapping[str, object] = {
    "prepare": {"order": "o-4711", "lines": 1},
    "reserve": {"id": "r-81", "parcels": ["p-1", "p-2"]},
    "quote": {"carrier": "north", "price": 12},
    "charge": {"id": "c-5531", "amount": 129},
    "ship": {"tracking": "track-o-4711"},
}


def comes_to(**outcomes: object) -> Script:
    """Return the script in which steps come to `outcomes` (`undo_charge`: an undo), all others well."""

    def script(one: Task) -> object:
        named = one.path.replace("/", "_").replace("-", "_")
        name = named if one.action is Action.RUN else f"{one.action.value}_{named}"
        return outcomes[name] if name in outcomes else RESULTS.get(one.path, {"ok": True})

    return script


async def put_reactors(stage: Stage) -> None:
    """Store the reactors of the shop."""
    await stage.put_reactor("order", ORDER)
    await stage.put_reactor("approval", APPROVAL)
    await stage.put_reactor("delivery", DELIVERY)
    unknown = (
        "spec.steps[0].undoo: found an unknown field, expected undo\n"
        "spec.steps[1].arguments.amount.result: found 'resrve', expected the name of a step: did you mean 'reserve'?"
    )
    await stage.put_reactor("unsound", UNSOUND, ready={"status": "False", "reason": "UnknownField", "message": unknown})


async def failed_order(stage: Stage, name: str = "order-refused") -> StagedRun:
    """A card is refused: the steps before are undone."""
    return await stage.start(name, "order", comes_to(charge=REFUSED), INPUTS)


async def shipped_order(stage: Stage, name: str = "order-shipped") -> StagedRun:
    """All goes well."""
    return await stage.start(name, "order", comes_to(), INPUTS)


async def running_order(stage: Stage, name: str = "order-running") -> StagedRun:
    """The card is being charged."""
    return await stage.start(name, "order", comes_to(charge=HANGS), INPUTS)


async def rolling_order(stage: Stage, name: str = "order-rolling") -> StagedRun:
    """The card was refused, the reservation is being released."""
    return await stage.start(name, "order", comes_to(charge=REFUSED, undo_reserve=HANGS), INPUTS)


async def stuck_order(stage: Stage, name: str = "order-stuck") -> StagedRun:
    """The card was refused, and the reservation could not be released."""
    held = Fails(message="the warehouse does not answer")
    return await stage.start(name, "order", comes_to(charge=REFUSED, undo_reserve=held), INPUTS)


async def waiting_purchase(stage: Stage, name: str = "purchase-1") -> StagedRun:
    """Two people are waited for."""
    return await stage.start(name, "approval", comes_to(), {"orderId": name})


async def delivery(
    stage: Stage, name: str = "delivery-1", parcels: int = 60, script: Script | None = None
) -> StagedRun:
    """Parcels are handed over, one failed, some are on their way."""

    def some(one: Task) -> object:
        if one.path == "parcels[7]":
            return Fails(message="nobody at home")
        index = one.path.removeprefix("parcels[").partition("]")[0]
        return HANGS if one.path.startswith("parcels[") and int(index) >= parcels * 2 // 3 else {"ok": True}

    inputs = {"weight": 12, "parcels": [f"parcel {number}" for number in range(parcels)]}
    return await stage.start(name, "delivery", script or some, inputs)


async def wide_run(stage: Stage, steps: int = 1_000, name: str = "wide") -> StagedRun:
    """A thousand steps: a hundred stages of ten, each step waiting for two of the stage before."""
    width = 10

    def one(number: int) -> dict[str, Any]:
        stage_of, place = divmod(number, width)
        before = [(stage_of - 1) * width + (place + shift) % width for shift in (0, 1)] if stage_of else []
        return task(f"s{number}", "many:work", *(f"s{need}" for need in before))

    await stage.put_reactor("wide", {"steps": [one(number) for number in range(steps)]})
    done = steps * 2 // 3
    return await stage.start(name, "wide", lambda found: {} if int(found.path[1:]) < done else HANGS)
