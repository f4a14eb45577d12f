"""Every way a handler can end, as the gateway and kubelet see it."""

import json

import pytest

from tests.unit.runtime.peer import Peer
from tests.unit.runtime.pod import Pod

SUCCEEDED = {"type": "succeeded", "result": {"id": 7, "tags": ["ä", None, True, 1.5]}}


def failure_of(peer: Peer) -> dict[str, object]:
    document = peer.outcome_document
    assert document["type"] == "failed", document
    failure: dict[str, object] = document["failure"]
    assert set(failure) == {"kind", "message", "retryable", "exception", "detail"}
    assert isinstance(failure["detail"], dict)
    return failure


@pytest.mark.parametrize(
    ("body", "document"),
    [
        ("return {'id': 7, 'tags': ('ä', None, True, 1.5)}", SUCCEEDED),
        ("pass", {"type": "succeeded", "result": None}),
        ("raise reactor.Skipped([1])", {"type": "skipped", "result": [1]}),
        ("raise reactor.Skipped()", {"type": "skipped", "result": None}),
        ("raise reactor.Halt('sold out')", {"type": "halted", "reason": "sold out"}),
    ],
)  # fmt: skip
def test_an_outcome_goes_to_the_gateway_and_to_the_termination_message_in_the_same_compact_bytes(
    pod: Pod, peer: Peer, body: str, document: object
) -> None:
    ended = pod.run_source(f"import reactor\ndef main():\n    {body}")
    assert ended.returncode == 0, ended.stderr
    assert peer.outcome_document == document
    assert peer.outcome == json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    assert pod.termination_log.read_bytes() == peer.outcome


def test_continue_repairs_the_step_in_a_compensate(pod: Pod, peer: Peer) -> None:
    source = "import reactor\ndef main(failure):\n    raise reactor.Continue(failure['kind'])"
    peer.assignment["failure"] = {"kind": "Timeout", "message": "slow"}
    assert pod.run_source(source, REACTOR_ACTION="compensate").returncode == 0
    assert peer.outcome_document == {"type": "continued", "result": "Timeout"}


@pytest.mark.parametrize("action", ["run", "undo"])
def test_continue_outside_a_compensate_is_an_error_that_says_so(pod: Pod, peer: Peer, action: str) -> None:
    ended = pod.run_source("import reactor\ndef main():\n    raise reactor.Continue(1)", REACTOR_ACTION=action)
    assert ended.returncode == 1
    failure = failure_of(peer)
    assert failure["kind"] == "Error"
    assert "outside compensate" in str(failure["message"])


def test_a_failure_carries_message_retryable_and_details(pod: Pod, peer: Peer) -> None:
    raised = "Failure('card declined', retryable=False, details={'code': 51})"
    assert pod.run_source(f"from reactor import Failure\ndef main():\n    raise {raised}").returncode == 1
    failure = failure_of(peer)
    assert (failure["kind"], failure["message"], failure["retryable"]) == ("Error", "card declined", False)
    assert failure["exception"] == "reactor.Failure"
    assert isinstance(failure["detail"], dict)
    assert failure["detail"]["details"] == {"code": 51}


def test_details_that_are_not_json_are_told_as_text(pod: Pod, peer: Peer) -> None:
    pod.run_source(
        "from reactor import Failure\ndef main():\n    raise Failure('x', details={'a': {1, 2}, 'b': float('nan')})"
    )
    assert "nan" in json.dumps(failure_of(peer)["detail"])


def test_an_exception_is_an_error_with_type_traceback_file_line_and_the_lines_around(pod: Pod, peer: Peer) -> None:
    source = (
        "def main():\n    total = 0\n    return inner(total)\n\ndef inner(it):\n    # a division\n    return 1 / it"
    )
    assert pod.run_source(source).returncode == 1
    failure = failure_of(peer)
    assert (failure["kind"], failure["retryable"], failure["exception"]) == ("Error", True, "ZeroDivisionError")
    assert failure["message"] == "ZeroDivisionError: division by zero"
    detail = failure["detail"]
    assert isinstance(detail, dict)
    assert (detail["file"], detail["line"]) == ("<step store>", 7)
    assert "> 7 |     return 1 / it" in detail["source"].splitlines()
    assert "  6 |     # a division" in detail["source"].splitlines()
    assert 'File "<step store>", line 7, in inner\n    return 1 / it' in detail["traceback"]
    assert "reactor/calling.py" not in detail["traceback"]


