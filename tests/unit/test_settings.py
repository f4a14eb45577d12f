"""The settings: every problem at once, each with its name; secrets stay out of words."""

from dataclasses import replace
from pathlib import Path

import pytest

from reactor_operator.encryption import NO_KEYS
from reactor_operator.settings import BadSettings, load_gateway_settings, load_operator_settings
from reactor_operator.store.kept_logs import LogSettings


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "key").write_text("0123456789abcdef\n")
    (tmp_path / "password").write_text("p@ss/word\n")
    return {
        "REACTOR_INSTALLATION": "reactor",
        "REACTOR_REDIS_URL": "redis://redis:6379/0",
        "REACTOR_REDIS_PASSWORD_FILE": str(tmp_path / "password"),
        "REACTOR_TOKEN_KEY_FILE": str(tmp_path / "key"),
        "REACTOR_POD_NAME": "operator-1",
        "REACTOR_POD_NAMESPACE": "system",
        "REACTOR_NAMESPACES": "shop, bank",
        "REACTOR_GATEWAY_URL": "http://gateway:8080/",
        "REACTOR_RUNTIME_IMAGE": "reactor-runtime:1",
    }


def test_what_is_said_is_taken_and_the_rest_has_defaults(environment: dict[str, str]) -> None:
    settings = load_operator_settings(environment)
    assert settings.namespaces == ("shop", "bank")
    assert settings.gateway_url == "http://gateway:8080"
    assert settings.shared.token_key == b"0123456789abcdef"
    assert settings.shared.redis_url == "redis://:p%40ss%2Fword@redis:6379/0"
    assert (settings.start_deadline_ms, settings.pending_timeout_ms) == (30_000, 600_000)
    assert (settings.lost_timeout_ms, settings.sweep_grace_ms) == (300_000, 600_000)
    assert settings.key_retention_ms == 30 * 24 * 3_600_000
    assert settings.shared.log_level == "info"


def test_keys_for_sensitive_values_come_from_a_file_and_stay_out_of_words(
    environment: dict[str, str], tmp_path: Path
) -> None:
    assert load_operator_settings(environment).shared.keys == NO_KEYS
    (tmp_path / "keys").write_text(f"{'ab' * 32}\n{'cd' * 32}\n")
    told = {**environment, "REACTOR_SENSITIVE_KEYS_FILE": str(tmp_path / "keys")}
    settings = load_operator_settings(told)
    assert [key.secret.hex() for key in settings.shared.keys.every] == ["ab" * 32, "cd" * 32]
    assert settings.shared.keyring == replace(settings.shared.keys, sealing=b"0123456789abcdef")
    assert "abab" not in repr(settings)
    (tmp_path / "keys").write_text("0123456789")
    with pytest.raises(BadSettings, match=r"REACTOR_SENSITIVE_KEYS_FILE: file .*: line 1: found 10") as bad:
        load_operator_settings(told)
    assert "0123456789" not in str(bad.value)


def test_traces_go_nowhere_unless_a_collector_is_named(environment: dict[str, str]) -> None:
    assert load_operator_settings(environment).traces == ""
    named = "https://collector:4318/v1/traces"
    assert load_operator_settings({**environment, "REACTOR_TRACES_ENDPOINT": named}).traces == named


def test_no_logs_are_kept_until_that_is_asked_for(environment: dict[str, str]) -> None:
    assert load_operator_settings(environment).shared.task_logs is None
    asked = {**environment, "REACTOR_TASK_LOGS": "true"}
    assert load_operator_settings(asked).shared.task_logs == LogSettings()
    assert load_gateway_settings(asked).task_logs == LogSettings()
    more = {"REACTOR_TASK_LOGS_BYTES_PER_RUN": "1048576", "REACTOR_TASK_LOGS_SENSITIVE": "true"}
    assert load_operator_settings(asked | more).shared.task_logs == LogSettings(run_bytes=1_048_576, sensitive=True)


def test_signals_by_http_are_off_unless_the_gateway_is_told(environment: dict[str, str]) -> None:
    assert not load_gateway_settings(environment).signals
    assert load_gateway_settings({**environment, "REACTOR_HTTP_SIGNALS": "true"}).signals
    with pytest.raises(BadSettings, match="REACTOR_HTTP_SIGNALS: found 'yes', expected one of true, false"):
        load_gateway_settings({**environment, "REACTOR_HTTP_SIGNALS": "yes"})


def test_no_namespaces_means_all(environment: dict[str, str]) -> None:
    assert load_operator_settings({**environment, "REACTOR_NAMESPACES": ""}).namespaces == ()


