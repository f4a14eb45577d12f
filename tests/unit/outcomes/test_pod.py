"""What a pod's status says of its task: one row of the truth table per test."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.engine.events import TaskContinued, TaskFailed, TaskHalted, TaskLost, TaskSkipped, TaskSucceeded
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action
from reactor_operator.engine.values import reference_to
from reactor_operator.outcomes.pod import PodReading, read_pod, read_unreachable, read_vanished
from reactor_operator.outcomes.pod_facts import is_unreachable
from reactor_operator.store.codec import decode_event
from tests.unit.outcomes.pods import (
    ENDED_MS,
    Json,
    deleted,
    disrupted,
    ended,
    event_of,
    helper_ended,
    made,
    outcome,
    read,
    running,
    sealed_of,
    waiting,
)
from tests.unit.tasks.orders import BUSYBOX, python


def container(**more: Any) -> dict[str, Any]:
    return {"run": {"container": {**BUSYBOX, **more}}}


def with_codes(**codes: list[int]) -> dict[str, Any]:
    return {"run": {"container": BUSYBOX, "exitCodes": codes}}


def kind_of(pod: dict[str, Any]) -> FailureKind:
    event = outcome(pod)
    assert isinstance(event, TaskFailed)
    return event.failure.kind


class TestContainers:
    @pytest.mark.parametrize(
        ("message", "document"),
        [("", None), ('{"id": 1}', b'{"id": 1}'), ("42\n", b"42"), ("done", b'"done"'), ("null", None)],
    )
    def test_the_message_of_a_success_is_its_result(self, message: str, document: bytes | None) -> None:
        entry = read(ended(made(), 0, message)).outcome
        event = event_of(entry)
        expected = None if document is None else reference_to(document)
        assert event == TaskSucceeded(task=sealed_of(made()).task, result=expected)
        assert entry is not None
        assert list(entry.values.values()) == ([] if document is None else [document])

    def test_a_message_of_4096_bytes_counts_as_cut(self) -> None:
        assert kind_of(ended(made(), 0, "x" * 4096)) is FailureKind.INVALID_RESULT
        assert isinstance(outcome(ended(made(), 0, "x" * 4095)), TaskSucceeded)

    def test_a_message_is_cut_earlier_where_many_containers_share_the_room(self) -> None:
        pod = made(
            container(), defaults={"pod": {"spec": {"containers": [{"name": f"c{n}", "image": "x"} for n in range(5)]}}}
        )
        assert kind_of(ended(pod, 0, "x" * 2048)) is FailureKind.INVALID_RESULT

    def test_text_is_no_result_where_json_is_promised(self) -> None:
        assert kind_of(ended(made(container(output={"format": "json"})), 0, "done")) is FailureKind.INVALID_RESULT

    def test_any_other_exit_code_is_a_failure_with_its_last_words(self) -> None:
        event = outcome(ended(made(), 3, "card declined\n"))
        assert isinstance(event, TaskFailed)
        assert (event.failure.kind, event.failure.message) == (
            FailureKind.EXIT_CODE,
            "exited with code 3: card declined",
        )

    def test_exit_codes_mean_what_the_reactor_says(self) -> None:
        step = with_codes(fatal=[3], skip=[4], halt=[5])
        assert kind_of(ended(made(step), 3)) is FailureKind.FATAL
        assert isinstance(outcome(ended(made(step), 4, "null")), TaskSkipped)
        assert isinstance(outcome(ended(made(step), 5, "enough")), TaskHalted)
        cleanup = {"run": {"container": BUSYBOX}, "compensate": {"container": BUSYBOX, "exitCodes": {"continue": [6]}}}
        pod = made(cleanup, action=Action.COMPENSATE, failure=b"{}")
        assert isinstance(outcome(ended(pod, 6, '"repaired"')), TaskContinued)

    def test_its_start_is_told_once_it_runs(self) -> None:
        assert read(running(made())).started_at == ENDED_MS - 5000
        assert read(ended(made(), 0)).started_at == ENDED_MS - 5000

    def test_a_command_that_is_not_there_never_ran(self) -> None:
        pod = ended(made(), 128, "exec: /x: no such file", reason="StartError")
        assert kind_of(pod) is FailureKind.CANNOT_START
        assert read(pod).started_at is None

    def test_a_container_killed_for_memory_is_out_of_memory(self) -> None:
        assert kind_of(ended(made(), 137, reason="OOMKilled")) is FailureKind.OUT_OF_MEMORY

    def test_what_a_container_printed_before_it_was_killed_is_kept(self) -> None:
        entry = read(ended(made(), 137, "\n".join(f"loading part {n}" for n in range(40)), reason="OOMKilled")).outcome
        event = event_of(entry)
        assert isinstance(event, TaskFailed)
        assert event.failure.message.endswith("(exit code 137): loading part 39")
        assert event.failure.detail is not None
        assert entry is not None
        assert b"loading part 30\\n" in entry.values[event.failure.detail.digest]

    def test_a_container_that_survives_the_end_of_a_child_is_judged_by_its_exit_code(self) -> None:
        assert isinstance(outcome(ended(made(), 0, reason="OOMKilled")), TaskSucceeded)
        assert kind_of(ended(made(with_codes(fatal=[9])), 9, reason="OOMKilled")) is FailureKind.FATAL

    def test_a_pod_that_outlives_its_deadline_timed_out(self) -> None:
        pod = ended(made(), 137)
        pod["status"]["reason"] = "DeadlineExceeded"
        assert kind_of(pod) is FailureKind.TIMEOUT


class TestUploads:
    step = container(output={"path": "/out/r"})

    def test_a_success_waits_for_its_upload(self) -> None:
        reading = read(ended(made(self.step), 0, phase="Running"))
        assert reading.dead
        assert reading.outcome is None

    def test_an_upload_that_was_brought_is_the_result(self) -> None:
        pod = helper_ended(ended(made(self.step), 0), "reactor-output", 0)
        assert outcome(pod) == TaskSucceeded(task=sealed_of(pod).task, uploaded=True)

    def test_an_upload_that_failed_loses_the_result(self) -> None:
        pod = helper_ended(ended(made(self.step), 0), "reactor-output", 1, "the gateway is away")
        event = outcome(pod)
        assert isinstance(event, TaskFailed)
        assert event.failure.kind is FailureKind.RESULT_LOST
        assert "the gateway is away" in event.failure.message

    def test_a_failure_waits_for_nothing(self) -> None:
        assert kind_of(ended(made(self.step), 1, phase="Running")) is FailureKind.EXIT_CODE


class TestPython:
    def test_an_outcome_in_the_message_is_the_one_it_reports(self) -> None:
        document = b'{"type":"succeeded","result":{"id":1}}'
        reading = read(ended(made(python()), 0, document.decode()))
        assert reading.outcome is not None
        assert reading.outcome.digest == hashlib.sha256(document).hexdigest()
        assert event_of(reading.outcome) == TaskSucceeded(
            task=sealed_of(made(python())).task, result=reference_to(b'{"id":1}')
        )

    def test_its_start_is_left_to_its_check_in(self) -> None:
        assert read(running(made(python()))).started_at is None

    def test_a_digest_alone_means_that_the_result_is_lost(self) -> None:
        assert kind_of(ended(made(python()), 0, json.dumps({"digest": "a" * 64}))) is FailureKind.RESULT_LOST

    @pytest.mark.parametrize("code", [0, 1, 137])
    @pytest.mark.parametrize("message", ["", "text", "{}", '{"type":"nonsense"}', '{"digest":"short"}', "[1]"])
    def test_neither_is_no_outcome_whatever_the_exit_code(self, code: int, message: str) -> None:
        assert kind_of(ended(made(python()), code, message)) is FailureKind.NO_OUTCOME

    def test_killed_for_memory_without_an_outcome_is_out_of_memory(self) -> None:
        assert kind_of(ended(made(python()), 137, reason="OOMKilled")) is FailureKind.OUT_OF_MEMORY

    def test_a_crash_of_the_interpreter_is_told_in_words(self) -> None:
        event = outcome(ended(made(python()), 139))
        assert isinstance(event, TaskFailed)
        assert event.failure.message.startswith("exited with code 139 (SIGSEGV: crashed) and reported no outcome")

    def test_an_agent_that_was_stopped_before_the_handler_never_started(self) -> None:
        event = outcome(deleted(ended(made(python()), 143)))
        assert isinstance(event, TaskLost)
        assert event.may_have_started is False

    def test_an_outcome_counts_even_where_the_pod_was_deleted(self) -> None:
        pod = deleted(ended(made(python()), 0, '{"type":"succeeded","result":null}'))
        assert isinstance(outcome(pod), TaskSucceeded)


class TestEndedFromOutside:
    @pytest.mark.parametrize("code", [0, 1, 137, 143])
    def test_an_exit_after_the_deletion_is_an_answer_to_it(self, code: int) -> None:
        event = outcome(deleted(ended(made(), code), grace=0))
        assert isinstance(event, TaskLost)
        assert event.may_have_started

    def test_an_exit_before_the_deletion_counts(self) -> None:
        assert isinstance(outcome(deleted(ended(made(), 0), at="2026-11-22T12:01:00Z", grace=10)), TaskSucceeded)

    def test_an_evicted_task_is_lost_and_says_why(self) -> None:
        event = outcome(disrupted(ended(made(), 137), "PreemptionByScheduler"))
        assert isinstance(event, TaskLost)
        assert "PreemptionByScheduler" in event.message

    def test_a_container_that_kubelet_lost_track_of_is_lost(self) -> None:
        assert isinstance(outcome(ended(made(), 137, reason="ContainerStatusUnknown")), TaskLost)

    def test_a_node_that_refuses_the_pod_never_started_it(self) -> None:
        pod = made()
        pod["status"] |= {"phase": "Failed", "reason": "OutOfcpu", "message": "no room"}
        event = outcome(pod)
        assert isinstance(event, TaskLost)
        assert event.may_have_started is False

    def test_an_init_container_that_fails_keeps_the_task_from_starting(self) -> None:
        pod = helper_ended(made(arguments={"a": "x" * 70_000}), "reactor-arguments", 1, "the gateway answered 404")
        pod["status"]["phase"] = "Failed"
        event = outcome(pod)
        assert isinstance(event, TaskFailed)
        assert event.failure.kind is FailureKind.CANNOT_START
        assert "the gateway answered 404" in event.failure.message

    def test_a_pod_that_is_gone_is_lost_unless_it_had_ended(self) -> None:
        pod = running(made())
        event = event_of(read_vanished(pod, sealed_of(pod), last=True))
        assert isinstance(event, TaskLost)
        assert event.may_have_started
        done = ended(made(), 0)
        assert isinstance(event_of(read_vanished(done, sealed_of(done), last=False)), TaskSucceeded)

    @pytest.mark.parametrize("last", [True, False])
    def test_a_pod_that_went_before_it_had_a_node_never_started_but_one_last_seen_so_may_have(self, last: bool) -> None:
        pod = made()
        del pod["spec"]["nodeName"]
        event = event_of(read_vanished(pod, sealed_of(pod), last=last))
        assert isinstance(event, TaskLost)
        assert event.may_have_started is not last


class TestUnreachableNodes:
    def test_a_pod_evicted_from_an_unreachable_node_is_given_up_soon_after(self) -> None:
        pod = disrupted(deleted(running(made())), "DeletionByTaintManager")
        assert not is_unreachable(pod, ENDED_MS + 29_000, 300_000)
        assert is_unreachable(pod, ENDED_MS + 31_000, 300_000)
        assert "node-1" in str(event_of(read_unreachable(pod, sealed_of(pod))))

    def test_a_deleted_pod_that_does_not_end_is_given_up_after_the_lost_timeout(self) -> None:
        pod = deleted(running(made()))
        assert not is_unreachable(pod, ENDED_MS + 299_000, 300_000)
        assert is_unreachable(pod, ENDED_MS + 301_000, 300_000)

    def test_a_pod_that_was_not_deleted_is_never_given_up(self) -> None:
        assert not is_unreachable(running(made()), ENDED_MS * 2, 1)


class TestPodsThatCannotStart:
    @pytest.mark.parametrize(
        "reason", ["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError", "CreateContainerError"]
    )
    def test_the_reason_is_told(self, reason: str) -> None:
        reading = read(waiting(made(), reason, "details"))
        assert (reading.waiting, reading.outcome) == (f"{reason}: details", None)

    def test_a_pod_that_fits_nowhere_says_so(self) -> None:
        pod = made()
        pod["status"]["conditions"] = [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
        ]
        assert read(pod).waiting == "Unschedulable: 0/1 nodes"

    @pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
    def test_a_pod_on_its_way_waits_for_nothing(self, reason: str) -> None:
        assert read(waiting(made(), reason)).waiting == ""

    def test_an_image_name_that_is_none_fails_at_once(self) -> None:
        assert kind_of(waiting(made(), "InvalidImageName", "couldn't parse")) is FailureKind.CANNOT_START


def test_reading_a_pod_twice_gives_the_same_entry() -> None:
    pod = ended(made(), 1, "no")
    assert read(pod).outcome == read(pod).outcome


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("phase", "conditions", "containerStatuses", "initContainerStatuses", "reason", "message")


@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.booleans())
def test_any_status_is_a_reading(status: dict[str, Any], is_python: bool) -> None:
    pod = made(python() if is_python else None)
    sealed = sealed_of(pod)
    pod["status"] = status
    read_pod(pod, sealed)
    read_vanished(pod, sealed, last=True)


@given(st.text(max_size=200))
def test_any_last_words_of_a_python_task_are_an_outcome(message: str) -> None:
    assert read(ended(made(python()), 0, message)).outcome is not None


class TestChunks:
    """Pods that take several tasks: a worker speaks for these."""

    @staticmethod
    def of_chunk() -> Json:
        return made({"run": {"python": {"handler": "a:b"}}}, chunk=True)

    @pytest.mark.parametrize("code", [0, 1, 127, 137, 143])
    def test_an_end_says_nothing_of_any_task(self, code: int) -> None:
        assert read(ended(self.of_chunk(), code)) == PodReading(dead=True)

    def test_it_tells_why_it_cannot_start(self) -> None:
        pod = waiting(self.of_chunk(), "ImagePullBackOff", "no such image")
        assert read(pod) == PodReading(waiting="ImagePullBackOff: no such image")
        assert read(running(pod)) == PodReading()

    @pytest.mark.parametrize(
        "pod",
        [
            waiting(made({"run": {"python": {"handler": "a:b"}}}, chunk=True), "InvalidImageName", "a b"),
            ended(made({"run": {"python": {"handler": "a:b"}}}, chunk=True), 128, "no python3", "StartError"),
        ],
    )
    def test_what_never_can_start_fails_the_first_task_unless_a_worker_has_it(self, pod: Json) -> None:
        outcome = read(pod).outcome
        assert outcome is not None
        event = decode_event(outcome.body)
        assert isinstance(event, TaskFailed)
        assert event.failure.kind is FailureKind.CANNOT_START
        name = pod["metadata"]["name"]
        assert outcome.binding == f"pool/shop/~{name}/nobody"
