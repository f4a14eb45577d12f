"""What the operator and the gateway are told by their environment, read once and frozen.

In: a mapping like `os.environ`, and the files it names. Out: `OperatorSettings` or `GatewaySettings`, or every problem
at once. Never here: a default that hides a missing Secret, and never a secret in a message.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from reactor_operator.api.duration import parse_duration
from reactor_operator.encryption import NO_KEYS, Keyring, parse_keys
from reactor_operator.named_keys import SHORTEST_KEY
from reactor_operator.store.kept_logs import RUN_BYTES, LogSettings

T = TypeVar("T")
LOG_LEVELS = ("debug", "info", "warning", "error")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


class BadSettings(Exception):
    """The environment cannot be used; `problems` names each variable, what was found and what was expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """What both components need.

    installation: the name under which keys are kept in Redis and the Lease is called.
    redis_url:    with the password in it.       token_key: signs the tokens of tasks and the seals of pods.
    keys:         encrypt sensitive values; none where the chart names no file.
    task_logs:    which logs of tasks are kept; None: none.
    signals:      of the gateway: people and programs may send signals by HTTP, for which it asks the API server.
    webhook_keys: of the gateway: the folder that has the keys of webhooks; None: nobody may deliver.
    webhook_rate: of the gateway: how many deliveries in a second each webhook takes.
    api:          of the gateway: people may look at runs by HTTP, for which it lists and watches them.
    dashboard:    of the gateway: the page that does so is served beside it.
    mirrored:     of the gateway: the namespaces whose runs it lists; empty for all of them.
    """

    installation: str
    redis_url: str = field(repr=False)
    token_key: bytes = field(repr=False)
    keys: Keyring = field(repr=False)
    log_level: str
    pod_name: str
    pod_namespace: str
    task_logs: LogSettings | None = None
    signals: bool = False
    webhook_keys: Path | None = None
    webhook_rate: float = 10.0
    api: bool = False
    dashboard: bool = False
    mirrored: tuple[str, ...] = ()

    @property
    def keyring(self) -> Keyring:
        """The keys that encrypt, and the one that seals documents made here."""
        return replace(self.keys, sealing=self.token_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """What the operator needs. `namespaces` is empty for all of them; times are int milliseconds.

    key_retention_ms:      how long a business key is kept after the last run that has it is gone.
    ttl_after_finished_ms: for runs of which neither they nor their reactor say one; None: they are never deleted.
    signing_keys: the folder that has the keys which sign notifications; None: there are none.
    admission_policy: whether a policy of the cluster refuses a ReactorSignal that says something untrue of who asks.
    traces:       where the traces of runs go, by OTLP over HTTP; empty: nowhere.
    """

    shared: GatewaySettings
    namespaces: tuple[str, ...]
    gateway_url: str
    runtime_image: str
    runtime_pull_policy: str
    start_deadline_ms: int
    pending_timeout_ms: int
    lost_timeout_ms: int
    sweep_grace_ms: int
    key_retention_ms: int
    ttl_after_finished_ms: int | None = None
    signing_keys: Path | None = None
    admission_policy: bool = False
    traces: str = ""


def load_gateway_settings(environment: Mapping[str, str]) -> GatewaySettings:
    """Return the settings of the gateway. Raises BadSettings."""
    reading = _Reading(environment)
    shared = _shared(reading)
    signals = reading.take("REACTOR_HTTP_SIGNALS", _one_of(("true", "false")), default="false")
    folder = reading.take("REACTOR_WEBHOOK_KEYS", _folder_or_none, default=_NO_FILE)
    rate = reading.take("REACTOR_WEBHOOKS_PER_SECOND", _rate, default="10")
    api = reading.take("REACTOR_HTTP_API", _one_of(("true", "false")), default="false")
    dashboard = reading.take("REACTOR_HTTP_DASHBOARD", _one_of(("true", "false")), default="false")
    namespaces = reading.take("REACTOR_NAMESPACES", _namespaces, default="")
    reading.finish()
    return replace(
        shared,
        signals=signals == "true",
        webhook_keys=folder,
        webhook_rate=rate,
        api=api == "true",
        dashboard=dashboard == "true",
        mirrored=namespaces,
    )


def load_operator_settings(environment: Mapping[str, str]) -> OperatorSettings:
    """Return the settings of the operator. Raises BadSettings."""
    reading = _Reading(environment)
    settings = OperatorSettings(
        shared=_shared(reading),
        namespaces=reading.take("REACTOR_NAMESPACES", _namespaces, default=""),
        gateway_url=reading.take("REACTOR_GATEWAY_URL", _address),
        runtime_image=reading.take("REACTOR_RUNTIME_IMAGE", _image),
        runtime_pull_policy=reading.take("REACTOR_RUNTIME_PULL_POLICY", _one_of(PULL_POLICIES), default="IfNotPresent"),
        start_deadline_ms=reading.take("REACTOR_START_DEADLINE", parse_duration, default="30s"),
        pending_timeout_ms=reading.take("REACTOR_PENDING_TIMEOUT", parse_duration, default="10m"),
        lost_timeout_ms=reading.take("REACTOR_LOST_TIMEOUT", parse_duration, default="5m"),
        sweep_grace_ms=reading.take("REACTOR_SWEEP_GRACE", parse_duration, default="10m"),
        key_retention_ms=reading.take("REACTOR_KEY_RETENTION", parse_duration, default="720h"),
        ttl_after_finished_ms=reading.take("REACTOR_TTL_AFTER_FINISHED", _duration_or_never, default=_NEVER),
        signing_keys=reading.take("REACTOR_SIGNING_KEYS", _folder_or_none, default=_NO_FILE),
        admission_policy=reading.take("REACTOR_ADMISSION_POLICY", _one_of(("true", "false")), default="false")
        == "true",
        traces=reading.take("REACTOR_TRACES_ENDPOINT", _collector_or_none, default=_NO_FILE),
    )
    reading.finish()
    return settings


def _task_logs(reading: "_Reading") -> LogSettings | None:
    kept = reading.take("REACTOR_TASK_LOGS", _one_of(("true", "false")), default="false")
    run_bytes = reading.take("REACTOR_TASK_LOGS_BYTES_PER_RUN", _bytes, default=str(RUN_BYTES))
    sensitive = reading.take("REACTOR_TASK_LOGS_SENSITIVE", _one_of(("true", "false")), default="false")
    return LogSettings(run_bytes=run_bytes, sensitive=sensitive == "true") if kept == "true" else None


class _Reading:
    """Reads variables and gathers what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._problems: list[str] = []

    def take(self, name: str, parse: Callable[[str], T], *, default: str | None = None) -> T:
        """Return the parsed variable. What is wrong is noted, and the answer is then of no use."""
        text = self._environment.get(name, "") or default
        if text is None:
            self._problems.append(f"{name}: found nothing, expected a value; the chart sets it")
        else:
            try:
                return parse(text)
            except ValueError as problem:
                self._problems.append(f"{name}: {problem}")
        return _UNUSABLE  # type: ignore[return-value]

    def finish(self) -> None:
        """Raise BadSettings where anything was wrong."""
        if self._problems:
            raise BadSettings(self._problems)


_UNUSABLE = object()
_NEVER = "never"
"""Stands for a variable that is not set: no user writes it, for the chart leaves the variable away."""


def _duration_or_never(text: str) -> int | None:
    return None if text == _NEVER else parse_duration(text)


def _shared(reading: _Reading) -> GatewaySettings:
    password = reading.take("REACTOR_REDIS_PASSWORD_FILE", _text_of_file, default=_NO_FILE)
    return GatewaySettings(
        installation=reading.take("REACTOR_INSTALLATION", _name),
        redis_url=reading.take("REACTOR_REDIS_URL", lambda url: _redis_url(url, password)),
        token_key=reading.take("REACTOR_TOKEN_KEY_FILE", _key_of_file),
        keys=reading.take("REACTOR_SENSITIVE_KEYS_FILE", _keys_of_file, default=_NO_FILE),
        log_level=reading.take("REACTOR_LOG_LEVEL", _one_of(LOG_LEVELS), default="info"),
        pod_name=reading.take("REACTOR_POD_NAME", str),
        pod_namespace=reading.take("REACTOR_POD_NAMESPACE", _name),
        task_logs=_task_logs(reading),
    )


_NO_FILE = "\0"


def _text_of_file(path: str) -> str:
    if path == _NO_FILE:
        return ""
    return _bytes_of_file(path).decode("utf-8", "surrogateescape").strip()


def _key_of_file(path: str) -> bytes:
    key = _bytes_of_file(path).strip()
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"file {path} has {len(key)} bytes, expected a random key of at least {SHORTEST_KEY}")
    return key


def _folder_or_none(path: str) -> Path | None:
    """The folder may be filled later: a key is looked for when it is needed."""
    return None if path == _NO_FILE else Path(path)


def _keys_of_file(path: str) -> Keyring:
    if path == _NO_FILE:
        return NO_KEYS
    try:
        return parse_keys(_text_of_file(path))
    except ValueError as problem:
        raise ValueError(f"file {path}: {problem}") from None


def _bytes_of_file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise ValueError(f"file {path} cannot be read: {problem.strerror}") from problem


def _redis_url(url: str, password: object) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(f"found scheme {parts.scheme!r}, expected redis://HOST:PORT/N or rediss://…")
    if not isinstance(password, str) or not password or parts.password is not None:
        return url
    host = parts.netloc.rpartition("@")[2]
    user = quote(unquote(parts.username or ""), safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError(f"found {text!r}, expected a DNS label: lower-case letters, digits and -, at most 63")
    return text


def _namespaces(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_name(part.strip()) for part in text.split(",") if part.strip()))


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "http" or not parts.netloc:
        raise ValueError(f"found {text!r}, expected http://HOST:PORT as pods reach the gateway")
    return text.rstrip("/")


def _collector_or_none(text: str) -> str:
    return "" if text == _NO_FILE else parse_collector(text)


def parse_collector(text: str) -> str:
    """Return the address of a collector of traces. Raises ValueError."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"found {text!r}, expected that of a collector, such as http://HOST:4318/v1/traces")
    return text


def _image(text: str) -> str:
    if not text or any(character.isspace() for character in text):
        raise ValueError(f"found {text!r}, expected an image such as reactor-runtime:0.1.0")
    return text


def _bytes(text: str) -> int:
    number = int(text) if re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) else 0
    if number <= 0:
        raise ValueError(f"found {text!r}, expected a number of bytes above 0, such as {RUN_BYTES}")
    return number


def _rate(text: str) -> float:
    rate = float(text) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text, re.ASCII) else 0.0
    if rate <= 0:
        raise ValueError(f"found {text!r}, expected how many in a second, such as 10 or 0.5")
    return rate


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"found {text!r}, expected one of {', '.join(words)}")
        return text

    return parse
