"""What a run does on a real cluster, as a user sees it through kubectl."""

import json

from tests.cluster.cluster import (
    Namespace,
    container_step,
    kubectl,
    phases_of,
    python_step,
    reactor,
    run_of,
    steps_of,
    wait_until,
)

FAILS = "from reactor import Failure\n\ndef main():\n    raise Failure('declined', retryable=False)\n"
UNDO = {"python": {"source": "def main(result):\n    print('undone', result)\n"}}


def test_python_steps_hand_their_results_on_and_the_last_one_is_the_result(namespace: Namespace) -> None:
    double = "def main(n):\n    return {'n': n * 2}\n"
    namespace.apply(
        reactor(
            "chain",
            [
                python_step("a", double, arguments={"n": {"input": "start"}}),
                python_step("b", double, arguments={"n": {"result": "a", "path": "n"}}),
            ],
        ),
        run_of("chain", inputs={"start": 5}),
    )
    status = namespace.wait_finished("chain-1")
    assert status["phase"] == "Succeeded"
    assert status["result"] == {"n": 20}
    assert status["progress"] == "2/2"
    row = namespace.kubectl("get", "rctrun", "chain-1").splitlines()
    assert row[0].split() == ["NAME", "REACTOR", "PHASE", "PROGRESS", "WAITING", "AGE"]
    assert row[1].split()[:4] == ["chain-1", "chain", "Succeeded", "2/2"]


def test_a_failure_undoes_what_succeeded_newest_first(namespace: Namespace) -> None:
    namespace.apply(
        reactor(
            "order",
            [
                python_step("reserve", undo=UNDO),
                python_step("charge", waitFor=["reserve"], undo=UNDO),
                python_step("ship", FAILS, waitFor=["charge"]),
            ],
        ),
        run_of("order"),
    )
    status = namespace.wait_finished("order-1")
    assert status["phase"] == "Failed"
    assert status["failure"]["step"] == "ship"
    assert status["failure"]["message"] == "declined"
    assert status["rollback"] == {"state": "Complete", "undone": ["charge", "reserve"], "failures": []}
    story = namespace.kubectl("describe", "rctrun", "order-1")
    for word in ("RollingBack", "declined", "charge", "Failed"):
        assert word in story


def test_containers_report_by_termination_message_and_exit_code(namespace: Namespace, busybox: str) -> None:
    namespace.apply(
        reactor(
            "boxes",
            [
                container_step("json", 'printf \'{"id": 7}\' > "$REACTOR_RESULT_PATH"', busybox),
                container_step("text", "printf plain > $REACTOR_RESULT_PATH", busybox),
                container_step("nothing", "true", busybox),
                {
                    **container_step("skips", "exit 4", busybox),
                    "run": {
                        "container": {"image": busybox, "command": ["sh", "-c", "exit 4"]},
                        "exitCodes": {"skip": [4]},
                    },
                },
                container_step(
                    "fails",
                    "echo first; echo last words; exit 9",
                    busybox,
                    waitFor=["json", "text", "nothing", "skips"],
                ),
            ],
        ),
        run_of("boxes"),
    )
    status = namespace.wait_finished("boxes-1")
    steps = steps_of(status)
    assert steps["json"]["result"] == {"id": 7}
    assert steps["text"]["result"] == "plain"
    assert "result" not in steps["nothing"]
    assert steps["skips"]["phase"] == "Skipped"
    assert steps["fails"]["failure"]["kind"] == "ExitCode"
    assert "last words" in steps["fails"]["failure"]["message"]


def test_an_output_file_larger_than_a_termination_message_becomes_the_result(
    namespace: Namespace, busybox: str
) -> None:
    loop = 'i=0; while [ $i -lt 2000 ]; do printf "%d," $i; i=$((i+1)); done'
    script = f'(printf "["; {loop}; printf "2000]") > $REACTOR_RESULT_PATH'
    large = container_step("large", script, busybox)
    large["run"]["container"]["output"] = {"path": "/out/result.json", "format": "json"}
    count = python_step("count", "def main(xs):\n    return len(xs)\n", arguments={"xs": {"result": "large"}})
    namespace.apply(reactor("output", [large, count]), run_of("output"))
    status = namespace.wait_finished("output-1")
    assert status["phase"] == "Succeeded", status
    assert status["result"] == 2001


