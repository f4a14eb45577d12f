"""Bad input: one clear message with object, field, found and expected, no pod, and nobody else disturbed."""

import json
from typing import Any

import pytest

from tests.cluster.cluster import (
    KubectlFailed,
    Namespace,
    container_step,
    kubectl,
    python_step,
    reactor,
    run_of,
    steps_of,
    wait_until,
)


def not_ready(namespace: Namespace, name: str) -> dict[str, Any]:
    """Wait for the judgement of a reactor and return its Ready condition."""

    def look() -> dict[str, Any] | None:
        status = namespace.get("rct", name).get("status", {})
        ready = [c for c in status.get("conditions", []) if c["type"] == "Ready"]
        return ready[0] if ready and ready[0]["status"] == "False" else None

    return wait_until(f"reactor {name} is judged", look, 30)


def test_an_unknown_field_is_named_with_its_nearest_neighbour(namespace: Namespace) -> None:
    namespace.apply(
        reactor("typo", [python_step("a", undoo={"python": {"source": "def main(): pass"}})]), run_of("typo")
    )
    ready = not_ready(namespace, "typo")
    assert ready["reason"] == "UnknownField"
    assert "spec.steps[0].undoo" in ready["message"]
    assert "undo" in ready["message"].replace("undoo", "")
    status = namespace.wait_finished("typo-1")
    assert status["failure"]["kind"] == "InvalidReactor"
    assert "undoo" in status["failure"]["message"]
    assert not namespace.pods("typo-1")


def test_every_problem_of_a_reactor_is_listed(namespace: Namespace) -> None:
    namespace.apply(
        reactor(
            "bad",
            [
                python_step("a", waitFor=["b"]),
                python_step("b", waitFor=["a"]),
                python_step("c", arguments={"x": {"result": "nobody"}}, when="1 +"),
            ],
        )
    )
    message = not_ready(namespace, "bad")["message"]
    assert "a" in message
    assert "nobody" in message
    assert "spec.steps[2].when" in message


def test_inputs_that_break_the_schema_fail_the_run_with_every_path(namespace: Namespace) -> None:
    schema = {
        "type": "object",
        "required": ["orderId"],
        "additionalProperties": False,
        "properties": {"orderId": {"type": "string"}, "total": {"type": "number"}},
    }
    namespace.apply(
        reactor("strict", [python_step("a")], inputsSchema=schema), run_of("strict", inputs={"total": "x", "more": 1})
    )
    status = namespace.wait_finished("strict-1")
    assert status["failure"]["kind"] == "InvalidInputs"
    for path in ("spec.inputs.orderId", "spec.inputs.total", "spec.inputs.more"):
        assert path in status["failure"]["message"]
    assert not namespace.pods("strict-1")


def test_a_run_waits_for_its_reactor_and_then_fails(namespace: Namespace) -> None:
    namespace.apply(run_of("nobody"))
    pending = namespace.wait_status("nobody-1", "is pending", lambda s: s.get("phase") == "Pending")
    assert "nobody" in pending["message"]
    assert namespace.wait_finished("nobody-1")["failure"]["kind"] == "ReactorNotFound"


def test_a_run_starts_when_its_reactor_comes_in_time(namespace: Namespace) -> None:
    namespace.apply(run_of("late"))
    namespace.wait_status("late-1", "is pending", lambda s: s.get("phase") == "Pending")
    namespace.apply(reactor("late", [python_step("a")]))
    assert namespace.wait_finished("late-1")["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("source", "kind", "told"),
    [
        ("def main():\n    return {1, 2}\n", "InvalidResult", "set"),
        ("def main():\n    return float('nan')\n", "InvalidResult", "nan"),
        ("import nothing_like_it\n\ndef main():\n    pass\n", "CannotStart", "nothing_like_it"),
        ("import os\n\ndef main():\n    os._exit(0)\n", "NoOutcome", ""),
        ("def main(a, b):\n    pass\n", "InvalidArguments", ""),
        ("def main():\n    raise ValueError('no stock')\n", "Error", "no stock"),
    ],
)
def test_python_steps_that_go_wrong_say_how(namespace: Namespace, source: str, kind: str, told: str) -> None:
    namespace.apply(reactor("wrong", [python_step("a", source)]), run_of("wrong"))
    failure = namespace.wait_finished("wrong-1")["failure"]
    assert failure["kind"] == kind, failure
    assert told.lower() in failure["message"].lower()


def test_container_results_that_are_cut_or_missing_or_not_json(namespace: Namespace, busybox: str) -> None:
    long = "head -c 5000 /dev/zero | tr '\\0' x > $REACTOR_RESULT_PATH"
    text = container_step("text", "echo words > $REACTOR_RESULT_PATH", busybox, onError={"action": "Continue"})
    text["run"]["container"]["output"] = {"path": "/out/r.json", "format": "json"}
    none = container_step("none", "true", busybox, onError={"action": "Continue"})
    none["run"]["container"]["output"] = {"path": "/out/r.json"}
    cut = container_step("cut", long, busybox, onError={"action": "Continue"})
    namespace.apply(reactor("results", [cut, text, none]), run_of("results"))
    steps = steps_of(namespace.wait_finished("results-1"))
    assert {name: step["failure"]["kind"] for name, step in steps.items()} == dict.fromkeys(
        ("cut", "text", "none"), "InvalidResult"
    )
    assert "output" in steps["cut"]["failure"]["message"]


