"""Canaries: sensitive values go through a run by every way, and then every byte that was kept or shown is searched.

The laptop keeps its runs in SQLite, and the reconciler in Redis; in both the handlers get the true values.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from reactor_operator.cli.check import check_manifests
from reactor_operator.cli.drive import Driver, interrupts
from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.laptop import LaptopRun, WallClock
from reactor_operator.cli.main import app
from reactor_operator.cli.manifests import load_manifests
from reactor_operator.cli.progress import Silence
from reactor_operator.encryption import Keyring, draw_keys
from reactor_operator.notifications.observers import Observers
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.ports import RunRef
from reactor_operator.store.redis import RedisStore
from tests.contract.redis_server import RedisServer
from tests.unit.runtime.service import Service, serving

CARD, PIN, SESSION, MEMO = 'CANARY-card-4111"x', 987654321, "CANARY-session ä", "CANARY-memo"
CANARIES = (b"CANARY", b"987654321", b"Q0FOQVJ")
REACTOR = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: pay}
spec:
  inputsSchema:
    type: object
    properties:
      card: {type: string, sensitive: true}
      who: {type: object, properties: {pin: {type: integer, sensitive: true}}}
      fail: {type: boolean, default: true}
      service: {type: string}
  rollback: {retries: {maxAttempts: 2, baseDelay: 1ms}}
  steps:
  - name: login
    sensitive: true
    arguments: {card: {input: card}, pin: {input: who.pin}}
    run: {python: {handler: "bank:login"}}
    undo: {python: {handler: "bank:logout"}}
    retries: {maxAttempts: 2, baseDelay: 1ms}
  - name: shape
    transform: {expr: "{'of': results.login.session, 'card': inputs.card}"}
  - name: inner
    arguments: {token: {result: login, path: session}}
    compose:
      steps:
      - name: deep
        transform: {expr: "results.shape.of + '/deep'"}
  - name: route
    switch:
      cases:
      - when: "inputs.card == 'nothing'"
        transform: {value: 1}
      default:
        transform: {result: inner}
  - name: pay
    arguments:
      session: {result: shape, path: of}
      deep: {result: route}
      memo: {expr: "'CAN' + 'ARY-memo'", sensitive: true}
    run: {python: {handler: "bank:pay"}}
    compensate: {python: {handler: "bank:void"}}
    undo: {python: {handler: "bank:refund"}}
    retries: {maxAttempts: 3, baseDelay: 1ms}
  - name: ask
    waitFor: [pay]
    arguments: {deep: {result: route}}
    run:
      http:
        method: POST
        url: {expr: "inputs.service + '/ask'"}
        headers: {X-Card: {expr: "inputs.card"}}
        body: {expr: "{'s': args.deep, 'card': inputs.card}"}
    onError: {action: Continue}
  - name: boom
    waitFor: [ask]
    when: inputs.fail
    arguments: {bad: {result: shape}}
    run: {python: {handler: "bank:boom"}}
    compensate: {python: {handler: "bank:clean"}}
  returns: {result: route}
"""
RUN = """\
apiVersion: reactor.run/v1alpha1
kind: ReactorRun
metadata: {name: %s}
spec:
  reactorRef: {name: pay}
  inputs: %s
"""
BANK = """
import json, os, sys
from reactor import Failure

def _seen(name, **values):
    with open(SEEN, "a") as file:
        file.write(json.dumps({"name": name, **values}) + "\\n")

def login(card, pin, context):
    _seen("login", card=card, pin=pin)
    print("logging in", card)
    if context.attempt == 1:
        raise ValueError(f"no session for {card!r} with {pin}, {json.dumps(card)}")
    return {"session": card[:7] + "session \\u00e4"}

def logout(card, pin, result, context):
    _seen("logout", result=result, card=card)
    if context.attempt == 1:
        raise Failure(f"cannot log out of {result['session']}" + "x" * 990 + card, details={"s": [result]})

def pay(session, deep, memo, context):
    _seen("pay", session=session, deep=deep, memo=memo)
    print(session, file=sys.stderr)
    if context.attempt == 1:
        raise Failure(session, details={"deep": deep})
    if context.attempt == 2:
        os._exit(7)

def void(session, deep, memo, failure):
    _seen("void", failure=failure)

def refund(session, deep, memo):
    _seen("refund", session=session)
    raise Failure("x" * 1010 + session)

def boom(bad):
    _seen("boom", bad=bad)
    try:
        raise KeyError(bad["card"])
    except KeyError:
        raise RuntimeError(f"very bad: {bad}" + "\\n" + "y" * 195 + bad["card"])

def clean(bad, failure):
    _seen("clean", failure=failure)
"""


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that refuses, and repeats in its answer what it was sent."""
    with serving(Service(status=422, body=f"no {CARD} {SESSION}/deep".encode())) as found:
        yield found


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    folder = tmp_path / "seen"
    folder.mkdir()
    return folder / "seen.jsonl"


def write(tmp_path: Path, seen: Path, service: Service, **runs: bool) -> Path:
    folder = tmp_path / "pay"
    folder.mkdir()
    written = [REACTOR]
    for name, fails in runs.items():
        inputs = {"card": CARD, "who": {"pin": PIN}, "fail": fails, "service": service.address.removesuffix("/")}
        written.append(RUN % (name, json.dumps(inputs)))
    (folder / "reactor.yaml").write_text("---\n".join(written))
    (folder / "bank.py").write_text(f"SEEN = {str(seen)!r}\n{BANK}")
    return folder


def told(seen: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in seen.read_text().splitlines()]


def check_handlers(seen: Path) -> None:
    """The handlers got the true values, and failures that show none."""
    found = told(seen)
    by_name = {str(one["name"]): one for one in found}
    assert (by_name["login"]["card"], by_name["login"]["pin"]) == (CARD, PIN)
    assert by_name["pay"] == {"name": "pay", "session": SESSION, "deep": f"{SESSION}/deep", "memo": MEMO}
    assert by_name["boom"]["bad"] == {"of": SESSION, "card": CARD}
    assert by_name["logout"] == {"name": "logout", "result": {"session": SESSION}, "card": CARD}
    assert by_name["refund"]["session"] == SESSION
    assert "***" in str(by_name["clean"]["failure"])
    assert "CANARY" not in str(by_name["clean"]["failure"])


def hits(*documents: bytes) -> list[bytes]:
    """Return what is around every canary that is found."""
    return [
        document[max(0, at - 120) : at + 40]
        for document in documents
        for canary in CANARIES
        if (at := document.find(canary)) >= 0
    ]


def test_a_laptop_keeps_and_shows_no_canary(
    tmp_path: Path, seen: Path, service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, state = write(tmp_path, seen, service, fails=True, works=False), tmp_path / "state" / "runs.db"
    state.parent.mkdir()
    for output in (["--verbose"], ["-o", "json"]):  # the second time both runs are only shown
        with pytest.raises(SystemExit):
            app(["run", str(folder), "--state", str(state), *output], prog_name="reactor")
    said = capfd.readouterr()
    kept = [path.read_bytes() for path in state.parent.iterdir()]
    assert hits(said.out.encode(), said.err.encode(), *kept) == []
    assert len(kept) >= 2  # the database and the key
    key = state.with_name("runs.db.key")
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_bytes().strip() not in b"".join(path.read_bytes() for path in state.parent.iterdir() if path != key)
    check_handlers(seen)
    shown = orjson.loads(said.out[said.out.rindex("\n{\n") :])
    works = next(run for run in shown["items"] if run["metadata"]["name"] == "works")
    assert works["status"]["phase"] == "Succeeded"
    assert works["status"]["result"] == "***"
    assert works["spec"]["inputs"]["card"] == "***"
    results = {step["name"]: step.get("result") for step in works["status"]["steps"]}
    assert (results["login"], results["shape"], results["inner/deep"], results["route"]) == ("***",) * 4


def test_a_run_whose_key_is_gone_says_which(
    tmp_path: Path, seen: Path, service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, state = write(tmp_path, seen, service, works=False), tmp_path / "runs.db"
    with pytest.raises(SystemExit):
        app(["run", str(folder), "--state", str(state)], prog_name="reactor")
    state.with_name("runs.db.key").unlink()
    with pytest.raises(CommandError, match=r"'works': value .* encrypted with key '[0-9a-f]{8}': that key is not here"):
        app(["run", str(folder), "--state", str(state)], prog_name="reactor")


async def drive(folder: Path, store: RedisStore, keys: Keyring, name: str) -> dict[str, object]:
    manifests = load_manifests([str(folder)])
    [sound] = [run for run in check_manifests(manifests, runs=list(manifests.runs)).runs if run.manifest.name == name]
    run = LaptopRun(
        sound=sound,
        inputs=sound.spec.inputs or {},
        ref=RunRef("default", name, f"uid-{name}"),
        created_at=WallClock().now(),
    )
    async with interrupts(lambda said: None) as stops:
        driver = Driver(
            store=store,
            epoch=await store.claim_epoch(0),
            manifests=manifests,
            stops=stops,
            verbose=False,
            signing_keys=SigningKeys(),
            observers=Observers([]),
            keyring=keys,
        )
        return dict((await driver.drive(run, Silence())).object)


async def test_redis_holds_no_canary(
    tmp_path: Path,
    seen: Path,
    service: Service,
    capfd: pytest.CaptureFixture[str],
    redis_server: RedisServer,
    installation: str,
) -> None:
    folder = write(tmp_path, seen, service, fails=True, works=False)
    store = RedisStore(redis_server.url, installation)
    try:
        async with asyncio.timeout(50):
            views = [await drive(folder, store, draw_keys(), name) for name in ("fails", "works")]
    finally:
        await store.close()
    said = capfd.readouterr()
    dump = every_key(redis_server)
    assert dump.count(b"encrypted:1:") > 10
    assert hits(dump, orjson.dumps(views), said.out.encode(), said.err.encode()) == []
    check_handlers(seen)
    sent = [(json.loads(one.body), one.headers["X-Card"]) for one in service.asked]
    assert sent == [({"s": f"{SESSION}/deep", "card": CARD}, CARD)] * 2
    assert [view["status"]["phase"] for view in views] == ["Failed", "Succeeded"]  # type: ignore[index]


def every_key(server: RedisServer) -> bytes:
    """Return all that is in Redis, as the file that it appends every write to has it."""
    folder = server._folder / "appendonlydir"
    return b"".join(path.read_bytes() for path in folder.iterdir())


SKIPPED = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: broken}
spec:
  inputsSchema: {properties: {card: {type: string, maxLength: 20, sensitive: true}}}
  steps:
  - name: a
    sensitive: true
    arguments: {card: {input: card}}
    run: {python: {source: "def main(card): raise ValueError('no ' + card)"}}
  - name: b
    arguments: {given: {result: a}}
    run: {python: {source: "def main(given): return len(given)"}}
  returns: {result: a}
"""


