"""Sensitive values in a reconcile: encrypted as they are decided on, waited for without their key, masked in words."""

from collections.abc import Mapping

import orjson
import pytest

from reactor_operator.api.reactor import Step
from reactor_operator.encryption import NO_KEYS, Key, Keyring
from reactor_operator.engine.events import ResumeRequested, RetryRequested, SkipRequested
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.evaluation.compared import render_compared
from reactor_operator.evaluation.environment import Environment, ReadSensitive
from reactor_operator.kube.fields import maps_at
from reactor_operator.ports import Evaluated, ReactorObject, RunObject, RunRef
from reactor_operator.reconciling.definition import RECORD, Definition, encode_definition, without_steps
from reactor_operator.reconciling.encrypted_requests import encrypted_request
from reactor_operator.reconciling.masked import masked
from reactor_operator.reconciling.signals import request_of
from reactor_operator.store.codec import decode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Entry
from tests.unit.reconciling.conftest import REF, RUN, World

ONE, OTHER = Key(b"1" * 32), Key(b"2" * 32)
SCHEMA = {"properties": {"card": {"type": "string", "sensitive": True}}}
STEPS = [
    {"name": "a", "run": RUN, "arguments": {"card": {"input": "card"}}},
    {"name": "b", "run": RUN, "waitFor": ["a"], "arguments": {"card": {"input": "card"}}},
    {"name": "c", "run": RUN, "waitFor": ["b"], "sensitive": True},
]


class Sensitive(World):
    """A run of which an input is sensitive, under one operator with these keys."""

    def __init__(self, *keys: Key, store: MemoryStore | None = None, epoch: int = 1) -> None:
        super().__init__(store, epoch, keyring=Keyring(keys))
        self.given: list[bytes] = []

    async def get_run(self, ref: RunRef) -> RunObject | None:
        found = await super().get_run(ref)
        assert found is not None
        spec: Mapping[str, object] = {"reactorRef": {"name": "x"}, "inputs": {"card": "CANARY"}}
        return RunObject(ref=ref, generation=1, created_at=0, spec=spec, annotations={}, status=found.status)

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        spec = {"inputsSchema": SCHEMA, "steps": STEPS}
        return ReactorObject(namespace=namespace, name=name, uid="reactor-uid", generation=1, spec=spec)

    async def evaluate_step(self, step: Step, environment: Environment) -> Evaluated | Failure:
        return Evaluated(True, orjson.dumps(dict.fromkeys(step.arguments, environment.inputs["card"])))  # type: ignore[index]


async def test_inputs_and_arguments_are_encrypted_in_the_first_commit() -> None:
    world = Sensitive(ONE)
    await world.reconcile()
    assert [task.path for task in world.started] == ["a"]
    kept = repr(vars(world.store))
    assert "CANARY" not in kept
    assert f"encrypted:1:{ONE.id}:inputs" in kept
    assert f"encrypted:1:{ONE.id}:a arguments" in kept


async def test_a_run_without_its_key_waits_and_says_which_and_goes_on_with_it() -> None:
    first = Sensitive(ONE)
    await first.reconcile()
    other = Sensitive(OTHER, store=first.store, epoch=2)
    await other.succeed("a")
    again_at = await other.reconciler.reconcile(REF)
    assert again_at is not None
    assert again_at > other.clock.now()
    assert f"encrypted with key '{ONE.id}': that key is not here (found {OTHER.id})" in str(other.status["message"])
    conditions = {one["type"]: one["status"] for one in other.status["conditions"]}  # type: ignore[attr-defined]
    assert conditions["Stalled"] == "True"
    both = Sensitive(OTHER, ONE, store=first.store, epoch=3)
    both.status = other.status
    await both.reconcile()
    assert [task.path for task in both.started] == ["b"]
    assert f"encrypted:1:{OTHER.id}:b arguments" in repr(vars(both.store))


async def test_a_task_whose_arguments_cannot_be_opened_waits_with_a_reason() -> None:
    first = Sensitive(ONE)
    first.reconciler._effects._launcher = _Away()  # type: ignore[assignment]
    await first.reconcile()
    other = Sensitive(OTHER, store=first.store, epoch=2)
    await other.reconcile()
    assert other.started == []
    [step] = [one for one in other.status["steps"] if one["name"] == "a"]  # type: ignore[attr-defined]
    assert step["reason"].startswith(f"KeyMissing: value 'a arguments', encrypted with key '{ONE.id}'")


