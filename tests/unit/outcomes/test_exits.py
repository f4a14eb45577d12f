"""Truth tables of what a container's end means."""

import json

import pytest

from reactor_operator.api.actions import ExitCodes
from reactor_operator.engine.events import TaskContinued, TaskFailed, TaskHalted, TaskSkipped, TaskSucceeded
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.outcomes.exits import (
    OUTPUT_LIMIT,
    ExitMeaning,
    ResultRule,
    meaning_of_exit,
    outcome_of_exit,
    outcome_of_upload,
)

CODES = ExitCodes.model_validate({"fatal": [3], "skip": [4, 0], "halt": [5], "continue": [6]})
TASK = Task("charge", Action.COMPENSATE, 1, 1, 1)


@pytest.mark.parametrize(
    ("code", "codes", "action", "meaning"),
    [
        (0, None, Action.RUN, ExitMeaning.SUCCEEDED),
        (1, None, Action.RUN, ExitMeaning.FAILED),
        (3, CODES, Action.RUN, ExitMeaning.FATAL),
        (4, CODES, Action.UNDO, ExitMeaning.SKIPPED),
        (0, CODES, Action.RUN, ExitMeaning.SKIPPED),
        (5, CODES, Action.RUN, ExitMeaning.HALTED),
        (6, CODES, Action.COMPENSATE, ExitMeaning.CONTINUED),
        (6, CODES, Action.RUN, ExitMeaning.FAILED),
        (7, CODES, Action.RUN, ExitMeaning.FAILED),
        (137, CODES, Action.RUN, ExitMeaning.FAILED),
    ],
)
def test_exit_codes_mean_what_is_listed_then_zero_is_success(
    code: int, codes: ExitCodes | None, action: Action, meaning: ExitMeaning
) -> None:
    assert meaning_of_exit(code, codes, action) is meaning


@pytest.mark.parametrize(
    ("message", "result"),
    [
        ("", None),
        (" \n", None),
        ("null", None),
        (' {"a": 1}\n', b'{"a": 1}'),
        ("42", b"42"),
        ("plain\n", b'"plain\\n"'),
        ("NaN", b'"NaN"'),
        ("x" * 4095, b'"' + b"x" * 4095 + b'"'),
    ],
)
def test_a_result_is_json_where_it_parses_else_one_string(message: str, result: bytes | None) -> None:
    assert outcome_of_exit(0, message, None, Action.RUN).result == result


@pytest.mark.parametrize(
    ("message", "rule", "found"),
    [
        ("x" * 4096, ResultRule(), "output.path"),
        ("ä" * 2048, ResultRule(), "4096 bytes"),
        ("[1]".rjust(3000), ResultRule(limit=3000), "cut at 3000"),
        ("text", ResultRule(json_only=True), "output.format is json: found 'text'"),
        ("", ResultRule(json_only=True), "found nothing"),
    ],
)
def test_what_was_cut_or_is_not_the_promised_json_is_an_invalid_result(
    message: str, rule: ResultRule, found: str
) -> None:
    outcome = outcome_of_exit(0, message, None, Action.RUN, rule)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.INVALID_RESULT
    assert found in outcome.failure.message


def test_failures_carry_the_code_and_the_message_within_its_limit() -> None:
    fatal = outcome_of_exit(3, " declined\n", CODES, Action.RUN).failure
    plain = outcome_of_exit(1, "", CODES, Action.RUN).failure
    long = outcome_of_exit(1, "x" * 5000, CODES, Action.RUN).failure
    assert fatal is not None
    assert plain is not None
    assert long is not None
    assert (fatal.kind, fatal.message) == (FailureKind.FATAL, "exited with code 3: declined")
    assert (plain.kind, plain.message) == (FailureKind.EXIT_CODE, "exited with code 1")
    assert len(long.message) == 1024


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "exited with code 1"),
        (127, "exited with code 127 (the command was not found)"),
        (137, "exited with code 137 (SIGKILL: killed, out of memory or from outside)"),
        (139, "exited with code 139 (SIGSEGV: crashed)"),
        (162, "exited with code 162 (signal 34)"),
        (255, "exited with code 255"),
    ],
)
def test_exit_codes_and_signals_are_told_in_words(code: int, words: str) -> None:
    failure = outcome_of_exit(code, "", None, Action.RUN).failure
    assert failure is not None
    assert failure.message == words


def test_a_long_log_is_the_detail_of_the_failure_and_its_last_line_the_message() -> None:
    log = "\n".join(f"row {number} imported, nothing to see here" for number in range(60)) + "\nKeyError: 'sku'\n"
    event, values = outcome_of_exit(1, log, None, Action.RUN).event_of(TASK)
    assert isinstance(event, TaskFailed)
    assert event.failure.message == "exited with code 1: KeyError: 'sku'"
    assert event.failure.detail is not None
    told = json.loads(values[event.failure.detail.digest])["log"].split("\n")
    assert (len(told), told[0], told[-1]) == (10, "row 51 imported, nothing to see here", "KeyError: 'sku'")


def test_an_uploaded_result_is_not_in_the_message() -> None:
    outcome = outcome_of_exit(0, "x" * 9999, None, Action.RUN, ResultRule(uploaded=True))
    assert outcome.event_of(TASK) == (TaskSucceeded(task=TASK, uploaded=True), {})


def test_outcomes_become_events_with_their_values() -> None:
    ref = reference_to(b"[1]")
    codes = ExitCodes.model_validate({"skip": [4], "halt": [5], "continue": [6]})

    def event_of(code: int) -> object:
        return outcome_of_exit(code, "[1]", codes, Action.COMPENSATE).event_of(TASK)

    assert event_of(0) == (TaskSucceeded(task=TASK, result=ref), {ref.digest: b"[1]"})
    assert event_of(4) == (TaskSkipped(task=TASK, result=ref), {ref.digest: b"[1]"})
    assert event_of(5) == (TaskHalted(task=TASK, reason="[1]"), {})
    assert event_of(6) == (TaskContinued(task=TASK, result=ref), {ref.digest: b"[1]"})
    failed = outcome_of_exit(1, "", None, Action.RUN)
    assert failed.failure is not None
    assert failed.event_of(TASK) == (TaskFailed(task=TASK, failure=failed.failure), {})


def test_a_file_that_was_promised_must_be_there_and_fit() -> None:
    assert outcome_of_upload(b' {"a": 1}', "/out/x").result == b'{"a": 1}'
    assert outcome_of_upload(b"\xff", "/out/x").result == '"\ufffd"'.encode()
    for content, json_only, found in (
        (None, False, "left no file /out/x"),
        (b"x" * (OUTPUT_LIMIT + 1), False, "above 33554432 bytes"),
        (b"text", True, "output.format is json"),
    ):
        failure = outcome_of_upload(content, "/out/x", json_only=json_only).failure
        assert failure is not None
        assert failure.kind is FailureKind.INVALID_RESULT
        assert found in failure.message