def test_a_value_that_a_person_brings_is_kept_encrypted_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest, state = tmp_path / "reactor.yaml", tmp_path / "state" / "runs.db"
    state.parent.mkdir()
    manifest.write_text(SKIPPED)

    def call(*words: str) -> int:
        with pytest.raises(SystemExit) as ended:
            app([*words, "--state", str(state)], prog_name="reactor")
        return int(str(ended.value.code))

    assert call("run", str(manifest), "--set", "card=CANARY-1") == 1
    brought = ("--manifests", str(manifest), "--payload", '"CANARY-by-hand"')
    assert call("skip", "broken-run", "a", *brought) == 0
    assert call("run", str(manifest), "-o", "json") == 0
    said = capfd.readouterr()
    status = orjson.loads(said.out[said.out.rindex("\n{\n") :])["status"]
    assert status["result"] == "***"
    assert [step["result"] for step in status["steps"]] == ["***", len("CANARY-by-hand")]
    assert hits(said.out.encode(), said.err.encode(), *(path.read_bytes() for path in state.parent.iterdir())) == []


def test_a_sensitive_input_that_is_wrong_is_not_repeated(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest = tmp_path / "reactor.yaml"
    manifest.write_text(SKIPPED)
    with pytest.raises(SystemExit):
        app(["run", str(manifest), "--set", f"card=CANARY{'-' * 20}", "-o", "yaml"], prog_name="reactor")
    said = capfd.readouterr()
    assert "spec.inputs.card" in said.out + said.err
    assert hits(said.out.encode(), said.err.encode()) == []
