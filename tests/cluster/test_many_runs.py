"""How many runs of one Reactor are active, what becomes of the others, and which finished ones stay."""

from tests.cluster.cluster import Namespace, container_step, python_step, reactor, run_of, wait_until

QUICK = "def main():\n    return 1\n"


def test_a_run_beyond_the_limit_waits_its_turn_and_is_opened_when_one_ends(namespace: Namespace, busybox: str) -> None:
    namespace.apply(reactor("few", [container_step("a", "sleep 15", busybox)], maxActiveRuns=1))
    for number in (1, 2, 3, 4):
        namespace.apply(run_of("few", f"few-{number}"))
        namespace.wait_status(f"few-{number}", "is told of", lambda status: bool(status.get("phase")))
    said = "waiting: 1 run before this one; at most 1 is active"
    namespace.wait_status("few-3", "says its place", lambda status: status.get("message") == said, 20)
    phases = [namespace.status(f"few-{number}")["phase"] for number in (1, 2, 3)]
    assert phases == ["Running", "Pending", "Pending"]
    assert not namespace.pods("few-2")
    namespace.kubectl("annotate", "rctrun", "few-4", "reactor.run/cancel=not needed any more")
    cancelled = namespace.wait_finished("few-4", 30)
    assert (cancelled["phase"], cancelled["message"]) == ("Cancelled", "not needed any more")
    assert [(one["action"], one["phase"]) for one in cancelled["signals"]] == [("cancel", "Accepted")]
    namespace.kubectl("delete", "rctrun", "few-2")
    assert namespace.wait_finished("few-1")["phase"] == "Succeeded"
    namespace.wait_status("few-3", "has started", lambda status: status.get("phase") == "Running", 20)
    assert namespace.wait_finished("few-3")["phase"] == "Succeeded"


def test_a_run_beyond_the_limit_is_rejected_at_once_without_a_pod(namespace: Namespace, busybox: str) -> None:
    step = container_step("a", "sleep 600", busybox)
    namespace.apply(reactor("strict", [step], maxActiveRuns=1, onLimit="Reject", onFailure="terminate"))
    namespace.apply(run_of("strict", "strict-1"))
    namespace.wait_status("strict-1", "is running", lambda status: status.get("phase") == "Running")
    namespace.apply(run_of("strict", "strict-2"))
    status = namespace.wait_finished("strict-2", 30)
    assert (status["phase"], status["failure"]["kind"]) == ("Failed", "TooManyRuns")
    assert "spec.maxActiveRuns" in status["message"]
    assert not namespace.pods("strict-2")


def test_the_oldest_finished_runs_beyond_the_history_are_deleted(namespace: Namespace) -> None:
    namespace.apply(reactor("short", [python_step("a", QUICK)], history={"succeeded": 1, "failed": 1}))
    for number in (1, 2, 3):
        namespace.apply(run_of("short", f"short-{number}"))
        assert namespace.wait_finished(f"short-{number}")["phase"] == "Succeeded"

    def left() -> bool:
        return [run["metadata"]["name"] for run in namespace.find("rctrun")] == ["short-3"]

    wait_until("only the newest run is left", left, 60)