def test_a_user_of_redis_keeps_its_name(environment: dict[str, str]) -> None:
    found = load_gateway_settings({**environment, "REACTOR_REDIS_URL": "rediss://op@redis:6379/0"})
    assert found.redis_url == "rediss://op:p%40ss%2Fword@redis:6379/0"
    found = load_gateway_settings({**environment, "REACTOR_REDIS_URL": "rediss://team%2Fop@redis:6379/0"})
    assert found.redis_url == "rediss://team%2Fop:p%40ss%2Fword@redis:6379/0"


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(BadSettings) as found:
        load_operator_settings({"REACTOR_LOG_LEVEL": "loud", "REACTOR_SWEEP_GRACE": "ten minutes"})
    told = "\n".join(found.value.problems)
    for name in (
        "REACTOR_INSTALLATION",
        "REACTOR_REDIS_URL",
        "REACTOR_TOKEN_KEY_FILE",
        "REACTOR_POD_NAME",
        "REACTOR_POD_NAMESPACE",
        "REACTOR_GATEWAY_URL",
        "REACTOR_RUNTIME_IMAGE",
    ):
        assert f"{name}: found nothing" in told
    assert "REACTOR_LOG_LEVEL: found 'loud', expected one of debug, info, warning, error" in told
    assert "REACTOR_SWEEP_GRACE: 'ten minutes' is not a duration" in told


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("REACTOR_REDIS_URL", "http://redis", "redis://"),
        ("REACTOR_GATEWAY_URL", "gateway:8080", "http://HOST:PORT"),
        ("REACTOR_NAMESPACES", "Shop", "DNS label"),
        ("REACTOR_RUNTIME_PULL_POLICY", "Sometimes", "IfNotPresent"),
        ("REACTOR_TOKEN_KEY_FILE", "/nowhere/key", "cannot be read"),
        ("REACTOR_TASK_LOGS_BYTES_PER_RUN", "8Mi", "expected a number of bytes above 0"),
        ("REACTOR_TRACES_ENDPOINT", "collector:4318", "expected that of a collector, such as http://"),
    ],
)
def test_a_wrong_value_says_what_was_expected(
    environment: dict[str, str], name: str, value: str, expected: str
) -> None:
    with pytest.raises(BadSettings) as found:
        load_operator_settings({**environment, name: value})
    (problem,) = found.value.problems
    assert problem.startswith(name)
    assert expected in problem


def test_a_short_key_is_refused_without_being_told(environment: dict[str, str]) -> None:
    Path(environment["REACTOR_TOKEN_KEY_FILE"]).write_text("hunter2")
    with pytest.raises(BadSettings) as found:
        load_gateway_settings(environment)
    assert "hunter2" not in str(found.value)
    assert "7 bytes" in str(found.value)


def test_secrets_are_not_in_the_words_for_the_settings(environment: dict[str, str]) -> None:
    shown = repr(load_operator_settings(environment))
    assert "0123456789abcdef" not in shown
    assert "p%40ss" not in shown


def test_an_address_that_the_agent_in_a_pod_does_not_speak_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match="REACTOR_GATEWAY_URL"):
        load_operator_settings({**environment, "REACTOR_GATEWAY_URL": "https://gateway:8443"})


def test_signing_keys_are_a_folder_that_may_be_filled_later(environment: dict[str, str], tmp_path: Path) -> None:
    assert load_operator_settings(environment).signing_keys is None
    said = {**environment, "REACTOR_SIGNING_KEYS": str(tmp_path / "later")}
    assert load_operator_settings(said).signing_keys == tmp_path / "later"


def test_a_ttl_of_finished_runs_is_taken_and_unset_means_never(environment: dict[str, str]) -> None:
    assert load_operator_settings(environment).ttl_after_finished_ms is None
    said = {**environment, "REACTOR_TTL_AFTER_FINISHED": "72h"}
    assert load_operator_settings(said).ttl_after_finished_ms == 72 * 3_600_000
    with pytest.raises(BadSettings, match="REACTOR_TTL_AFTER_FINISHED"):
        load_operator_settings({**environment, "REACTOR_TTL_AFTER_FINISHED": "a while"})


def test_who_asks_is_not_taken_for_true_unless_the_chart_says_that_a_policy_sees_to_it(
    environment: dict[str, str],
) -> None:
    assert not load_operator_settings(environment).admission_policy
    assert load_operator_settings({**environment, "REACTOR_ADMISSION_POLICY": "true"}).admission_policy
    with pytest.raises(BadSettings, match="REACTOR_ADMISSION_POLICY"):
        load_operator_settings({**environment, "REACTOR_ADMISSION_POLICY": "yes"})


def test_the_api_for_people_is_off_until_it_is_asked_for(environment: dict[str, str]) -> None:
    assert not load_gateway_settings(environment).api
    settings = load_gateway_settings({**environment, "REACTOR_HTTP_API": "true", "REACTOR_NAMESPACES": "shop,bank"})
    assert (settings.api, settings.mirrored) == (True, ("shop", "bank"))
    with pytest.raises(BadSettings, match="REACTOR_HTTP_API: found 'on', expected one of true, false"):
        load_gateway_settings({**environment, "REACTOR_HTTP_API": "on"})


def test_the_dashboard_is_off_until_it_is_asked_for(environment: dict[str, str]) -> None:
    assert not load_gateway_settings(environment).dashboard
    assert load_gateway_settings({**environment, "REACTOR_HTTP_DASHBOARD": "true"}).dashboard
    with pytest.raises(BadSettings, match="REACTOR_HTTP_DASHBOARD"):
        load_gateway_settings({**environment, "REACTOR_HTTP_DASHBOARD": "yes"})


def test_webhooks_are_off_until_a_folder_has_their_keys(environment: dict[str, str], tmp_path: Path) -> None:
    settings = load_gateway_settings(environment)
    assert (settings.webhook_keys, settings.webhook_rate) == (None, 10.0)
    said = {"REACTOR_WEBHOOK_KEYS": str(tmp_path / "later"), "REACTOR_WEBHOOKS_PER_SECOND": "0.5"}
    settings = load_gateway_settings({**environment, **said})
    assert (settings.webhook_keys, settings.webhook_rate) == (tmp_path / "later", 0.5)


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "1e3", "many"])
def test_a_rate_that_lets_nobody_through_is_refused(environment: dict[str, str], rate: str) -> None:
    with pytest.raises(BadSettings, match=r"REACTOR_WEBHOOKS_PER_SECOND: found .*, expected how many in a second"):
        load_gateway_settings({**environment, "REACTOR_WEBHOOKS_PER_SECOND": rate})