def test_the_place_of_a_failure_is_in_the_users_code_even_when_a_library_raised(pod: Pod, peer: Peer) -> None:
    pod.run_source("import json\ndef main():\n    return json.loads('{')")
    detail = failure_of(peer)["detail"]
    assert isinstance(detail, dict)
    assert (detail["file"], detail["line"]) == ("<step store>", 3)
    assert "json/decoder.py" in detail["traceback"]


@pytest.mark.parametrize(
    ("body", "exception"),
    [("sys.exit(0)", "SystemExit"), ("raise KeyboardInterrupt", "KeyboardInterrupt"), ("raise Odd", "Odd")],
)
def test_whatever_a_handler_raises_is_an_error(pod: Pod, peer: Peer, body: str, exception: str) -> None:
    source = f"""
import sys
class Odd(BaseException):
    __module__ = 'builtins'
    def __str__(self): raise ValueError
def main():
    {body}"""
    assert pod.run_source(source).returncode == 1
    assert (failure_of(peer)["kind"], failure_of(peer)["exception"]) == ("Error", exception)


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ("float('nan')", "result is nan"),
        ("{'a': [1, float('inf')]}", "result.a[1] is inf"),
        ("{'items': [{'price': decimal.Decimal(1)}]}", "result.items[0].price is a decimal.Decimal"),
        ("object()", "result is a object"),
        ("b'x'", "result is a bytes"),
        ("{'a': {(1, 2): 3}}", "result.a has a key that is a tuple"),
        ("(x for x in ())", "result is a generator"),
        ("'\\ud800'", "result is text with a lone surrogate"),
        ("loop", "result[0] contains itself"),
        ("deep", "is nested more than 400 deep"),
        ("{'a': main}", "result.a is a function"),
    ],
)
def test_a_result_that_is_not_json_is_told_with_its_path_and_type(
    pod: Pod, peer: Peer, result: str, found: str
) -> None:
    source = f"""
import decimal
loop = []
loop.append(loop)
deep = []
for _ in range(5000): deep = [deep]
def main():
    return {result}"""
    assert pod.run_source(source).returncode == 1
    failure = failure_of(peer)
    assert (failure["kind"], failure["retryable"]) == ("InvalidResult", False)
    assert found in str(failure["message"])


def test_a_skipped_value_that_is_not_json_is_an_invalid_result(pod: Pod, peer: Peer) -> None:
    pod.run_source("import reactor\ndef main():\n    raise reactor.Skipped({1, 2})")
    assert failure_of(peer)["kind"] == "InvalidResult"


def test_a_result_above_32_mib_is_an_invalid_result(pod: Pod, peer: Peer) -> None:
    pod.run_source("def main():\n    return 'x' * (32 * 1024 * 1024)")
    failure = failure_of(peer)
    assert failure["kind"] == "InvalidResult"
    assert "at most 33554432" in str(failure["message"])


def test_an_outcome_above_3_kib_leaves_its_digest_in_the_termination_message(pod: Pod, peer: Peer) -> None:
    import hashlib

    assert pod.run_source("def main():\n    return 'ä' * 5_000_000").returncode == 0
    assert peer.outcome_document == {"type": "succeeded", "result": "ä" * 5_000_000}
    assert peer.outcome is not None
    assert pod.termination == {"digest": hashlib.sha256(peer.outcome).hexdigest()}


def test_long_messages_and_lone_surrogates_are_cut_to_what_can_be_told(pod: Pod, peer: Peer) -> None:
    assert pod.run_source("def main():\n    raise ValueError('\\ud800' + 'x' * 9999)").returncode == 1
    message = str(failure_of(peer)["message"])
    assert len(message) == 1024
    assert message.startswith("ValueError: \ufffdxxx")
    assert message.endswith("…")
