"""How every run of every example ends: the same on the laptop and on a cluster.

Out: `EXPECTED`, asserted by `tests/unit/cli/test_examples.py` and `tests/cluster/test_examples.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[1] / "examples"
SERVICES = {"06-http-saga": EXAMPLES / "06-http-saga" / "services" / "server.py"}
"""The examples whose steps are requests, with the server that they ask; its address is the input `services`."""
VOLUMES = {"08-bulk-import": "bulk-import", "09-archive-users": "archive-users"}
"""The examples whose steps share files, with their claim for a volume on a cluster; the input `folder` says where."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The end of one run: its phase, some members of its result, what was reversed in order, and phases of steps.

    maps: how many elements of maps there were, and how they ended.
    resumes: the payloads that are sent once the run waits for signals alone, by interrupt.
    """

    phase: str
    result: object = None
    undone: tuple[str, ...] = ()
    failure: str = ""
    steps: Mapping[str, str] = field(default_factory=dict)
    maps: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    resumes: Mapping[str, object] = field(default_factory=dict)

    def check(self, status: Mapping[str, Any]) -> None:
        """Compare with a status."""
        assert status["phase"] == self.phase, status
        result = status.get("result")
        if isinstance(self.result, dict):
            assert isinstance(result, dict), status
            found = {name: result.get(name) for name in self.result}
            assert found == self.result, found
        else:
            assert result == self.result
        assert tuple(status["rollback"]["undone"]) == self.undone
        assert status["rollback"]["failures"] == []
        assert self.failure in status.get("failure", {}).get("message", "")
        phases = {step["name"]: step["phase"] for step in status["steps"]}
        assert {name: phases[name] for name in self.steps} == dict(self.steps)
        told = {step["name"]: step.get("map", {}) for step in status["steps"]}
        for name, counts in self.maps.items():
            assert {what: told[name].get(what) for what in counts} == counts


_BAD_LINES = ["line 201: 'Atlantis' is no country we sell to", "line 301: found 2 values, expected 5"]

EXPECTED: dict[str, dict[str, Expected]] = {
    "01-hello": {"hello": Expected(phase="Succeeded", result="Hello, world!")},
    "02-order-processing": {
        "order-shipped": Expected(
            phase="Succeeded",
            result={"order": "o-1001", "paid": 5000, "tracking": "track-o-1001"},
            steps={"receipt": "Succeeded"},
        ),
        "order-declined": Expected(
            phase="Failed",
            failure="declined: insufficient funds",
            undone=("charge", "reserve"),
            steps={"charge": "Compensated", "reserve": "Undone", "ship": "Pending"},
        ),
        "order-courier-down": Expected(
            phase="Failed",
            failure="Stormhaven does not answer",
            undone=("ship", "charge", "reserve"),
            steps={"ship": "Compensated", "charge": "Undone", "reserve": "Undone"},
        ),
    },
    "03-user-registration": {
        "ada-registered": Expected(
            phase="Succeeded", result={"mailbox": "ada.lovelace@mail.example.com", "welcome": "sent"}
        ),
        "bouncy-registered": Expected(
            phase="Succeeded",
            result={"welcome": "not sent"},
            steps={"newsletter": "Skipped", "welcome": "Ignored"},
        ),
        "zoe-refused": Expected(
            phase="Failed",
            failure="the page for Z is full",
            undone=("directory", "mailbox", "account"),
            steps={"directory": "Compensated", "mailbox": "Undone", "account": "Undone"},
        ),
    },
    "04-payment": {
        "payment-captured": Expected(phase="Succeeded", result={"amount": 4999}),
        "payment-reconciled": Expected(phase="Succeeded", result={"amount": 1250}),
        "payment-refused": Expected(
            phase="Failed",
            failure="looks like fraud",
            undone=("capture", "authorize"),
            steps={"capture": "Compensated", "authorize": "Undone"},
        ),
        "payment-held": Expected(phase="Halted", steps={"authorize": "Succeeded", "capture": "Pending"}),
    },
    "05-compose-and-switch": {
        "letter-posted": Expected(
            phase="Succeeded",
            result={"size": "letter", "shipped": {"by": "post"}, "policy": "none"},
            steps={"insurance": "Skipped", "insurance/quote": "Skipped", "ship[1]/label": "Skipped"},
        ),
        "parcel-delivered": Expected(
            phase="Succeeded",
            result={"shipped": {"by": "courier", "tracking": "track-p-2"}, "policy": "policy-80"},
            steps={"insurance": "Succeeded", "ship[1]/courier": "Succeeded", "ship[default]": "Skipped"},
        ),
        "freight-uninsured": Expected(
            phase="Succeeded",
            result={"shipped": {"by": "lorry north"}, "policy": "none"},
            undone=("insurance/sign", "insurance/quote"),
            steps={"insurance": "Ignored", "insurance/quote": "Undone", "ship": "Succeeded"},
        ),
        "parcel-returned": Expected(
            phase="Failed",
            failure="no courier goes to 4 Cliff Lane in Stormhaven",
            undone=("ship[1]/courier", "ship[1]/label", "pay"),
            steps={"ship": "Failed", "ship[1]/courier": "Compensated", "ship[1]/label": "Undone", "pay": "Undone"},
        ),
    },
    "06-http-saga": {
        "http-order-shipped": Expected(
            phase="Succeeded", result={"order": "h-1", "paid": 5000, "tracking": "track-h-1"}
        ),
        "http-order-declined": Expected(
            phase="Failed",
            failure='/charges answered 402 Payment Required: {"error": "the card is declined: insufficient funds"}',
            undone=("charge", "reserve"),
            steps={"charge": "Compensated", "reserve": "Undone", "ship": "Pending"},
        ),
        "http-order-courier-busy": Expected(phase="Succeeded", result={"paid": 7500, "tracking": "track-h-3"}),
        "http-order-no-courier": Expected(
            phase="Failed",
            failure="no courier goes to Stormhaven",
            undone=("ship", "charge", "reserve"),
            steps={"ship": "Compensated", "charge": "Undone", "reserve": "Undone"},
        ),
    },
    "07-finally-and-notifications": {
        "tickets-paid": Expected(
            phase="Succeeded", result={"order": "t-1", "paid": 8000}, steps={"close-counter": "Succeeded"}
        ),
        "tickets-declined": Expected(
            phase="Failed",
            failure="the card has expired",
            undone=("charge", "hold"),
            steps={"charge": "Compensated", "hold": "Undone", "close-counter": "Succeeded"},
        ),
    },
    "08-bulk-import": {
        "customers-imported": Expected(
            phase="Succeeded",
            result={"imported": 990, "rejected": 10, "first": ["line 101: 'twelve' is no amount", *_BAD_LINES]},
            steps={"rows": "Succeeded", "check": "Skipped"},
            maps={"rows": {"total": 1000, "succeeded": 990, "failed": 10}},
        ),
        "customers-wrong-total": Expected(
            phase="Failed",
            failure="the balances of 990 customers add up to 493,050.00, the sender says 0.01",
            undone=("rows",),
            steps={"rows": "Undone", "check": "Failed", "report": "Pending"},
            maps={"rows": {"total": 1000, "failed": 10, "undone": 990}},
        ),
        "customers-damaged": Expected(
            phase="Failed",
            failure="51 elements failed, more than maxFailuresPercent 5 of 1000",
            undone=("rows",),
            steps={"rows": "Compensated", "report": "Pending"},
        ),
    },
    "09-archive-users": {
        "sales-archived": Expected(
            phase="Succeeded",
            result={
                "archived": 9,
                "failed": 3,
                "kept": [
                    "archive[4]/export: sales-0010 has no mail address, which the archive wants",
                    "archive[5]/delete: sales-0012 must be kept: court file 7/2031",
                    "archive[11]/delete: sales-0024 must be kept: court file 7/2031",
                ],
            },
            steps={"archive": "Succeeded"},
            maps={"archive": {"total": 12, "succeeded": 9, "failed": 3}},
        ),
        "support-restored": Expected(
            phase="Failed",
            failure="the contract of support is being audited: no seat may be given back",
            undone=("archive",),
            steps={"archive": "Undone", "seats": "Failed"},
            maps={"archive": {"total": 12, "failed": 3, "undone": 9}},
        ),
    },
    "10-approval": {
        "chairs-approved": Expected(
            phase="Succeeded",
            result={"order": "order-p-17", "approvedBy": "ann"},
            steps={"approval": "Succeeded"},
            resumes={"approval": {"approved": True, "by": "ann"}},
        ),
        "yacht-declined": Expected(
            phase="Failed",
            failure="ann declined p-18: no harbour",
            undone=("budget",),
            steps={"approval": "Succeeded", "budget": "Undone"},
            resumes={"approval": {"approved": False, "by": "ann", "note": "no harbour"}},
        ),
    },
    "11-report-webhook": {
        "october-published": Expected(
            phase="Succeeded",
            result={"month": "2026-10", "rows": 1234},
            steps={"report": "Succeeded"},
            resumes={"report": {"month": "2026-10", "status": "ready", "rows": 1234}},
        ),
        "november-withdrawn": Expected(
            phase="Failed",
            failure="there is no report of 2026-11: no sales",
            undone=("request",),
            steps={"report": "Succeeded", "request": "Undone"},
            resumes={"report": {"month": "2026-11", "status": "failed", "reason": "no sales"}},
        ),
    },
    "12-reservation-expiry": {
        "seat-expired": Expected(
            phase="Succeeded",
            result={"seat": "7C", "sold": False},
            steps={"payment": "Succeeded", "settle[0]": "Skipped"},
        ),
    },
}
