"""Notifications of a reactor: which events of its runs are told to which endpoint, and what may be written there.

In: one object of `spec.notifications`. Out: a frozen `Notification`; problems that no single model sees.
Never here: a request, or the text of a key.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from reactor_operator.api.actions import Retries
from reactor_operator.api.duration import parse_duration
from reactor_operator.api.model import DNS_LABEL, Model, Optional, StepName, Timeout
from reactor_operator.api.problems import Problem, duplicate_names, render_found
from reactor_operator.engine.facts import FactKind

MAX_NOTIFICATIONS = 10
LONGEST_TIMEOUT = "1m"
MOST_ATTEMPTS = 100
SigningKey = Annotated[str, Field(strict=True, min_length=1, max_length=63, pattern=DNS_LABEL)]
Url = Annotated[str, Field(strict=True, min_length=1, max_length=2048)]
_URL = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)


class EventName(StrEnum):
    """What `events` may list: a kind of fact, or all of them."""

    EVERY = "*"
    RUN_STARTED = FactKind.RUN_STARTED.value
    RUN_SUSPENDED = FactKind.RUN_SUSPENDED.value
    RUN_RESUMED = FactKind.RUN_RESUMED.value
    RUN_SUCCEEDED = FactKind.RUN_SUCCEEDED.value
    RUN_FAILED = FactKind.RUN_FAILED.value
    RUN_CANCELLED = FactKind.RUN_CANCELLED.value
    RUN_HALTED = FactKind.RUN_HALTED.value
    RUN_UNDONE = FactKind.RUN_UNDONE.value
    STEP_FAILED = FactKind.STEP_FAILED.value
    INTERRUPT_OPENED = FactKind.INTERRUPT_OPENED.value
    ROLLBACK_FAILED = FactKind.ROLLBACK_FAILED.value


class NotificationHttp(Model):
    """A POST of each event as CloudEvents 1.0, structured JSON."""

    url: Url = Field(description="The address, a literal: http:// or https://. Redirects are not followed.")
    signing_key: Optional[SigningKey] = Field(
        default=None,
        description="Name of the key that signs each request (header Reactor-Signature): a key of the chart's Secret of"
        " signing keys. Unset: nothing is signed.",
    )
    timeout: Timeout = Field(default="10s", description="Longest time of one request, at most 1m. 10s when unset.")
    retries: Retries = Field(
        default_factory=lambda: Retries.model_validate({"maxAttempts": 8, "backoff": "exponential", "baseDelay": "1s"}),
        description="How often and how soon an event is sent again. Unset: 8 attempts, exponential from 1s.",
    )


class Notification(Model):
    """Events of the runs of this reactor that are told to an endpoint outside."""

    name: StepName = Field(description="A DNS label, unique among the notifications.")
    events: Annotated[tuple[EventName, ...], Field(min_length=1, max_length=32)] = Field(
        description="Which events are told; * is all of them."
    )
    http: NotificationHttp = Field(description="Where they are told.")

    @property
    def kinds(self) -> frozenset[FactKind]:
        """The facts that are told."""
        if EventName.EVERY in self.events:
            return frozenset(FactKind)
        return frozenset(FactKind(name.value) for name in self.events)


def notifications_problems(sound: Mapping[int, Notification], path: str) -> Iterator[Problem]:
    """Yield what is wrong with notifications whose shape is right, by their place in the list at `path`."""
    yield from duplicate_names({index: one.name for index, one in sound.items()}, path)
    for index, one in sound.items():
        at = f"{path}[{index}]"
        if (fault := _url_fault(one.http.url)) is not None:
            yield Problem(f"{at}.http.url", fault, "InvalidValue")
        if parse_duration(one.http.timeout) > parse_duration(LONGEST_TIMEOUT):
            message = f"found {one.http.timeout}, expected at most {LONGEST_TIMEOUT}"
            yield Problem(f"{at}.http.timeout", message, "InvalidValue")
        if one.http.retries.max_attempts > MOST_ATTEMPTS:
            message = f"found {one.http.retries.max_attempts}, expected at most {MOST_ATTEMPTS}"
            yield Problem(f"{at}.http.retries.maxAttempts", message, "InvalidValue")


def _url_fault(url: str) -> str | None:
    """Return what is wrong with an address, without what may be a password in it."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return "found a space, a control character or a letter beyond ASCII, expected them percent-encoded"
    if not _URL.match(url):
        return f"found {render_found(url)}, expected an address that begins with http:// or https://"
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        has_host = False
    if not has_host:
        return "found no host, or a port that is none, expected http://HOST or http://HOST:PORT"
    if parts.username is not None or parts.password is not None:
        return "found a user or password in the address, expected none: requests are proven by signingKey"
    if parts.fragment:
        return "found a fragment (#…), expected none: it is never sent"
    return None
