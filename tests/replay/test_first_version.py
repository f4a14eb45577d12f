"""What the first version stored is read for ever: `first/` holds its documents, and is never written again.

A later version that stores another form keeps reading this one, and gets a folder of its own beside it. Each line of a
`.jsonl` is one document, byte for byte as it was stored; every field is there at another value than its default.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from reactor_operator.engine import actions, events, failures, identity, state
from reactor_operator.engine.derive import restore
from reactor_operator.gateway.record import decode_record
from reactor_operator.gateway.tokens import task_token
from reactor_operator.reconciling.definition import RECORD, compile_definition, decode_definition
from reactor_operator.reconciling.records import read_run
from reactor_operator.store.codec import decode_action, decode_event, decode_header, decode_step
from tests.replay import first_values

FOLDER = Path(__file__).parent / "first"
ROOMS = (actions, events, failures, identity, state)

STORED: Mapping[str, tuple[Callable[[bytes], object], Sequence[object]]] = {
    "headers": (decode_header, first_values.HEADERS),
    "steps": (decode_step, first_values.STEPS),
    "outbox": (decode_action, first_values.OUTBOX),
    "inbox": (decode_event, first_values.INBOX),
    "definitions": (decode_definition, first_values.DEFINITIONS),
    "open-tasks": (decode_record, first_values.OPEN_TASKS),
}


def documents(name: str) -> list[bytes]:
    return (FOLDER / f"{name}.jsonl").read_bytes().splitlines()


def listed(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def engine_class(name: str) -> Any:
    """Return the class that had this name in the engine of the first version."""
    found = next((getattr(room, name) for room in ROOMS if hasattr(room, name)), None)
    assert found is not None, f"{name} is gone: what the first version stored of it cannot be read"
    return found


def defaults_of(cls: Any) -> dict[str, Any]:
    """Return what each field that may be left out says then; `type` is never left out."""
    defaults: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory()
        elif field.default is not dataclasses.MISSING and field.name != "type":
            defaults[field.name] = field.default
    return defaults


@pytest.mark.parametrize("name", STORED)
def test_what_the_first_version_stored_says_what_it_said(name: str) -> None:
    decode, expected = STORED[name]
    found = [decode(body) for body in documents(name)]
    for line, (one, other) in enumerate(zip(found, expected, strict=True), 1):
        assert one == other, f"tests/replay/first/{name}.jsonl, line {line}: the stored document reads differently"


@pytest.mark.parametrize("name", ["headers", "steps", "outbox", "inbox", "definitions"])
def test_a_field_that_is_not_stored_is_at_its_default(name: str) -> None:
    """Each field that has a default is taken out of each document in turn."""
    decode, _ = STORED[name]
    for body in documents(name):
        whole: Any = decode(body)
        document = json.loads(body)
        for field, default in defaults_of(type(whole)).items():
            lacking = {key: value for key, value in document.items() if key != field}
            assert decode(orjson.dumps(lacking)) == dataclasses.replace(whole, **{field: default}), field


@pytest.mark.parametrize("name", listed("defaults"))
def test_a_default_is_what_the_first_version_left_out(name: str) -> None:
    """A field at its default is not stored, so another default would change what stored documents say."""
    defaults = defaults_of(engine_class(name))
    for field, then in listed("defaults")[name].items():
        now = json.loads(orjson.dumps(defaults[field]))
        assert now == then, f"{name}.{field}: what is not stored meant {then!r}, and would mean {now!r}"


@pytest.mark.parametrize("name", listed("words"))
def test_a_stored_word_means_what_it_meant(name: str) -> None:
    words = engine_class(name)
    for member, word in listed("words")[name].items():
        assert words(word) is words[member], f"{word!r} was {name}.{member}"


@pytest.mark.parametrize("key", listed("names"))
def test_a_task_has_the_names_that_it_had(key: str) -> None:
    """A pod of before is found, a service that was called before knows the call again, and its token still opens."""
    uid, task = first_values.HEADERS[0].uid, identity.parse_task_key(key)
    assert task is not None
    assert listed("names")[key] == {
        "pod": identity.pod_name("checkout-o-1", uid, task),
        "idempotencyKey": identity.idempotency_key(uid, task.path, task.action, task.round),
        "jitter": identity.jitter_fraction(uid, task),
        "token": task_token(b"k" * 32, f"{uid}/{key}"),
    }


def test_a_whole_run_of_the_first_version_is_read() -> None:
    records = {RECORD: documents("definitions")[0], "header": documents("headers")[1], "step/ship": b'{"attempt":1}'}
    known = read_run(records, {"start": documents("outbox")[1]}, 7, pending_timeout_ms=0)
    step = state.StepState(attempt=1)
    _, plan = compile_definition(first_values.DEFINITIONS[0], pending_timeout_ms=0)
    assert known.definition == first_values.DEFINITIONS[0]
    assert known.state == restore(plan, state.Header(), {"ship": step})
    assert known.outbox == {"start": first_values.OUTBOX[1]}
