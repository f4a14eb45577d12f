"""How often status is written: at once on a new phase, else at most once in a pause, and never for nothing."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from reactor_operator.engine.actions import Announce
from reactor_operator.kube.errors import ApiUnavailable
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import RunRef, Unavailable
from reactor_operator.status.board import ClusterBoard
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.stores import FixedClock

PATH = REACTOR_RUN.object("shop", "r")
ASKED = [{"id": "1", "action": "cancel"}]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().serve() as serving:
        yield serving


@pytest_asyncio.fixture
async def ref(server: ApiServer) -> RunRef:
    made = await server.put(PATH, {})
    return RunRef("shop", "r", made["metadata"]["uid"])


@pytest_asyncio.fixture
async def board(server: ApiServer) -> AsyncIterator[ClusterBoard]:
    async with server.client(timeout_seconds=2.0) as client:
        board = ClusterBoard(client, FixedClock(0), instance="operator-1", pause_seconds=0.2)
        yield board
        await board.close()


def status(phase: str, **more: object) -> dict[str, object]:
    return {"phase": phase, "steps": [], **more}


async def report(board: ClusterBoard, ref: RunRef, status: dict[str, object]) -> None:
    async def render() -> dict[str, object]:
        return status

    await board.report(ref, str(status["phase"]), render)


async def test_a_new_phase_is_written_at_once(server: ApiServer, board: ClusterBoard, ref: RunRef) -> None:
    await report(board, ref, status("Running"))
    await report(board, ref, status("Succeeded"))
    assert server.objects[PATH]["status"]["phase"] == "Succeeded"
    assert len(server.writes) == 2


async def test_changes_within_a_phase_are_gathered(server: ApiServer, board: ClusterBoard, ref: RunRef) -> None:
    for number in range(50):
        await report(board, ref, status("Running", progress=str(number)))
    assert len(server.writes) == 1
    await server.wait_until(lambda: server.objects[PATH]["status"].get("progress") == "49")
    assert len(server.writes) == 2


async def test_what_is_shown_already_is_not_written(server: ApiServer, board: ClusterBoard, ref: RunRef) -> None:
    await report(board, ref, status("Running"))
    await report(board, ref, status("Running", store={"sequence": 9}, duration="5s"))
    assert len(server.writes) == 1


async def test_a_fresh_operator_does_not_repeat_what_it_finds(
    server: ApiServer, board: ClusterBoard, ref: RunRef
) -> None:
    board.observe(ref, status("Succeeded"))
    await report(board, ref, status("Succeeded"))
    assert server.writes == []


async def test_a_status_that_somebody_else_changed_is_repaired(
    server: ApiServer, board: ClusterBoard, ref: RunRef
) -> None:
    await report(board, ref, status("Running"))
    forged = status("Succeeded")
    assert not board.is_current(ref, forged)
    server.objects[PATH]["status"] = forged
    board.observe(ref, forged)
    await report(board, ref, status("Running"))
    assert len(server.writes) == 2


async def test_our_own_status_is_known_again_with_the_numbers_as_an_api_server_gives_them_back(
    board: ClusterBoard, ref: RunRef
) -> None:
    await report(board, ref, status("Succeeded", result={"total": 42.0, "parts": [-0.0, 0.5, 1e18, 1e20, True]}))
    given_back = {"total": 42, "parts": [0, 0.5, 10**18, 10**20, True]}
    assert board.is_current(ref, status("Succeeded", result=given_back))
    assert not board.is_current(ref, status("Succeeded", result={**given_back, "total": 43}))
    assert not board.is_current(ref, status("Succeeded", result={"total": 42, "parts": [0, 0.5, 10**18, 10**20, 1]}))


async def test_nulls_in_a_result_are_kept(server: ApiServer, board: ClusterBoard, ref: RunRef) -> None:
    await report(board, ref, status("Succeeded", result={"a": None}))
    assert server.objects[PATH]["status"]["result"] == {"a": None}


async def test_a_field_that_is_gone_leaves_the_object(server: ApiServer, board: ClusterBoard, ref: RunRef) -> None:
    await report(board, ref, status("Pending", message="waits"))
    await report(board, ref, status("Running"))
    assert "message" not in server.objects[PATH]["status"]


async def test_a_status_without_steps_keeps_what_was_told_before(
    server: ApiServer, board: ClusterBoard, ref: RunRef
) -> None:
    await report(board, ref, status("Running", result=1))
    await report(board, ref, {"phase": "Recovering"})
    assert server.objects[PATH]["status"] == {
        "phase": "Recovering",
        "steps": [],
        "result": 1,
        "requests": [],
    }


@pytest.mark.parametrize("whole", [True, False])
async def test_another_object_of_the_same_name_is_left_alone(
    server: ApiServer, board: ClusterBoard, whole: bool
) -> None:
    await server.put(PATH, {})
    await report(board, RunRef("shop", "r", "an older uid"), status("Running") if whole else {"phase": "Running"})
    assert "status" not in server.objects[PATH]


async def test_a_write_that_fails_is_made_later(server: ApiServer, board: ClusterBoard, ref: RunRef) -> None:
    server.script = [(503, {}, {})]
    with pytest.raises(ApiUnavailable):
        await report(board, ref, status("Running"))
    await report(board, ref, status("Running"))
    assert server.objects[PATH]["status"]["phase"] == "Running"


async def test_a_gathered_write_that_fails_is_made_later(server: ApiServer, board: ClusterBoard, ref: RunRef) -> None:
    await report(board, ref, status("Running"))
    server.script = [(503, {}, {}), (500, {}, {})]
    await report(board, ref, status("Running", progress="1/2"))
    await server.wait_until(lambda: server.objects[PATH]["status"].get("progress") == "1/2")


async def test_an_announcement_is_one_event_however_often_it_is_made(
    server: ApiServer, board: ClusterBoard, ref: RunRef
) -> None:
    for _ in range(3):
        await board.announce(ref, Announce(ordinal=1, reason="Failed", message="m" * 5000, warning=True))
    await board.announce(ref, Announce(ordinal=2, reason="Failed", message="again"))
    events = [one for path, one in server.objects.items() if "/events/" in path]
    assert [event["type"] for event in events] == ["Warning", "Normal"]
    assert events[0]["involvedObject"]["uid"] == ref.uid
    assert len(events[0]["message"]) <= 1024


async def test_an_event_that_is_refused_holds_nothing_up(server: ApiServer, board: ClusterBoard, ref: RunRef) -> None:
    server.script = [(403, {"message": "namespace is being terminated"}, {})]
    await board.announce(ref, Announce(ordinal=1, reason="Failed", message=""))


@pytest.mark.parametrize("letter", ["m", "é", "\N{PILE OF POO}"])
async def test_a_message_is_cut_by_bytes_as_the_api_server_counts(
    server: ApiServer, board: ClusterBoard, ref: RunRef, letter: str
) -> None:
    await board.announce(ref, Announce(ordinal=1, reason="Failed", message=letter * 1024))
    (event,) = [found for path, found in server.objects.items() if "/events/" in path]
    size = len(event["message"].encode())
    assert 1000 < size <= 1024
    assert event["message"].rstrip("…").strip(letter) == ""


async def test_names_of_any_length_give_valid_events(server: ApiServer, board: ClusterBoard) -> None:
    await board.announce(RunRef("shop", "a" * 253, "u"), Announce(ordinal=1, reason="Failed", message=""))
    (path,) = [path for path in server.objects if "/events/" in path]
    assert len(path.rpartition("/")[2]) <= 253


async def test_what_people_ask_for_in_the_status_outlives_our_writes(
    server: ApiServer, board: ClusterBoard, ref: RunRef
) -> None:
    await report(board, ref, status("Running"))
    assert server.objects[PATH]["status"]["requests"] == []
    server.objects[PATH]["status"]["requests"] = ASKED
    await report(board, ref, status("Succeeded"))
    written = server.objects[PATH]["status"]
    assert (written["phase"], written["requests"]) == ("Succeeded", ASKED)


@pytest.mark.parametrize("before", [{}, {"phase": "Pending"}])
@pytest.mark.parametrize("told", [True, False])
async def test_what_people_ask_for_before_the_first_whole_status_outlives_it(
    server: ApiServer, board: ClusterBoard, ref: RunRef, before: dict[str, object], told: bool
) -> None:
    """Also where the operator is another since, and knows nothing of the status that is there."""
    if before and told:
        await report(board, ref, before)
    server.objects[PATH]["status"] = {**before, "requests": ASKED}
    await report(board, ref, status("Running"))
    written = server.objects[PATH]["status"]
    assert (written["phase"], written["requests"]) == ("Running", ASKED)


async def test_a_status_after_one_without_requests_takes_one_write(
    server: ApiServer, board: ClusterBoard, ref: RunRef
) -> None:
    await report(board, ref, {"phase": "Pending"})
    await report(board, ref, status("Running"))
    assert server.objects[PATH]["status"]["phase"] == "Running"
    assert len(server.writes) == 2


async def test_somebody_who_asks_each_time_does_not_keep_the_board_for_ever(
    server: ApiServer, board: ClusterBoard, ref: RunRef
) -> None:
    await report(board, ref, status("Running"))
    server.script = [(422, {}, {}), (200, server.objects[PATH], {})] * 3
    with pytest.raises(Unavailable, match=r"the requests in the status of shop/r changed each time"):
        await report(board, ref, status("Succeeded"))
    await report(board, ref, status("Succeeded"))
    assert server.objects[PATH]["status"]["phase"] == "Succeeded"


async def test_a_status_is_written_beside_a_request_of_any_depth(
    server: ApiServer, board: ClusterBoard, ref: RunRef
) -> None:
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    await report(board, ref, status("Running"))
    asked = server.objects[PATH]["status"]["requests"] = [{"id": "1", "action": "skip", "payload": deep}]
    board.observe(ref, server.objects[PATH]["status"])
    await report(board, ref, status("Succeeded"))
    written = server.objects[PATH]["status"]
    assert (written["phase"], written["requests"]) == ("Succeeded", asked)