def test_pods_that_cannot_start_say_why_and_fail_in_time(namespace: Namespace, busybox: str) -> None:
    absent = container_step("absent", "true", "localhost/no-such-image:1", onError={"action": "Continue"})
    invalid = container_step("invalid", "true", "a:b:c", onError={"action": "Continue"})
    config = container_step("config", "true", busybox, onError={"action": "Continue"})
    config["run"]["container"]["envFrom"] = [{"configMapRef": {"name": "nowhere"}}]
    namespace.apply(reactor("stuck", [absent, invalid, config]), run_of("stuck"))
    namespace.wait_step("stuck-1", "invalid", "Ignored", timeout_seconds=15)
    waiting = namespace.wait_status(
        "stuck-1", "reasons are shown", lambda s: all(steps_of(s)[n].get("reason") for n in ("absent", "config"))
    )
    assert "Image" in steps_of(waiting)["absent"]["reason"]
    steps = steps_of(namespace.wait_finished("stuck-1"))
    assert {step["failure"]["kind"] for step in steps.values()} == {"CannotStart"}


def test_names_of_63_and_253_characters_work_and_64_is_refused(namespace: Namespace) -> None:
    step, name = "s" * 63, "r" + "x" * 252
    namespace.apply(reactor(name, [python_step(step)]), run_of(name, name="q" * 253))
    assert namespace.wait_finished("q" * 253)["phase"] == "Succeeded"
    twin = "q" * 252 + "z"
    namespace.apply(run_of(name, name=twin))
    assert namespace.wait_finished(twin)["phase"] == "Succeeded"
    long = reactor("long", [python_step("s" * 64)])
    with pytest.raises(KubectlFailed, match="63"):
        namespace.apply(long)


def test_more_steps_than_the_limit_are_refused_by_the_api_server(namespace: Namespace) -> None:
    tiny = [{"name": f"s{n}", "run": {"python": {"handler": "m:f"}}} for n in range(10_001)]
    with pytest.raises(KubectlFailed, match="10000"):
        namespace.kubectl("create", "-f", "-", stdin=json.dumps(reactor("many", tiny)))


def test_the_spec_of_a_run_is_immutable_but_for_its_ttl(namespace: Namespace) -> None:
    namespace.apply(reactor("fixed", [python_step("a")]), run_of("fixed", inputs={"x": 1}))
    namespace.kubectl("patch", "rctrun", "fixed-1", "--type=merge", "-p", '{"spec": {"ttlAfterFinished": "1h"}}')
    for change in ({"inputs": {"x": 2}}, {"reactorRef": {"name": "other"}}):
        with pytest.raises(KubectlFailed, match="cannot be changed"):
            namespace.kubectl("patch", "rctrun", "fixed-1", "--type=merge", "-p", json.dumps({"spec": change}))
    renamed = json.dumps([{"op": "replace", "path": "/spec/inputs", "value": {"y": 1}}])
    with pytest.raises(KubectlFailed, match="inputs cannot be changed"):
        namespace.kubectl("patch", "rctrun", "fixed-1", "--type=json", "-p", renamed)


def test_a_bad_object_never_stops_another(namespace: Namespace) -> None:
    namespace.apply(
        reactor("rubbish", [python_step("a", waitFor=["a"])], more=1),
        run_of("rubbish"),
        reactor("good", [python_step("a")]),
        run_of("good"),
    )
    assert namespace.wait_finished("good-1")["phase"] == "Succeeded"
    assert namespace.wait_finished("rubbish-1")["failure"]["kind"] == "InvalidReactor"


def test_nobody_but_the_operator_writes_a_status(namespace: Namespace) -> None:
    namespace.apply(reactor("forged", [python_step("a")]), run_of("forged"))
    namespace.wait_finished("forged-1")
    for forged in ('{"status": {"phase": "Running"}}', '{"status": {"rollback": null, "requests": []}}'):
        with pytest.raises(KubectlFailed):
            namespace.kubectl("patch", "rctrun", "forged-1", "--subresource=status", "--type=merge", "-p", forged)


def test_the_fields_of_the_definitions_are_kept_within_their_limits(namespace: Namespace) -> None:
    wrong: list[dict[str, Any]] = [
        {"parallelism": 0},
        {"parallelism": "many"},
        {"timeout": "soon"},
        {"onFailure": "explode"},
        {"infrastructureRetries": -1},
        {"defaults": {"placement": "moon"}},
        {"rollback": {"retries": {"maxAttempts": 0}}},
    ]
    for number, fields in enumerate(wrong):
        try:
            namespace.apply(reactor(f"wrong-{number}", [python_step("a")], **fields))
        except KubectlFailed:
            continue
        assert next(iter(fields)) in not_ready(namespace, f"wrong-{number}")["message"]
    assert kubectl("get", "--raw", "/readyz") == "ok"