class _Away:
    has_room = True

    async def start(self, order: object) -> object:
        from reactor_operator.ports import Unavailable

        raise Unavailable("the API server is away")


async def test_an_installation_without_keys_refuses_the_run_and_says_why() -> None:
    world = Sensitive()
    await world.reconcile()
    assert world.status["phase"] == "Failed"
    assert world.status["failure"]["kind"] == "InvalidReactor"  # type: ignore[index]
    assert "this installation has no key for them" in str(world.status["message"])
    assert world.started == []


async def entry_of(
    action: str, said: Mapping[str, object], store: MemoryStore, keys: Keyring = NO_KEYS
) -> Entry | None:
    """Return what is to be appended for a request of a person."""
    request = request_of("1", action, said, "ann")
    return await encrypted_request(request.entry_for(REF), request.event, store, keys)


@pytest.mark.parametrize(
    ("action", "said", "is_encrypted"),
    [
        ("skip", {"step": "c", "payload": "CANARY"}, True),
        ("skip", {"step": "b", "payload": "plain"}, False),
        ("resume", {"step": "c", "payload": "CANARY"}, True),
        ("resume", {"step": "b", "payload": "plain"}, False),
        ("retry", {"step": "b", "arguments": {"card": "CANARY"}}, True),
        ("retry", {"step": "c", "arguments": {"x": "plain"}}, False),
    ],
)
async def test_what_a_request_brings_is_encrypted_where_it_takes_the_place_of_something_sensitive(
    action: str, said: Mapping[str, object], is_encrypted: bool
) -> None:
    world = Sensitive(ONE)
    await world.reconcile()
    entry = await entry_of(action, said, world.store, Keyring((ONE,)))
    assert entry is not None
    event = decode_event(entry.body)
    ref = event.value if isinstance(event, SkipRequested) else None
    ref = event.arguments if isinstance(event, RetryRequested) else ref
    ref = event.payload if isinstance(event, ResumeRequested) else ref
    assert ref is not None
    assert ref.encrypted is is_encrypted
    assert set(entry.values) == {ref.digest}
    assert (b"CANARY" in entry.values[ref.digest]) is False
    assert Keyring((ONE,)).decrypt(REF.uid, entry.values[ref.digest]) == orjson.dumps(
        said.get("payload", said.get("arguments"))
    )


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("skip", {"step": "cc", "payload": "CANARY"}),
        ("resume", {"step": "cc", "payload": "CANARY"}),
        ("retry", {"step": "bb", "arguments": {"card": "CANARY"}}),
        ("retry", {"step": "", "arguments": {"card": "CANARY"}}),
    ],
)
async def test_a_value_for_a_step_that_the_run_does_not_have_is_not_stored_and_the_request_is_refused(
    action: str, said: Mapping[str, object]
) -> None:
    world = Sensitive(ONE)
    await world.reconcile()
    entry = await entry_of(action, said, world.store, Keyring((ONE,)))
    assert entry is not None
    await world.store.append(entry)
    await world.reconcile()
    assert [one["phase"] for one in maps_at(world.status, "signals")] == ["Rejected"]
    assert "CANARY" not in repr(vars(world.store))


async def test_a_value_for_a_run_that_never_had_steps_is_not_stored() -> None:
    world = Sensitive()
    await world.reconcile()
    definition = without_steps(Definition(run=REF, created_at=0, generation=1, reactor_name="x"))
    world.store._runs[REF.uid].records[RECORD] = encode_definition(definition)
    entry = await entry_of("retry", {"step": "b", "arguments": {"card": "CANARY"}}, world.store)
    assert entry is not None
    assert entry.values == {}


async def test_a_request_to_a_run_that_is_not_stored_is_not_appended_for_it_may_be_stored_a_moment_later() -> None:
    assert await entry_of("skip", {"step": "c", "payload": "x"}, MemoryStore()) is None


def test_words_of_an_evaluation_are_masked_by_what_it_read() -> None:
    environment = Environment(
        inputs={"card": "CANARY-1", "who": "ann"},
        results={"login": {"pin": 4711}},
        sensitive=ReadSensitive(inputs=frozenset({"card"}), results=frozenset({"login"})),
    )
    failure = Failure(kind=FailureKind.EXPRESSION, message="found 'CANARY-1' beside 4711 and ann")
    assert masked(failure, environment).message == "found '***' beside *** and ann"
    compared = render_compared("inputs.card == 'x' && results.login.pin > 1 && inputs.who == 'y'", environment)
    assert compared.endswith("(inputs.card is ***, results.login.pin is ***, inputs.who is 'ann')")
