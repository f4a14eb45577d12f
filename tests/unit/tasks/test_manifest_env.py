"""The environment of a task: what it tells, and that it reaches the container as these very bytes."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action
from reactor_operator.tasks.manifest import render_manifest
from reactor_operator.tasks.manifest_env import Unlaunchable, escape_dollars
from tests.unit.tasks.orders import BUSYBOX, SETTINGS, UID, env_of, main_of, order, pod, python


def kubelet_expands(text: str, variables: dict[str, str]) -> str:
    """The rule of Kubernetes, in bytes as kubelet applies it: `$$` is `$`, `$(NAME)` is replaced where it closes, and
    of any other `$x` the byte x is copied as the character with that number."""
    source = text.encode()
    out = bytearray()
    cursor = checkpoint = 0
    while cursor < len(source):
        if source[cursor : cursor + 1] == b"$" and cursor + 1 < len(source):
            out += source[checkpoint:cursor]
            following = source[cursor + 1 : cursor + 2]
            closing = source.find(b")", cursor + 2)
            if following == b"$":
                out += b"$"
                cursor += 1
            elif following == b"(" and closing >= 0:
                name = source[cursor + 2 : closing].decode("utf-8", "replace")
                out += variables.get(name, f"$({name})").encode()
                cursor = closing
            elif following == b"(":
                out += b"$("
                cursor += 1
            else:
                out += b"$" + chr(following[0]).encode()
                cursor += 1
            checkpoint = cursor + 1
        cursor += 1
    return (bytes(out) + source[checkpoint:]).decode("utf-8", "replace")


@given(st.text(alphabet=st.sampled_from("$()aX_é日 {}"), max_size=40))
@example("$(SECRET)")
@example("$$(X)")
@example("$é")
@example("$")
@example("$$$")
@example("$(")
def test_injected_values_are_literal_bytes(literal: str) -> None:
    assert kubelet_expands(escape_dollars(literal), {"SECRET": "leaked", "X": "leaked"}) == literal


@given(st.text(max_size=60))
def test_text_of_any_kind_stays_as_it_is(literal: str) -> None:
    clean = literal.encode("utf-8", "replace").decode()
    assert kubelet_expands(escape_dollars(clean), {}) == clean


def test_a_lone_dollar_before_other_characters_would_break_them() -> None:
    assert kubelet_expands("$é", {}) != "$é"


def test_the_facts_of_the_task_are_in_its_environment() -> None:
    env = env_of(main_of(pod(arguments={"a": 1})))
    assert env["REACTOR_RUN"] == "order-1"
    assert env["REACTOR_STEP"] == "work"
    assert env["REACTOR_TASK"] == f"{UID}/work.run.1.1.1"
    assert env["REACTOR_ACTION"] == "run"
    assert env["REACTOR_ATTEMPT"] == "1"
    assert env["REACTOR_IDEMPOTENCY_KEY"] == "idempotent"
    assert "REACTOR_FORWARD_KEY" not in env
    assert env["REACTOR_UNCERTAIN"] == "0"
    assert json.loads(env["REACTOR_ARGUMENTS"]) == {"a": 1}
    assert env["REACTOR_RESULT_PATH"] == "/dev/termination-log"
    assert env["REACTOR_GATEWAY"] == "http://gateway:8080"
    assert len(env["REACTOR_TOKEN"]) == 64


def test_a_task_is_told_its_place_in_the_trace_where_runs_are_traced() -> None:
    assert env_of(main_of(pod(traceparent="00-a-b-01")))["TRACEPARENT"] == "00-a-b-01"
    assert env_of(main_of(pod(python(), traceparent="00-a-b-01")))["TRACEPARENT"] == "00-a-b-01"
    assert "TRACEPARENT" not in env_of(main_of(pod()))


def test_a_cleanup_learns_the_key_it_reverses_and_what_there_is_to_reverse() -> None:
    step = {"run": {"container": BUSYBOX}, "undo": {"container": BUSYBOX}}
    env = env_of(main_of(pod(step, action=Action.UNDO, result=b'{"id":1}', uncertain=True)))
    assert env["REACTOR_FORWARD_KEY"] == "forward"
    assert env["REACTOR_RESULT"] == '{"id":1}'
    assert env["REACTOR_UNCERTAIN"] == "1"


def test_a_python_task_gets_no_documents_for_it_checks_in() -> None:
    env = env_of(main_of(pod(python(), arguments={"a": 1})))
    assert env["REACTOR_HANDLER"] == "shop.work:do"
    assert "REACTOR_ARGUMENTS" not in env


def test_arguments_by_reference_stay_references() -> None:
    source = {"arguments": {"token": {"secretKeyRef": {"name": "s", "key": "k"}}}}
    env = env_of(main_of(pod({**source, "run": {"container": BUSYBOX}})))
    assert env["REACTOR_SECRET_TOKEN"] == {"secretKeyRef": {"name": "s", "key": "k"}}
    env = env_of(main_of(pod(python(**source))))
    assert env["REACTOR_SECRET_TOKEN"] == {"secretKeyRef": {"name": "s", "key": "k"}}
    assert json.loads(env["REACTOR_SECRET_ARGUMENTS"]) == {"token": "REACTOR_SECRET_TOKEN"}


def test_one_argument_becomes_one_variable_and_ours_cannot_be_replaced() -> None:
    variables = [
        {"name": "AMOUNT", "argument": "amount"},
        {"name": "NAME", "argument": "name"},
        {"name": "REACTOR_TASK", "value": "forged"},
    ]
    step = {
        "arguments": {"amount": {"value": 1}, "name": {"value": 1}},
        "run": {"container": {**BUSYBOX, "env": variables}},
    }
    env = env_of(main_of(pod(step, arguments={"amount": {"eur": 42}, "name": "a b"})))
    assert env["AMOUNT"] == '{"eur":42}'
    assert env["NAME"] == "a b"
    assert env["REACTOR_TASK"] == f"{UID}/work.run.1.1.1"


def test_what_no_variable_can_hold_is_an_invalid_argument() -> None:
    step = {
        "arguments": {"a": {"value": 1}},
        "run": {"container": {**BUSYBOX, "env": [{"name": "A", "argument": "a"}]}},
    }
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    for value in ("nul\0", "x" * 200_000, deep):
        with pytest.raises(Unlaunchable) as refused:
            render_manifest(order(step, arguments={"a": value}), SETTINGS)
        assert refused.value.failure.kind is FailureKind.INVALID_ARGUMENTS
        assert "env 'A'" in refused.value.failure.message
