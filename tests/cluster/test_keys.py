"""Business keys: of runs that name one transaction one acts, also after its object was deleted and applied again."""

from tests.cluster.cluster import Namespace, container_step, python_step, reactor, run_of

KEY = "order-o-1"
STAMP = "import time\n\n\ndef main():\n    return time.time_ns()\n"


def test_a_run_that_is_deleted_and_applied_again_acts_once(namespace: Namespace) -> None:
    namespace.apply(reactor("once", [python_step("a", STAMP, podRetention="all")]))
    run = run_of("once", "once-1", {"order": "o-1"}, idempotencyKey=KEY)
    namespace.apply(run)
    first, uid = namespace.wait_finished("once-1"), namespace.get("rctrun", "once-1")["metadata"]["uid"]
    assert (first["phase"], len(namespace.pods("once-1"))) == ("Succeeded", 1)
    namespace.kubectl("delete", "rctrun", "once-1", "--cascade=foreground")
    namespace.apply(run)
    again = namespace.wait_finished("once-1", 60)
    assert (again["phase"], again["result"]) == ("Succeeded", first["result"])
    assert (again["takenFrom"]["name"], again["takenFrom"]["uid"]) == ("once-1", uid)
    assert again["message"].startswith(f"taken from run once-1 ({uid}) that ended at ")
    # The pod of the first one may still be going: the garbage collector takes its time.
    owners = {owner["uid"] for pod in namespace.pods("once-1") for owner in pod["metadata"]["ownerReferences"]}
    assert owners <= {uid}


def test_other_inputs_under_the_same_key_are_a_conflict_without_a_pod(namespace: Namespace) -> None:
    namespace.apply(reactor("one", [python_step("a")]))
    namespace.apply(run_of("one", "one-1", {"total": 42}, idempotencyKey=KEY))
    assert namespace.wait_finished("one-1")["phase"] == "Succeeded"
    namespace.apply(run_of("one", "one-2", {"total": 43}, idempotencyKey=KEY))
    status = namespace.wait_finished("one-2", 60)
    assert (status["phase"], status["failure"]["kind"]) == ("Failed", "KeyConflict")
    assert "run one-1 (" in status["message"]
    assert not namespace.pods("one-2")


def test_a_second_run_waits_for_the_active_one_and_takes_its_outcome(namespace: Namespace, busybox: str) -> None:
    step = container_step("a", "sleep 15; echo 7 > $REACTOR_RESULT_PATH", busybox)
    namespace.apply(reactor("slow", [step]))
    namespace.apply(run_of("slow", "slow-1", idempotencyKey=KEY))
    namespace.wait_status("slow-1", "is running", lambda status: status.get("phase") == "Running")
    namespace.apply(run_of("slow", "slow-2", idempotencyKey=KEY))
    waiting = namespace.wait_status("slow-2", "is told of", lambda status: bool(status.get("phase")), 20)
    assert waiting["phase"] == "Pending"
    assert waiting["message"].startswith("waiting: run slow-1 (")
    assert namespace.wait_finished("slow-1")["phase"] == "Succeeded"
    status = namespace.wait_finished("slow-2", 60)
    assert (status["phase"], status["result"], status["takenFrom"]["name"]) == ("Succeeded", 7, "slow-1")
    assert not namespace.pods("slow-2")