def test_large_arguments_reach_python_and_containers(namespace: Namespace, busybox: str) -> None:
    text = "x" * 100_000
    namespace.apply(
        reactor(
            "large",
            [
                python_step("python", "def main(text):\n    return len(text)\n", arguments={"text": {"input": "text"}}),
                container_step(
                    "box",
                    "wc -c < /reactor/arguments.json > $REACTOR_RESULT_PATH",
                    busybox,
                    arguments={"text": {"input": "text"}},
                ),
            ],
        ),
        run_of("large", inputs={"text": text}),
    )
    steps = steps_of(namespace.wait_finished("large-1"))
    assert steps["python"]["result"] == 100_000
    assert int(steps["box"]["result"]) == len(json.dumps({"text": text}, separators=(",", ":")))


def test_inputs_reach_the_step_as_literal_bytes(namespace: Namespace, busybox: str) -> None:
    hostile = ["$(REACTOR_RUN)", "$$(X)", "; rm -rf /", "--flag", "{{x}}", "`id`", "$HOME", "a\nb", "é", '"\\']
    steps = []
    for number, value in enumerate(hostile):
        echo = container_step(f"box-{number}", 'printf %s "$WORD" > $REACTOR_RESULT_PATH', busybox)
        echo["arguments"] = {"word": {"value": value}}
        echo["run"]["container"]["env"] = [{"name": "WORD", "argument": "word"}]
        steps.append(echo)
    source = "def main(words):\n    return words\n"
    steps.append(python_step("python", source, arguments={"words": {"input": "words"}}))
    namespace.apply(reactor("literal", steps), run_of("literal", inputs={"words": hostile}))
    status = namespace.wait_finished("literal-1")
    results = steps_of(status)
    assert results["python"]["result"] == hostile
    assert [results[f"box-{n}"]["result"] for n in range(len(hostile))] == hostile


def test_python_has_a_writable_tmp_in_our_image_and_in_one_made_from_it(
    namespace: Namespace, runtime_image: str
) -> None:
    writes = (
        "import os, pathlib, tempfile\n\ndef main():\n"
        "    pathlib.Path('/tmp/a').write_text('x' * 1_000_000)\n"
        "    with tempfile.NamedTemporaryFile() as file:\n        file.write(b'x')\n"
        "    return [os.path.getsize('/tmp/a'), os.access('/', os.W_OK)]\n"
    )
    namespace.apply(
        reactor("writes", [python_step("ours", writes), python_step("theirs", writes, image=runtime_image)]),
        run_of("writes"),
    )
    status = namespace.wait_finished("writes-1")
    assert status["phase"] == "Succeeded", status
    assert [step["result"] for step in status["steps"]] == [[1_000_000, False]] * 2


def test_a_step_may_run_as_a_job(namespace: Namespace, busybox: str) -> None:
    job = container_step("work", "printf 1 > $REACTOR_RESULT_PATH", busybox, placement="job", podRetention="all")
    script = python_step("script", "def main():\n    return 2\n", placement="job")
    namespace.apply(reactor("jobs", [job, script]), run_of("jobs"))
    status = namespace.wait_finished("jobs-1")
    assert status["phase"] == "Succeeded", status
    assert {name: step["result"] for name, step in steps_of(status).items()} == {"work": 1, "script": 2}
    assert [job["spec"]["backoffLimit"] for job in namespace.find("jobs")][:1] == [0]


def test_a_launch_that_takes_too_long_is_stopped_and_retried(namespace: Namespace) -> None:
    source = (
        "import time\n\ndef main(context):\n    if context.attempt == 1:\n"
        "        time.sleep(60)\n    return context.attempt\n"
    )
    slow = python_step("slow", source, timeout="2s", retries={"maxAttempts": 2, "baseDelay": "100ms"})
    namespace.apply(reactor("slow", [slow]), run_of("slow"))
    status = namespace.wait_finished("slow-1")
    assert status["phase"] == "Succeeded", status
    assert status["result"] == 2
    assert steps_of(status)["slow"]["attempts"] == 2


def test_a_condition_and_an_optional_step(namespace: Namespace) -> None:
    namespace.apply(
        reactor(
            "optional",
            [
                python_step("never", when="inputs.total > 100"),
                python_step("receipt", FAILS, onError={"action": "Continue", "value": "no receipt"}),
                python_step(
                    "last", "def main(r):\n    return r\n", arguments={"r": {"result": "receipt"}}, waitFor=["never"]
                ),
            ],
        ),
        run_of("optional", inputs={"total": 5}),
    )
    status = namespace.wait_finished("optional-1")
    assert phases_of(status) == {"never": "Skipped", "receipt": "Ignored", "last": "Succeeded"}
    assert status["result"] == "no receipt"


