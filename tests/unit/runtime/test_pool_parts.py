"""The parts of a worker, each alone: pace, outcomes, leases, memory, variables, output, the shared page."""

import json
import os
import threading
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.pool.held import MARGIN_NS, Held, Lease, Task
from reactor.pool.memory import LEAST, RESERVE, child_memory, container_memory
from reactor.pool.outcomes import MOST, PATIENCE_SECONDS, Outcome, Outcomes, render_report
from reactor.pool.pace import Pace
from reactor.pool.page import AREA, RING, Page, make_page_file
from reactor.pool.standing import LabelledOutput
from reactor.pool.tail import LIMIT, NOTHING, TAIL_SIZE, Tail
from reactor.pool.variables import NoSuchArgument, task_variables

SECOND = 1_000_000_000
STEP = {"run": "order-1", "variables": {"REACTOR_HANDLER": "a:b"}}


def lease(*keys: str) -> Lease:
    found = Lease("lease", "run-1", ["step"], 10 * SECOND)
    found.tasks = [Task(found, key, "p", b"{}") for key in keys or ("rows[0].run.1.1.1",)]
    found.open = len(found.tasks)
    return found


def outcome(size: int = 10) -> Outcome:
    return Outcome(lease().tasks[0], b"x" * size)


def printing(text: bytes, document: bytes = b"{}") -> Outcome:
    return Outcome(lease().tasks[0], document, printed=(text, 1))


class TestPage:
    def test_what_one_side_writes_the_other_reads(self) -> None:
        file = make_page_file()
        parent, child = Page(file), Page(file)
        parent.set_valid_until(100)
        assert child.may_begin(7, 99)
        assert not child.may_begin(7, 100)
        parent.mark(7, withdrawn=True)
        assert not child.may_begin(7, 1)
        assert child.may_begin(8, 1)
        child.begin(7, 55)
        assert (parent.current, parent.began_ns) == (7, 55)
        child.end()
        assert parent.current == 0
        parent.ask_to_stop(7)
        assert child.stop == 7
        for page in (parent, child):
            page.close()
        os.close(file)

    def test_marks_go_round(self) -> None:
        page = Page(make_page_file())
        page.set_valid_until(1)
        page.mark(3, withdrawn=True)
        assert not page.may_begin(3 + RING, 0)
        page.mark(3 + RING, withdrawn=False)
        assert page.may_begin(3, 0)

    def test_answers_that_are_kept_back_are_there_until_they_are_told(self) -> None:
        page = Page(make_page_file())
        assert page.keep(b"one")
        assert page.keep(b"two")
        assert (page.kept, page.look()) == (6, b"onetwo")
        assert not page.keep(b"x" * AREA)
        page.told()
        assert page.look() == b""
        assert page.keep(b"x" * AREA)


def whole_lines(text: bytes) -> bytes:
    """Return what is kept of a text: whole lines from its end, or the end of its last line."""
    end = text[-LIMIT:]
    return text if len(text) <= LIMIT else end.partition(b"\n")[2] or end


