"""Ids of traces are functions of identity, and written as W3C Trace Context has them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.engine.identity import Action, Task
from reactor_operator.tracing.identity import (
    ELEMENTS_TRACED,
    is_traced,
    run_span,
    step_span,
    task_span,
    trace_of,
    traceparent,
)

WRITTEN = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]")
UIDS = st.text(max_size=40)


@given(UIDS, st.text(max_size=30))
def test_a_traceparent_is_written_as_the_standard_has_it(uid: str, key: str) -> None:
    assert WRITTEN.fullmatch(traceparent(uid, key))


@given(UIDS, UIDS)
def test_another_run_is_another_trace_and_the_same_run_the_same(one: str, other: str) -> None:
    assert (trace_of(one) == trace_of(other)) == (one == other)


def test_every_part_of_a_run_has_a_span_of_its_own() -> None:
    keys = [Task("pay", action, round_, attempt, 1).key for action in Action for round_ in (1, 2) for attempt in (1, 2)]
    spans = [run_span("u"), step_span("u", "pay", 1), step_span("u", "pay", 2), *(task_span("u", key) for key in keys)]
    assert len(set(spans)) == len(spans)


def test_a_task_hands_on_its_own_span() -> None:
    _, trace, span, flags = traceparent("u", "pay.run.1.1.1").split("-")
    assert (trace, span, flags) == (trace_of("u"), task_span("u", "pay.run.1.1.1"), "01")


def test_of_elements_the_first_have_spans_and_the_others_say_that_they_have_none() -> None:
    first, beyond = f"rows[{ELEMENTS_TRACED - 1}]/store", f"rows[{ELEMENTS_TRACED}]/store"
    assert is_traced(first)
    assert is_traced("route[default]/ship")
    assert is_traced("rows[page-7000]")
    assert not is_traced(beyond)
    assert not is_traced(f"rows[{ELEMENTS_TRACED}]/inner[0]/store")
    assert traceparent("u", f"{beyond}.run.1.1.1").endswith("-00")