def test_secrets_reach_the_step_and_are_stored_nowhere(namespace: Namespace, busybox: str) -> None:
    canary = "canary-4711-secret"
    namespace.kubectl("create", "secret", "generic", "key", f"--from-literal=api={canary}")
    argument = {"token": {"secretKeyRef": {"name": "key", "key": "api"}}}
    box = container_step("box", "printf ${#REACTOR_SECRET_TOKEN} > $REACTOR_RESULT_PATH", busybox, arguments=argument)
    python = python_step("python", "def main(token):\n    return len(token)\n", arguments=argument, podRetention="all")
    namespace.apply(reactor("secret", [box, python]), run_of("secret"))
    status = namespace.wait_finished("secret-1")
    assert {name: step["result"] for name, step in steps_of(status).items()} == {
        "box": len(canary),
        "python": len(canary),
    }
    assert canary not in json.dumps(status) + json.dumps(namespace.find("pods"))


def test_cancel_by_annotation_keeps_everything_and_is_answered(namespace: Namespace) -> None:
    namespace.apply(
        reactor(
            "long",
            [
                python_step("first", undo=UNDO),
                python_step("waits", "import time\n\ndef main():\n    time.sleep(4)\n", waitFor=["first"]),
                python_step("never", waitFor=["waits"]),
            ],
        ),
        run_of("long"),
    )
    namespace.wait_step("long-1", "waits", "Running")
    namespace.kubectl("annotate", "rctrun", "long-1", 'reactor.run/cancel={"reason": "changed my mind"}')
    status = namespace.wait_finished("long-1")
    assert status["phase"] == "Cancelled"
    assert phases_of(status) == {"first": "Succeeded", "waits": "Succeeded", "never": "Pending"}
    answer = status["signals"][0]
    assert (answer["action"], answer["phase"], answer["reason"]) == ("cancel", "Accepted", "changed my mind")
    wait_until(
        "the annotation is removed",
        lambda: "reactor.run/cancel" not in namespace.get("rctrun", "long-1")["metadata"].get("annotations", {}),
    )


def test_finished_pods_follow_the_retention(namespace: Namespace) -> None:
    namespace.apply(
        reactor("keeps", [python_step("good"), python_step("bad", FAILS, waitFor=["good"])]), run_of("keeps")
    )
    namespace.wait_finished("keeps-1")

    def only_the_failed_one() -> bool:
        return [p["metadata"]["labels"]["reactor.run/step"] for p in namespace.pods("keeps-1")] == ["bad"]

    wait_until("the pod that succeeded is gone, the one that failed is kept", only_the_failed_one)


def test_a_finished_run_goes_after_its_ttl(namespace: Namespace) -> None:
    namespace.apply(reactor("brief", [python_step("a")]), run_of("brief", ttlAfterFinished="2s"))
    wait_until("the run is deleted", lambda: not namespace.find("rctrun"), 60)


def test_events_on_the_run_tell_its_story(namespace: Namespace) -> None:
    namespace.apply(
        reactor("told", [python_step("a", undo=UNDO), python_step("b", FAILS, waitFor=["a"])]), run_of("told")
    )
    namespace.wait_finished("told-1")

    def reasons() -> set[str] | None:
        found = {e["reason"] for e in namespace.find("events") if e["involvedObject"]["name"] == "told-1"}
        return found if found >= {"StepFailed", "RollingBack", "Failed"} else None

    wait_until("the events are there", reasons)


def test_steps_run_side_by_side_up_to_the_parallelism(namespace: Namespace, busybox: str) -> None:
    steps = [container_step(f"s{n}", "sleep 1", busybox) for n in range(6)]
    namespace.apply(reactor("wide", steps, parallelism=2), run_of("wide"))
    most = 0

    def look() -> bool:
        nonlocal most
        status = namespace.status("wide-1")
        most = max(most, sum(phase == "Running" for phase in phases_of(status).values()))
        return status.get("phase") == "Succeeded"

    wait_until("the run succeeds", look, 120)
    assert most == 2


def test_step_pods_are_restricted_and_carry_their_labels(namespace: Namespace, busybox: str) -> None:
    box = container_step("box", "id -u > $REACTOR_RESULT_PATH", busybox, podRetention="all")
    namespace.apply(reactor("safe", [box]), run_of("safe"))
    status = namespace.wait_finished("safe-1")
    assert status["result"] == 65532
    (pod,) = namespace.pods("safe-1")
    spec, labels = pod["spec"], pod["metadata"]["labels"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert labels["app.kubernetes.io/managed-by"] == "reactor-operator"
    assert {key: labels[f"reactor.run/{key}"] for key in ("reactor", "step", "action", "attempt")} == {
        "reactor": "safe",
        "step": "box",
        "action": "run",
        "attempt": "1",
    }
    owner = pod["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("ReactorRun", "safe-1")


def test_explain_tells_what_a_field_means() -> None:
    assert "undo" in kubectl("explain", "rct.spec.steps.undo").lower()