class TestTail:
    def test_what_a_task_printed_is_there_for_who_asks_for_that_task(self) -> None:
        file = make_page_file()
        parent, child = Page(file), Page(file)
        child.tail.begin(7)
        child.tail.add(b"one\n")
        assert parent.tail.of(7) == (b"one\n", 1)
        assert parent.tail.of(8) == NOTHING
        child.tail.begin(8)
        assert (parent.tail.of(7), parent.tail.of(8)) == (NOTHING, NOTHING)
        for page in (parent, child):
            page.close()

    @given(st.lists(st.sampled_from([1, 2, 1000, LIMIT // 3, LIMIT - 1, LIMIT]), max_size=8))
    def test_it_has_the_last_lines_and_counts_all(self, sizes: list[int]) -> None:
        tail, text = Tail(memoryview(bytearray(TAIL_SIZE))), b""
        tail.begin(1)
        for number, size in enumerate(sizes):
            line = bytes([65 + number]) * (size - 1) + b"\n"
            tail.add(line * 2)
            text += line * 2
        assert tail.of(1) == (whole_lines(text), 2 * len(sizes))

    def test_of_a_line_that_is_too_long_alone_there_is_the_end(self) -> None:
        tail = Tail(memoryview(bytearray(TAIL_SIZE)))
        tail.begin(1)
        tail.add(b"x" * LIMIT + b"y\n")
        assert tail.of(1) == (b"x" * (LIMIT - 2) + b"y\n", 1)

    def test_who_reads_while_it_is_written_sees_lines_that_follow_each_other(self) -> None:
        tail = Tail(memoryview(bytearray(TAIL_SIZE)))
        tail.begin(1)
        ended = threading.Event()

        def write() -> None:
            for number in range(60_000):
                tail.add(b"%d\n" % number)
            ended.set()

        writing = threading.Thread(target=write)
        writing.start()
        seen = 0
        while not ended.is_set():
            text, count = tail.of(1)
            lines = [int(line) for line in text.split()]
            if lines:
                assert lines == list(range(count - len(lines), count))
                seen += 1
        writing.join()
        assert seen > 10
        assert tail.of(1)[1] == 60_000

    def test_where_the_writer_ended_in_the_middle_there_is_what_was_there_before(self) -> None:
        memory = memoryview(bytearray(TAIL_SIZE))
        tail, numbers = Tail(memory), memory[:64].cast("q")
        tail.begin(1)
        tail.add(b"one\n")
        numbers[1] += 100  # it said how far it would come
        assert tail.of(1) == (b"one\n", 1)
        assert tail.of(2) == NOTHING
        numbers[1] = 4 + LIMIT - 2
        assert tail.of(1) == (b"e\n", 1)
        numbers[1] = 4 + LIMIT
        assert tail.of(1) == NOTHING


class TestPace:
    def test_until_something_is_known_little_is_leased(self) -> None:
        assert Pace(4).lease_limit(0, 4) == 4
        assert Pace(4).lease_limit(4, 0) == 0

    def test_one_slow_task_is_noted_at_once_and_those_that_still_run_count_too(self) -> None:
        pace = Pace(2)
        for _ in range(300):
            pace.took(lease(), 1_000)
        assert pace.lease_limit(2, 0, running_us=1_000) == 500
        assert pace.lease_limit(2, 0, running_us=5_000_000) == 0
        pace.took(lease(), 5_000_000)
        assert pace.lease_limit(2, 0) == 0

    def test_quick_tasks_are_leased_many_at_once_and_slow_ones_as_many_as_there_are_children(self) -> None:
        quick, slow = Pace(4), Pace(4)
        for _ in range(300):
            quick.took(lease(), 100)
            slow.took(lease(), 5_000_000)
        assert quick.lease_limit(0, 4) == 500
        assert slow.lease_limit(0, 4) == 4
        assert slow.lease_limit(3, 1) == 1
        assert slow.lease_limit(4, 0) == 0

    def test_while_enough_is_held_nothing_is_leased(self) -> None:
        pace = Pace(2)
        for _ in range(300):
            pace.took(lease(), 1_000)
        assert pace.lease_limit(500, 0) == 0
        assert pace.lease_limit(200, 0) > 300

    def test_what_tasks_of_a_step_take_is_expected_of_the_next(self) -> None:
        pace, found = Pace(2), lease("a.run.1.1.1", "b.run.1.1.1")
        pace.took(lease(), 700)
        assert pace.expect(found, found.tasks) == 1400
        assert found.tasks[0].expected_us == 700


class TestOutcomes:
    def test_they_are_due_when_enough_have_gathered_or_one_is_old_or_nothing_more_is_coming(self) -> None:
        outcomes = Outcomes()
        outcomes.add(outcome())
        now = monotonic()
        assert 0 < outcomes.due_in(now, hurry=False) <= 0.02
        assert outcomes.due_in(now, hurry=True) == 0
        assert outcomes.due_in(now + 0.03, hurry=False) == 0
        for _ in range(200):
            outcomes.add(outcome())
        assert outcomes.due_in(now, hurry=False) == 0

    def test_a_batch_is_neither_too_many_nor_too_large(self) -> None:
        outcomes = Outcomes()
        for _ in range(MOST + 1):
            outcomes.add(outcome())
        assert len(outcomes.next_batch()) == MOST
        for _ in range(3):
            outcomes.add(outcome(900_000))
        assert [len(outcomes.next_batch()) for _ in range(4)] == [2, 1, 1, 0]

    def test_one_that_is_put_back_comes_first_again(self) -> None:
        outcomes, given = Outcomes(), [outcome() for _ in range(3)]
        for one in given:
            outcomes.add(one)
        batch = outcomes.next_batch()
        outcomes.add(outcome())
        outcomes.put_back(batch)
        assert outcomes.next_batch()[:3] == given

    def test_a_batch_that_is_refused_goes_one_by_one(self) -> None:
        outcomes = Outcomes()
        for _ in range(3):
            outcomes.add(outcome())
        assert outcomes.refused(outcomes.next_batch(), 400, "no") is None
        one = outcomes.next_batch()
        assert len(one) == 1
        assert outcomes.refused(one, 413, "too large") is None
        (failure,) = outcomes.next_batch()
        assert json.loads(failure.document)["failure"]["kind"] == "InvalidResult"
        assert outcomes.refused([failure], 400, "no") is failure
        outcomes.accepted()
        assert len(outcomes.next_batch()) == 2

    def test_one_that_is_refused_goes_without_what_was_printed_first(self) -> None:
        outcomes, one = Outcomes(), printing(b"text", document=b"{}")
        assert outcomes.refused([one], 413, "too large") is None
        assert outcomes.next_batch() == [one]
        assert (one.document, one.printed) == (b"{}", NOTHING)
        stopped = Outcome(lease().tasks[0], b"null", stopped=True, printed=(b"text\n", 1))
        assert outcomes.refused([stopped], 413, "too large") is stopped

    def test_what_was_printed_counts_among_the_bytes_of_a_batch_and_waits_up_to_a_limit(self) -> None:
        outcomes = Outcomes()
        for _ in range(100):
            outcomes.add(printing(b"x" * LIMIT))
        batches = []
        while batch := outcomes.next_batch():
            batches.append([len(one.printed[0]) for one in batch])
        assert batches[0] == [LIMIT] * 3
        assert 8 * 1024 * 1024 <= sum(map(sum, batches)) <= 8 * 1024 * 1024 + LIMIT
        assert sum(map(len, batches)) == 100

    def test_nobody_waits_for_ever(self) -> None:
        outcomes = Outcomes()
        outcomes.add(outcome())
        assert outcomes.too_old(monotonic()) == []
        assert len(outcomes.too_old(monotonic() + PATIENCE_SECONDS + 1)) == 1
        assert len(outcomes) == 0

    def test_a_report_is_a_head_and_a_line_for_each(self) -> None:
        task = lease().tasks[0]
        batch = [Outcome(task, b'{"a":1}', sensitive=True), Outcome(task, b"null", released=True)]
        head, *lines = render_report("w", batch).split(b"\n")
        about = {"run": "run-1", "task": "rows[0].run.1.1.1", "proof": "p"}
        assert json.loads(head) == {
            "worker": "w",
            "outcomes": [{**about, "sensitive": True}, {**about, "released": True}],
        }
        assert lines == [b'{"a":1}', b"null"]

    def test_what_was_printed_is_told_as_text(self) -> None:
        task = lease().tasks[0]
        batch = [
            Outcome(task, b"{}", printed=("é\n\x1b[0m".encode() + b"\xff\n", 7)),
            Outcome(task, b"null", stopped=True, printed=(b"so far\n", 1)),
        ]
        first, second = json.loads(render_report("w", batch).split(b"\n")[0])["outcomes"]
        assert first["log"] == {"text": "é\n\x1b[0m\ufffd\n", "lines": 7}
        assert (second["log"], second["stopped"]) == ({"text": "so far\n", "lines": 1}, True)


class TestHeld:
    def answer(self, waited_ms: int = 0) -> bytes:
        leases = [{"lease": "l", "run": "r", "steps": ["s"], "tasks": [["a.run.1.1.1", "p"], ["b.run.1.1.1", "q"]]}]
        steps = {"s": '{"timeoutMs":5}'}
        head = {"seconds": 30, "waitedMs": waited_ms, "steps": steps, "leases": leases}
        return json.dumps(head).encode() + b'\n{"step":"s"}\n{"step":"s"}'

    def test_a_lease_counts_from_before_it_was_asked_for(self) -> None:
        held = Held()
        (found,) = held.take(self.answer(), 100 * SECOND)
        assert found.valid_until_ns == 130 * SECOND - MARGIN_NS
        (found,) = Held().take(self.answer(waited_ms=7_000), 100 * SECOND)
        assert found.valid_until_ns == 137 * SECOND - MARGIN_NS
        assert (held.count, found.tasks[1].proof) == (2, "q")

    def test_a_heartbeat_renews_and_tells_what_is_closed(self) -> None:
        held = Held()
        (found,) = held.take(self.answer(), 0)
        told = {"l": {"seconds": 30, "closed": ["b.run.1.1.1"]}}
        assert held.renew(told, [found], 50 * SECOND) == [found.tasks[1]]
        assert found.valid_until_ns == 80 * SECOND - MARGIN_NS
        assert held.renew({}, [found], 60 * SECOND) == found.tasks
        held.settle(found.tasks[0])
        assert held.renew({}, [found], 60 * SECOND) == [found.tasks[1]]

    def test_a_lease_is_over_when_all_its_tasks_are_settled(self) -> None:
        held = Held()
        (found,) = held.take(self.answer(), 0)
        held.settle(found.tasks[0])
        held.settle(found.tasks[0])
        assert (held.count, list(held.leases)) == (1, ["l"])
        held.settle(found.tasks[1])
        assert (held.count, held.leases) == (0, {})

    def test_a_task_has_the_timeout_of_its_step(self) -> None:
        held = Held()
        (found,) = held.take(self.answer(), 0)
        assert held.timeout_ns(found.tasks[0]) == 5_000_000


class TestMemory:
    def test_children_share_the_limit_of_the_container(self, tmp_path: Path) -> None:
        (tmp_path / "max").write_text("1073741824\n")
        limit = container_memory((str(tmp_path / "none"), str(tmp_path / "max")))
        assert limit == 1 << 30

    @pytest.mark.parametrize("text", ["max\n", "9223372036854771712\n", ""])
    def test_a_container_may_have_no_limit(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "max").write_text(text)
        assert container_memory((str(tmp_path / "max"),)) is None

    def test_a_number_that_is_told_is_taken(self) -> None:
        assert child_memory({"REACTOR_POOL_CHILD_MEMORY": "123"}, 4) == 123
        assert child_memory({"REACTOR_POOL_CHILD_MEMORY": "0"}, 4) is None
        with pytest.raises(ValueError, match="expected a number of bytes"):
            child_memory({"REACTOR_POOL_CHILD_MEMORY": "-1"}, 4)

    def test_a_share_is_never_too_small_to_work_in(self) -> None:
        found = child_memory({}, 10_000)
        assert found is None or found >= LEAST
        assert RESERVE > 0


class TestVariables:
    def test_a_task_has_those_of_a_pod(self) -> None:
        given = {"task": "rows[7]/ship.undo.1.2.3", "idempotencyKey": "k", "forwardKey": "f", "uncertain": True}
        assert task_variables(STEP, "uid", given) == {
            "REACTOR_HANDLER": "a:b",
            "REACTOR_RUN": "order-1",
            "REACTOR_STEP": "rows[7]/ship",
            "REACTOR_TASK": "uid/rows[7]/ship.undo.1.2.3",
            "REACTOR_ACTION": "undo",
            "REACTOR_ATTEMPT": "2",
            "REACTOR_IDEMPOTENCY_KEY": "k",
            "REACTOR_FORWARD_KEY": "f",
            "REACTOR_UNCERTAIN": "1",
        }

    def test_a_task_that_is_told_its_place_in_a_trace_hands_it_on(self) -> None:
        given = {"task": "ship.run.1.1.1", "idempotencyKey": "k", "traceparent": "00-a-b-01"}
        assert task_variables(STEP, "uid", given)["TRACEPARENT"] == "00-a-b-01"

    def test_authors_write_others_and_replace_none_of_ours(self) -> None:
        env = [
            {"name": "A", "value": "$(REACTOR_STEP)/$$(X)/$(UNKNOWN)"},
            {"name": "B", "argument": "n"},
            {"name": "C", "value": "$(B)$"},
            {"name": "REACTOR_STEP", "value": "mine"},
        ]
        given = {"task": "ship.run.1.1.1", "idempotencyKey": "k", "arguments": {"n": {"é": 1}}}
        found = task_variables({**STEP, "env": env}, "uid", given)
        assert (found["A"], found["B"], found["C"]) == ("ship/$(X)/$(UNKNOWN)", '{"é":1}', '{"é":1}$')
        assert found["REACTOR_STEP"] == "ship"

    @pytest.mark.parametrize("arguments", [{}, {"n": "a\0b"}])
    def test_an_argument_that_no_variable_can_have_is_told(self, arguments: dict[str, object]) -> None:
        given = {"task": "ship.run.1.1.1", "idempotencyKey": "k", "arguments": arguments}
        with pytest.raises(NoSuchArgument, match="argument 'n'"):
            task_variables({**STEP, "env": [{"name": "A", "argument": "n"}]}, "uid", given)


def test_whole_lines_are_labelled(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        output = LabelledOutput(file.fileno())
        output.label = b"a: "
        output.write(b"one\ntw")
        output.write(b"o\n")
        output.label = b"b: "
        output.write(b"three")
        output.finish()
        output.finish()
        output.write(b"x" * 100_000)
    lines = (tmp_path / "log").read_bytes().split(b"\n")
    assert lines[:3] == [b"a: one", b"a: two", b"b: three"]
    assert lines[3] == b"b: " + b"x" * 100_000


def test_lines_go_to_the_tail_of_their_task_without_its_label(tmp_path: Path) -> None:
    tail = Tail(memoryview(bytearray(TAIL_SIZE)))
    with (tmp_path / "log").open("wb") as file:
        output = LabelledOutput(file.fileno())
        output.label, output.tail = b"a: ", tail
        tail.begin(1)
        output.write(b"one\ntwo")
        assert tail.of(1) == (b"one\n", 1)
        output.finish()
        output.label, output.tail = b"b: ", None
        output.write(b"three\n")
    assert tail.of(1) == (b"one\ntwo\n", 2)
    assert (tmp_path / "log").read_bytes() == b"a: one\na: two\nb: three\n"
